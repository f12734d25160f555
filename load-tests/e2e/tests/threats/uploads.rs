//! S1: whatever is uploaded as a voice note, only sound becomes one, and looking costs little.

use std::time::Duration;

use e2e::{
    http,
    notes::{Notes, Sound, Upload},
    now,
};
use serde_json::{Value, json};

use crate::{
    process::resident_bytes,
    scene::{ROOM, Scene},
};

/// What looking at all of it may cost.
const MEMORY_MAX: usize = 64 * 1024 * 1024;
/// For one upload to be judged. The promise is one second on a machine with nothing else to do.
const JUDGED_WITHIN: Duration = Duration::from_secs(5);
const LARGEST: usize = 25_000_000;

/// One Ogg page with a true checksum.
fn page(
    flags: u8,
    granule: u64,
    serial: u32,
    sequence: u32,
    lacing: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let mut page = [b"OggS\0", &[flags][..], &granule.to_le_bytes()].concat();
    page.extend([serial.to_le_bytes(), sequence.to_le_bytes(), [0; 4]].concat());
    page.push(u8::try_from(lacing.len()).expect("segments"));
    page.extend([lacing, body].concat());
    let mut sum = 0_u32;
    for byte in &page {
        sum ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            sum = if sum >> 31 == 1 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
        }
    }
    page[22..26].copy_from_slice(&sum.to_le_bytes());
    page
}

