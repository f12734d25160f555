//! What people said, as players find it in the files that the HTTP API leads to.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail the test"
)]

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use e2e::{
    PATIENCE, http, now,
    peer::{Manner, Peer},
    server::Server,
    tone, wait,
};
use proto::livekit::{MuteTrackRequest, signal_request, signal_response};
use serde_json::{Value, json};

const FRAME: Duration = Duration::from_millis(20);
/// Packets of each speaker's time: six seconds.
const PACKETS: u32 = 300;
/// When each is muted, and the one packet that the network loses.
const MUTED: std::ops::Range<u32> = 150..200;
const LOST: u32 = 100;

/// Asks the API as somebody who may record the room.
fn api(server: &Server, room: &str, method: &str, target: &str) -> http::Response {
    let token = server.token(room, "operator").grant("roomRecord", json!(true)).sign();
    let bearer = format!("Bearer {token}");
    http::request(server.address(), method, target, &[("Authorization", &bearer)], "")
        .expect("the server answers")
}

fn start_recording(server: &Server, room: &str) -> String {
    let deadline = now() + PATIENCE;
    let created = loop {
        let created = api(server, room, "POST", &format!("/v1/rooms/{room}/recordings"));
        // A process that has only just started may not have told itself that it records.
        if created.status != 503 || now() > deadline {
            break created;
        }
        wait(Duration::from_millis(50));
    };
    assert_eq!(created.status, 201, "{}", created.body);
    let id = created.json()["id"].as_str().expect("an id").to_owned();
    until(server, room, &id, "its start", |recording| recording["startedAt"].is_string());
    id
}

fn until(
    server: &Server,
    room: &str,
    id: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let deadline = now() + PATIENCE;
    loop {
        let recording = api(server, room, "GET", &format!("/v1/recordings/{id}")).json();
        if is_so(&recording) {
            return recording;
        }
        assert!(now() < deadline, "waited for {what} of {recording}");
        wait(Duration::from_millis(50));
    }
}

fn stop_recording(server: &Server, room: &str, id: &str) -> Value {
    let stopped = api(server, room, "POST", &format!("/v1/recordings/{id}/stop"));
    assert!((200..300).contains(&stopped.status), "{}", stopped.body);
    until(server, room, id, "its files", |recording| recording["status"] == "available")
}

/// Speaks `PACKETS` of its tone in real time, with a mute and a loss; returns its track.
fn speak(peer: &mut Peer, hz: u32) -> String {
    let sid = peer.signals.iter().find_map(|signal| match &signal.message {
        Some(signal_response::Message::TrackPublished(published)) => {
            published.track.as_ref().map(|track| track.sid.clone())
        }
        Some(_) | None => None,
    });
    let sid = sid.expect("a track");
    let clip = tone::packets(hz);
    let start = now();
    for (number, payload) in (0..PACKETS).zip(clip.iter().cycle()) {
        let due = start + FRAME * number;
        peer.listen(due.saturating_duration_since(now()));
        if number == MUTED.start || number == MUTED.end {
            let muted = number == MUTED.start;
            let mute = MuteTrackRequest { sid: sid.clone(), muted };
            peer.send(signal_request::Message::Mute(mute));
        }
        if number == LOST {
            let _lost = peer.seal(payload);
        } else if MUTED.contains(&number) {
            peer.keep_silent(960);
        } else {
            peer.say(payload);
        }
    }
    // What was said last is on the disk within this.
    peer.listen(Duration::from_millis(500));
    sid
}

/// The sum of the lines of `/metrics` that begin with `adda_` and this; `None` without one.
fn counted(server: &Server, begin: &str) -> Option<f64> {
    let page = http::request(server.address(), "GET", "/metrics", &[], "").expect("it answers");
    let begin = format!("adda_{begin}");
    let lines = page.body.lines().filter_map(|line| line.strip_prefix(&begin));
    let values = lines.filter(|rest| rest.starts_with([' ', ',', '}']));
    let values = values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
    values.reduce(|sum, value| sum + value)
}

#[track_caller]
fn expect_count(server: &Server, begin: &str, is_so: impl Fn(f64) -> bool) {
    let deadline = now() + PATIENCE;
    loop {
        let found = counted(server, begin);
        if found.is_some_and(&is_so) {
            return;
        }
        assert!(now() < deadline, "adda_{begin} is {found:?}");
        wait(Duration::from_millis(100));
    }
}

