//! Voice notes on the built executable: what was acknowledged stays, whatever kills the process,
//! and what real recorders make can be sent and played.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what fails here fails the test that called it"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Write as _,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use e2e::{
    http::Response,
    notes::{Notes, Sound, sha256},
    server::Server,
    wait,
};
use serde_json::Value;

const ROOM: &str = "room";

#[test]
fn no_acknowledged_step_is_lost_when_the_process_is_killed_after_it() {
    let mut server = Server::start();
    let notes = Notes::of(&server, ROOM, "ann");
    let [kept, deleted] = [Sound::noise(1), Sound::noise(2)];
    let announced = notes.announce("kept", &kept).expect("an answer").json();
    server.crash_and_restart();

    assert_eq!(notes.upload(&announced, &kept).expect("an answer").status, 201);
    server.crash_and_restart();

    let id = announced["id"].as_str().expect("an id");
    let completed = notes.complete(id, &kept).expect("an answer");
    assert_eq!(completed.status, 200, "{}", completed.body);
    server.crash_and_restart();

    let gone = notes.post("deleted", &deleted);
    assert_eq!(notes.all().len(), 2);
    server.crash_and_restart();

    let gone = gone["id"].as_str().expect("an id");
    assert_eq!(notes.delete(gone).expect("an answer").status, 204);
    server.crash_and_restart();

    assert_eq!(notes.all(), [completed.json()]);
    assert_eq!(notes.content(id).expect("an answer").raw, kept.bytes);
    assert_eq!(notes.content(gone).expect("an answer").status, 404);
    let again = notes.announce("kept", &kept).expect("an answer").json();
    assert_eq!(again["id"].as_str(), Some(id), "the key is remembered");
}

const KILLS: u32 = 60;
const SENDERS: u64 = 3;

/// What one sender was told.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Notes that are ready, by id, with their content's checksum.
    ready: BTreeMap<String, String>,
    /// Notes whose deletion was asked for; `true` once that was acknowledged.
    deleted: BTreeMap<String, bool>,
}

#[test]
fn no_acknowledged_note_is_lost_when_the_process_is_killed_at_any_instant() {
    let mut server = Server::start();
    let over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS)
        .map(|number| {
            let notes = Notes::of(&server, ROOM, &format!("sender-{number}"));
            let over = Arc::clone(&over);
            thread::spawn(move || send_until(&over, number, &notes))
        })
        .collect();
    let mut state = 0x5eed_u64;
    for _ in 0..KILLS {
        // Anywhere in the life of a few notes.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        wait(Duration::from_millis(state >> 33 & 0x7f));
        server.crash_and_restart();
    }
    over.store(true, Ordering::Relaxed);
    let told: Vec<Acknowledged> =
        senders.into_iter().map(|sender| sender.join().expect("a sender")).collect();
    check(&Notes::of(&server, ROOM, "checker"), &told);
}

/// Sends notes, and deletes one in four, each step again until it is answered.
fn send_until(over: &AtomicBool, number: u64, notes: &Notes) -> Acknowledged {
    let mut told = Acknowledged::default();
    for count in 0.. {
        if over.load(Ordering::Relaxed) {
            return told;
        }
        let sound = Sound::noise(number << 32 | count);
        let key = format!("{number}-{count}");
        let announced = answered(|| notes.announce(&key, &sound), &[201]).json();
        let id = announced["id"].as_str().expect("an id").to_owned();
        if !announced["upload"].is_null() {
            answered(|| notes.upload(&announced, &sound), &[200, 201]);
        }
        answered(|| notes.complete(&id, &sound), &[200]);
        if count % 4 == 3 {
            told.deleted.insert(id.clone(), false);
            answered(|| notes.delete(&id), &[204]);
            told.deleted.insert(id, true);
        } else {
            told.ready.insert(id, sha256(&sound.bytes));
        }
    }
    told
}

/// Repeats a request through crashes. Whatever else the server says is a fault of its own.
fn answered(ask: impl Fn() -> io::Result<Response>, good: &[u16]) -> Response {
    loop {
        match ask() {
            // Cut off by a crash.
            Ok(response) if !is_whole(&response) => {}
            Ok(response) if good.contains(&response.status) => return response,
            // Still starting, or another try of ours still under way.
            Ok(response) if response.status == 503 || response.body.contains("still") => {}
            Ok(response) => panic!("{}: {}", response.status, response.body),
            Err(_) => {}
        }
        wait(Duration::from_millis(5));
    }
}

fn is_whole(response: &Response) -> bool {
    let length = response.header("content-length").unwrap_or_default();
    let is_bare = response.status == 204 || response.status == 201 && length.is_empty();
    response.head.lines().count() > 1 && (is_bare || length.parse() == Ok(response.raw.len()))
}