fn head(serial: u32) -> Vec<u8> {
    let head = page(2, 0, serial, 0, &[19], b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0");
    [head, page(0, 0, serial, 1, &[16], b"OpusTags\0\0\0\0\0\0\0\0")].concat()
}

/// 20 ms of sound that end at `granule`.
fn ogg(granule: u64) -> Vec<u8> {
    [head(7), page(4, granule, 7, 2, &[4], &[19 << 3, 1, 2, 3])].concat()
}

fn repeated(piece: &[u8]) -> Vec<u8> {
    piece.repeat(LARGEST / piece.len())
}

/// Each box holds the next, 200,000 deep.
fn nested_mp4() -> Vec<u8> {
    let kinds = [&b"moov"[..], b"trak"].into_iter().chain(std::iter::repeat(&b"mdia"[..]));
    let sizes = (1..=200_000_u32).rev().map(|level| (level * 8).to_be_bytes());
    let boxes = sizes.zip(kinds).flat_map(|(size, kind)| [&size[..], kind].concat());
    b"\0\0\0\x10ftypisom\0\0\0\0".iter().copied().chain(boxes).collect()
}

fn zoo() -> Vec<(&'static str, Vec<u8>)> {
    let [avi, zip] =
        [&b"RIFF\xff\0\0\0AVI LIST\x10\0\0\0GAB2\0\0"[..], b"PK\x03\x04\x14\0\0\0\x08\0"];
    let full = page(1, u64::MAX, 7, 2, &[255; 255], &[7; 255 * 255]);
    let first_full = page(0, u64::MAX, 7, 2, &[255; 255], &[7; 255 * 255]);
    let empty = page(0, 0, 7, 2, &[], &[]);
    vec![
        ("a page", b"<!doctype html><script>fetch('//evil.example')</script>".to_vec()),
        ("a picture", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec()),
        ("a program", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0".to_vec()),
        ("another program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec()),
        ("an archive", zip.to_vec()),
        ("a playlist", b"#EXTM3U\n#EXTINF:1,\nhttp://169.254.169.254/\n#EXT-X-ENDLIST\n".to_vec()),
        ("subtitles in a film", avi.to_vec()),
        ("a protocol", b"concat:file:///etc/passwd|file:///etc/shadow".to_vec()),
        ("a byte", vec![b'O']),
        ("zeros", vec![0; LARGEST]),
        ("an Ogg and an archive", [ogg(960), zip.to_vec()].concat()),
        ("an Ogg and a page", [ogg(960), b"<script>alert(1)</script>".to_vec()].concat()),
        ("an Ogg of 2^62 samples", ogg(1 << 62)),
        ("an Ogg of two streams", [ogg(960), ogg(960)].concat()),
        ("an Ogg of many streams", repeated(&ogg(960))),
        ("an Ogg of many heads", repeated(&head(7))),
        ("an Ogg without an end", [head(7), first_full, repeated(&full)].concat()),
        ("an Ogg of empty pages", [head(7), repeated(&empty)].concat()),
        ("a WebM of voids", [&b"\x1a\x45\xdf\xa3\x80"[..], &repeated(b"\xec\x80")].concat()),
        ("a WebM of many heads", repeated(b"\x1a\x45\xdf\xa3\x80")),
        (
            "an MP4 of boxes",
            [&b"\0\0\0\x10ftypisom\0\0\0\0"[..], &repeated(b"\0\0\0\x08free")].concat(),
        ),
        ("an MP4 of 2^60", b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x01mdat\x10\0\0\0\0\0\0\0".to_vec()),
        ("an MP4 of boxes in boxes", nested_mp4()),
        (
            "a WAV of nothing",
            b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0data".to_vec(),
        ),
    ]
}

#[test]
fn s1_only_sound_becomes_a_note() {
    let scene = Scene::start();
    let notes = Notes::of(&scene.server, ROOM, "eve");
    let before = resident_bytes(&scene.server);
    for (name, mut bytes) in zoo() {
        bytes.truncate(LARGEST);
        let sound = Sound { content_type: "audio/ogg", bytes };
        let announced = notes.announce(&name.replace(' ', "-"), &sound).expect("an answer");
        assert_eq!(announced.status, 201, "{name}: {}", announced.body);
        let announced = announced.json();
        assert_eq!(notes.upload(&announced, &sound).expect("an answer").status, 201, "{name}");
        let id = announced["id"].as_str().expect("an id");
        let begun = now();
        let judged = notes.complete(id, &sound).expect("an answer");
        assert!(begun.elapsed() <= JUDGED_WITHIN, "{name}: {:?}", begun.elapsed());
        assert!([413, 415].contains(&judged.status), "{name}: {} {}", judged.status, judged.body);
        assert_eq!(notes.content(id).expect("an answer").status, 404, "{name}");
    }
    let grown = resident_bytes(&scene.server).saturating_sub(before);
    assert!(grown <= MEMORY_MAX, "{grown} bytes more");
    assert_eq!(notes.all(), [Value::Null; 0]);
    // The control: the same way leads somewhere for sound.
    let honest = Sound { content_type: "audio/ogg", bytes: ogg(960) };
    assert_eq!(notes.post("honest", &honest)["durationMs"], 20);
    scene.assert_unharmed();
}

#[test]
fn s1_more_than_was_announced_is_never_stored() {
    let scene = Scene::start();
    let notes = Notes::of(&scene.server, ROOM, "eve");
    let announce = |bytes: &Value| {
        let body = json!({
            "room": ROOM, "contentType": "audio/ogg", "bytes": bytes, "sha256": "0".repeat(64),
        });
        let key = [("Idempotency-Key", "large")];
        notes.ask_with("POST", "/v1/voice-notes", &key, &body).expect("an answer").status
    };
    assert_eq!(announce(&json!(10_000_000_000_u64)), 413);
    assert_eq!(announce(&json!(LARGEST + 1)), 413);
    assert_eq!(announce(&json!(0)), 422);
    assert_eq!(announce(&json!(-1)), 400);
    assert_eq!(announce(&json!(1e300)), 400);

    let sound = Sound { content_type: "audio/ogg", bytes: ogg(960) };
    let announced = notes.announce("chunked", &sound).expect("an answer").json();
    let upload = Upload::of(&announced);
    let server = scene.server.address();
    let start = format!(
        "PUT {} HTTP/1.1\r\nHost: {server}\r\nContent-Type: audio/ogg\r\nConnection: close\r\n",
        upload.target
    );
    let chunks = [b"10000\r\n".to_vec(), vec![0; 0x10000], b"\r\n".to_vec()].concat().repeat(64);
    let chunked = [format!("{start}Transfer-Encoding: chunked\r\n\r\n").into_bytes(), chunks];
    let answer = http::exchange(server, &chunked.concat()).expect("an answer");
    assert_eq!(answer.status, 411, "{}", answer.body);
    // 10 MB of zeros in 10 kB: nothing here unpacks them.
    let bomb = {
        use std::io::Write as _;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 10_000_000]).expect("packed");
        gzip.finish().expect("packed")
    };
    let mut gzipped = upload.clone();
    gzipped.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
    assert_eq!(gzipped.send(server, &bomb).expect("an answer").status, 400);
    let bearer = format!("Bearer {}", notes.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Idempotency-Key", "bomb"),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    let answer = http::request_bytes(server, "POST", "/v1/voice-notes", &headers, &bomb);
    assert_eq!(answer.expect("an answer").status, 400);

    let id = announced["id"].as_str().expect("an id");
    assert_eq!(notes.complete(id, &sound).expect("an answer").status, 409, "nothing was stored");
    scene.assert_unharmed();
}