fn output_of(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("apt-get install ffmpeg opus-tools brings what is missing");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{errors}");
    assert!(!said.contains("WARNING") && errors.is_empty(), "{program}: {said}{errors}");
    output.stdout
}

/// Fetches a track's file by way of the API's redirect.
fn download(server: &Server, room: &str, id: &str, sid: &str, to: &Path) {
    let content = format!("/v1/recordings/{id}/tracks/{sid}/content");
    let redirect = api(server, room, "GET", &content);
    assert_eq!(redirect.status, 302, "{}", redirect.body);
    let target = redirect.header("location").expect("a place").to_owned();
    let file = http::request(server.address(), "GET", &target, &[], "").expect("a server");
    assert_eq!(file.status, 200, "{target}: {}", file.head);
    fs::write(to, file.raw).expect("written");
}

/// Decodes a file after opusinfo and ffprobe have found nothing to say but its length.
fn decode(file: &Path, seconds: f64) -> Vec<f32> {
    let path = file.to_str().expect("a path");
    output_of("opusinfo", &[path]);
    let show = ["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path];
    let duration = String::from_utf8(output_of("ffprobe", &show)).expect("text");
    let duration: f64 = duration.trim().parse().expect("seconds");
    assert!((duration - seconds).abs() <= 0.02, "{duration} s for {seconds} s");
    let pcm = output_of("ffmpeg", &["-v", "warning", "-i", path, "-ac", "1", "-f", "f32le", "-"]);
    pcm.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
}

/// Fails unless each fifth of a second holds the tone, or doesn't where it was muted. Those at
/// whose edges something changes may hold anything.
fn listen(sound: &[f32], hz: u32) {
    for (fifth, samples) in sound.chunks_exact(9_600).enumerate().skip(1) {
        let heard = tone::loudest(samples);
        match fifth {
            9 | 10 | 14 | 15 | 20 => {}
            16..20 => assert!(!tone::is_close(heard, hz), "{hz} Hz at {fifth}, where it is muted"),
            _ => assert!(tone::is_close(heard, hz), "{heard} Hz for {hz} at {fifth}"),
        }
    }
}

#[test]
fn ten_speakers_are_recorded_each_with_their_own_tone_at_its_time() {
    let server = Server::start();
    let room = "recorded";
    let hz = |speaker: u32| 400 + speaker * 200;
    // Everybody has joined, and is to speak; has spoken, and may go.
    let (joined, over) = (Arc::new(Barrier::new(11)), Arc::new(AtomicBool::new(false)));
    let speaking = (0..10).map(|speaker| {
        let (joined, over) = (Arc::clone(&joined), Arc::clone(&over));
        let identity = format!("speaker-{speaker}");
        let (address, token) = (server.address(), server.token(room, &identity).sign());
        let (sender, sid) = channel();
        let thread = thread::spawn(move || {
            let manner = Manner::with_ssrc(10_000 + speaker);
            let mut peer = Peer::join_with(address, &token, &identity, manner);
            joined.wait();
            joined.wait();
            // Each begins 100 ms after the one before.
            peer.listen(Duration::from_millis(100) * speaker);
            sender.send(speak(&mut peer, hz(speaker))).expect("somebody who asks");
            while !over.load(Ordering::Relaxed) {
                peer.listen(FRAME);
            }
        });
        (thread, sid)
    });
    let speaking: Vec<_> = speaking.collect();
    joined.wait();
    let id = start_recording(&server, room);
    joined.wait();
    let sids: Vec<String> = speaking.iter().map(|(_, sid)| sid.recv().expect("it spoke")).collect();
    let recording = stop_recording(&server, room, &id);
    over.store(true, Ordering::Relaxed);
    speaking.into_iter().for_each(|(thread, _)| thread.join().expect("it ended"));

    let tracks = recording["tracks"].as_array().expect("tracks");
    assert_eq!(tracks.len(), 10, "{recording}");
    let folder = tempfile::tempdir().expect("a folder");
    let mut starts = Vec::new();
    for (speaker, sid) in (0..).zip(&sids) {
        let track = tracks.iter().find(|track| track["trackSid"] == json!(sid));
        let track = track.unwrap_or_else(|| panic!("{sid} in {recording}"));
        assert_eq!(track["identity"], json!(format!("speaker-{speaker}")));
        let span = u64::from(PACKETS) * 20;
        assert_eq!(track["durationMs"], json!(span), "{track}");
        let gaps = track["gaps"].as_array().expect("gaps");
        let [lost, muted] = gaps.as_slice() else { panic!("two gaps: {track}") };
        let start = u64::from(LOST) * 20;
        assert_eq!(*lost, json!({ "startMs": start, "durationMs": 20, "reason": "loss" }));
        // A packet on either edge may have come while the track counted as muted.
        let (start, ms) = (u64::from(MUTED.start) * 20, muted["durationMs"].as_u64());
        assert_eq!(muted["reason"], "mute", "{track}");
        assert!(muted["startMs"].as_u64().is_some_and(|at| at.abs_diff(start) <= 40), "{track}");
        assert!(ms.is_some_and(|ms| (1_000..=1_080).contains(&ms)), "{track}");
        starts.push(track["startMs"].as_u64().expect("a start"));

        let file = folder.path().join(format!("{speaker}.ogg"));
        download(&server, room, &id, sid, &file);
        assert_eq!(track["bytes"], json!(fs::metadata(&file).expect("a file").len()));
        let sound = decode(&file, Duration::from_millis(span).as_secs_f64());
        listen(&sound, hz(speaker));
    }
    for (speaker, start) in (0..).zip(&starts) {
        let expected = starts[0] + 100 * speaker;
        assert!(start.abs_diff(expected) <= 100, "{speaker} started at {start}, not {expected} ms");
    }
}

#[test]
fn a_killed_process_loses_no_second_of_what_was_said() {
    let mut server = Server::start();
    let room = "killed";
    let mut peer = Peer::join(&server, room, "speaker", Manner::with_ssrc(7));
    let id = start_recording(&server, room);
    let sid = speak(&mut peer, 700);
    server.crash_and_restart();
    let recording = stop_recording(&server, room, &id);
    let track = &recording["tracks"][0];
    assert_eq!(track["trackSid"], json!(sid), "{recording}");
    let kept = track["durationMs"].as_u64().expect("a length");
    // It went on for half a second after its last packet: all of it was on the disk.
    assert!((5_800..=6_003).contains(&kept), "{kept} of 6000 ms");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("killed.ogg");
    download(&server, room, &id, &sid, &file);
    let sound = decode(&file, Duration::from_millis(kept).as_secs_f64());
    assert!(tone::is_close(tone::loudest(&sound[24_000..48_000]), 700));
}

#[test]
fn a_recording_shows_in_what_is_counted_of_links_recorder_spool_and_store() {
    let server = Server::start();
    let room = "counted";
    let mut peer = Peer::join(&server, room, "speaker", Manner::with_ssrc(8));
    let idle = ["links", "recordings", "recorder_spool_bytes"];
    for name in idle {
        expect_count(&server, name, |count| count == 0.0);
    }
    let id = start_recording(&server, room);
    speak(&mut peer, 500);
    expect_count(&server, "links", |count| count == 1.0);
    expect_count(&server, "recordings", |count| count == 1.0);
    let spoken = f64::from(PACKETS) - 100.0;
    expect_count(&server, "link_packets_total", |count| count >= spoken);
    expect_count(&server, "recorder_packets_total{outcome=\"written\"", |count| count >= spoken);
    // A quarter of what Opus makes of so much.
    expect_count(&server, "recorder_spool_bytes", |count| count >= 10.0 * spoken);
    expect_count(&server, "recorder_gap_seconds_total{reason=\"mute\"", |count| count >= 1.0);
    stop_recording(&server, room, &id);
    for name in idle {
        expect_count(&server, name, |count| count == 0.0);
    }
    expect_count(&server, "recorder_uploads_total{outcome=\"stored\"", |count| count == 1.0);
    expect_count(&server, "recorder_upload_age_seconds_count", |count| count == 1.0);
    let put = "objects_requests_total{operation=\"put\",outcome=\"ok\"";
    expect_count(&server, put, |count| count >= 1.0);
    let took = "objects_request_duration_seconds_count{operation=\"put\"";
    expect_count(&server, took, |count| count >= 1.0);
    expect_count(&server, "database_up", |count| count == 1.0);
}