/// Compares what senders were told with what is there.
fn check(notes: &Notes, told: &[Acknowledged]) {
    let items = notes.all();
    let text = |item: &Value, field: &str| item[field].as_str().expect("text").to_owned();
    let listed: BTreeMap<String, String> =
        items.iter().map(|item| (text(item, "id"), text(item, "sha256"))).collect();
    assert_eq!(listed.len(), items.len(), "a note is listed twice");
    let acknowledged: usize = told.iter().map(|one| one.ready.len() + one.deleted.len()).sum();
    let _ = writeln!(io::stderr(), "measured: {acknowledged} notes acknowledged in {KILLS} kills");
    assert!(acknowledged > 50, "{acknowledged} notes prove little");

    let mut known = BTreeSet::new();
    for (id, sum) in told.iter().flat_map(|one| &one.ready) {
        assert_eq!(listed.get(id), Some(sum), "{id} was acknowledged and isn't listed");
        let content = notes.content(id).expect("an answer");
        assert_eq!(&sha256(&content.raw), sum, "{id} sounds like something else");
        known.insert(id);
    }
    for (id, is_told) in told.iter().flat_map(|one| &one.deleted) {
        assert!(!(*is_told && listed.contains_key(id)), "{id} was deleted and is listed");
        known.insert(id);
    }
    let unknown: Vec<&String> = listed.keys().filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "{unknown:?} came from nowhere");
}

#[test]
fn notes_of_ffmpeg_and_opusenc_are_taken_and_play() {
    let server = Server::start();
    let notes = Notes::of(&server, ROOM, "ann");
    let folder = tempfile::tempdir().expect("a folder");
    let of = |name: &str| folder.path().join(name).display().to_string();
    let tone = ["-f", "lavfi", "-i", "sine=440:duration=3", "-ac", "1"];
    run("ffmpeg", &[&tone[..], &[&of("tone.wav")]].concat());
    run("opusenc", &["--quiet", "--bitrate", "24", &of("tone.wav"), &of("opusenc.ogg")]);
    let encoders: [(&str, &str, &[&str]); 4] = [
        ("ffmpeg.ogg", "audio/ogg", &["-c:a", "libopus", "-b:a", "24k"]),
        ("ffmpeg.webm", "audio/webm;codecs=opus", &["-c:a", "libopus"]),
        ("ffmpeg.m4a", "audio/mp4", &["-c:a", "aac"]),
        ("tone.wav", "audio/wav", &[]),
    ];
    for (name, _, encoder) in encoders.iter().filter(|(_, _, encoder)| !encoder.is_empty()) {
        run("ffmpeg", &[&["-i", &of("tone.wav")], *encoder, &[&of(name)]].concat());
    }
    let files = encoders.map(|(name, kind, _)| (name, kind)).into_iter();
    for (name, content_type) in files.chain([("opusenc.ogg", "audio/ogg")]) {
        let bytes = fs::read(folder.path().join(name)).expect("a file");
        let item = notes.post(name, &Sound { content_type, bytes });
        assert_plays(&notes, &item, 3_000, folder.path());
    }
    assert_eq!(notes.all().len(), 5);
}

#[test]
fn chromium_records_sends_and_plays_a_note_from_a_page_of_another_origin() {
    let server = Server::start();
    let notes = Notes::of(&server, ROOM, "ann");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/recorder.js");
    let url = format!("http://{}", server.address());
    let output = Command::new("node")
        .arg(script)
        .args([&url, &notes.token, ROOM])
        .output()
        .expect("node: `cargo xtask setup` says how to install it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    assert!(told["recorded"].as_str().is_some_and(|kind| kind.starts_with("audio/webm")));

    let items = notes.all();
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0], told["note"]);
    assert_eq!(
        (&items[0]["codec"], &items[0]["contentType"]),
        (&"opus".into(), &"audio/webm".into())
    );
    let millis = items[0]["durationMs"].as_u64().expect("a number");
    assert!((1_500..4_000).contains(&millis), "{millis} ms of about two seconds");
    let played = told["playedSeconds"].as_f64().expect("a number");
    assert!(played > 1.0, "{played} s were played");
    let folder = tempfile::tempdir().expect("a folder");
    assert_plays(&notes, &items[0], millis, folder.path());
}

/// Has FFmpeg play what the server hands out, and say how long that lasts.
fn assert_plays(notes: &Notes, item: &Value, millis: u64, folder: &Path) {
    let id = item["id"].as_str().expect("an id");
    let content = notes.content(id).expect("an answer");
    assert_eq!(content.status, 200, "{}", content.head);
    assert_eq!(
        content.header("content-type").unwrap_or_default(),
        item["contentType"].as_str().expect("a type")
    );
    let told = item["durationMs"].as_u64().expect("a number");
    assert!(told.abs_diff(millis) <= 130, "{told} ms of {millis}: {item}");
    let (file, raw) = (folder.join(id), folder.join("raw"));
    fs::write(&file, &content.raw).expect("written");
    let (file, raw_path) = (file.display().to_string(), raw.display().to_string());
    let decode = ["-i", &file, "-f", "s16le", "-ar", "8000", "-ac", "1", &raw_path];
    run("ffmpeg", &decode);
    let heard = fs::metadata(&raw).expect("sound").len() / 16;
    assert!(heard.abs_diff(millis) <= 200, "FFmpeg hears {heard} ms of {millis}");
}

fn run(program: &str, arguments: &[&str]) {
    let quiet: &[&str] = if program == "ffmpeg" { &["-v", "error", "-y"] } else { &[] };
    let output = Command::new(program).args(quiet).args(arguments).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program}: {error}; `cargo xtask setup` installs it (ffmpeg, opus-tools)")
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
}
