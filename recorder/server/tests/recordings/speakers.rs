//! What comes of a recording: files that players take, rows that tell where they are.

use std::{f64::consts::TAU, process::Command};

use opus::{Application, Channels, Encoder};
use proto::link::{LinkClosed, LinkFrame, LinkTrackId};
use storage_database::{Gap, RecordingStatus};
use storage_objects::Sha256;

use crate::world::{FRAME, World, at_ms, murmur, sid};

const RATE: u32 = 48_000;

#[expect(clippy::cast_possible_truncation, reason = "a sine in ±0.4")]
fn sample(hz: u32, at: u32) -> f32 {
    ((f64::from(at) * f64::from(hz) * TAU / f64::from(RATE)).sin() * 0.4) as f32
}

/// A tone in packets with these numbers.
fn tone(hz: u32, numbers: std::ops::Range<u32>) -> Vec<(u32, Vec<u8>)> {
    let mut encoder = Encoder::new(RATE, Channels::Mono, Application::Voip).expect("Opus");
    numbers
        .map(|number| {
            let samples = number * FRAME..(number + 1) * FRAME;
            let samples: Vec<f32> = samples.map(|at| sample(hz, at)).collect();
            (number, encoder.encode_vec_float(&samples, 1_275).expect("one frame"))
        })
        .collect()
}

fn output_of(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("apt-get install ffmpeg opus-tools brings what is missing");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}{errors}");
    assert!(!said.contains("WARNING") && errors.is_empty(), "{program}: {said}{errors}");
    output.stdout
}

/// The share of a second's energy that is that tone.
fn share(sound: &[f32], hz: u32) -> f64 {
    let energy: f64 = sound.iter().map(|one| f64::from(*one).powi(2)).sum();
    let (re, im) = (0_u32..).zip(sound).fold((0.0, 0.0), |(re, im), (at, one)| {
        let angle = TAU * f64::from(hz) * f64::from(at) / f64::from(RATE);
        (re + f64::from(*one) * angle.cos(), im + f64::from(*one) * angle.sin())
    });
    let count = f64::from(u32::try_from(sound.len()).expect("seconds"));
    if energy < count * 0.000_1 { 0.0 } else { (re * re + im * im) * 2.0 / count / energy }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_speakers_have_a_file_each_with_their_own_tone_in_its_place() {
    let mut world = World::new().await;
    let life = world.start(1);
    let id = world.ask("ten").await;
    let room = world.hears().await;
    // Speaker n begins n × 200 ms after the room, speaks 4 s, is muted 1 s and speaks 2 s.
    let starts = |speaker: u32| speaker * 10;
    let mut packets = Vec::new();
    for speaker in 1..=10 {
        room.publishes(speaker).await;
        let (from, hz) = (starts(speaker), 300 + speaker * 100);
        let said = tone(hz, from..from + 350);
        let kept = said.into_iter().filter(|(number, _)| !(200..250).contains(&(number - from)));
        packets.extend(kept.map(|(number, payload)| (number, speaker, payload)));
    }
    packets.sort_unstable();
    let mut indexes = std::collections::BTreeMap::new();
    for (number, speaker, payload) in packets {
        let is_muted = number - starts(speaker) == 199;
        // The sender counts only what it sends.
        let index = indexes.entry(speaker).and_modify(|index| *index += 1).or_insert(0);
        room.speaks_as(speaker, *index, number, &payload).await;
        if is_muted {
            let track = LinkTrackId(speaker);
            let ms = u64::from(number) * 20;
            for (muted, at) in [(true, at_ms(ms + 20)), (false, at_ms(ms + 1_020))] {
                room.say(LinkFrame::TrackMuted { track, muted, at }).await;
            }
        }
    }
    world.spools(10 * 7 * 3_000).await;
    world.stop(id).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;

    assert_eq!(recording.tracks.len(), 10);
    assert_eq!(recording.started_at, Some(at_ms(0)));
    for speaker in 1..=10 {
        let track = recording.tracks.iter().find(|track| track.sid == sid(speaker));
        let track = track.expect("a track");
        assert_eq!(track.identity.as_str(), format!("speaker-{speaker}"));
        let (start, length) = (recording.start_ms(track.file.began), track.file.duration_ms);
        assert_eq!((start, length), (u64::from(speaker) * 200, 7_000));
        let muted = Gap { start_ms: 4_000, duration_ms: 1_000, reason: "mute".to_owned() };
        assert_eq!(track.file.gaps, [muted]);

        let bytes = world.object(&track.file.object).await;
        assert_eq!(track.file.bytes, bytes.len() as u64);
        assert_eq!(track.file.sha256, Sha256::of(&bytes).to_bytes());
        let file = world.folder.path().join(format!("{speaker}.ogg"));
        std::fs::write(&file, bytes).expect("written");
        let path = file.to_str().expect("a path");
        output_of("opusinfo", &[path]);
        let show = ["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path];
        let duration = String::from_utf8(output_of("ffprobe", &show)).expect("text");
        let duration: f64 = duration.trim().parse().expect("seconds");
        assert!((duration - 7.0).abs() <= 0.02, "{duration} s");

        let pcm = output_of("ffmpeg", &["-v", "warning", "-i", path, "-f", "f32le", "-"]);
        let sound: Vec<f32> =
            pcm.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect();
        for other in 1..=10 {
            let heard = |tenths: std::ops::Range<usize>| {
                share(&sound[tenths.start * 4_800..tenths.end * 4_800], 300 + other * 100)
            };
            let shares = [heard(1..39), heard(52..69)];
            let is_right = shares.iter().all(|share| (*share > 0.9) == (other == speaker));
            assert!(is_right, "{shares:?} of {other} in {speaker}");
            assert!(heard(42..49) < 0.9, "{other} is heard in {speaker}'s silence");
        }
    }
    assert_eq!(life.metric("adda_recorder_packets_total{outcome=\"written\"}"), 3_000.0);
    assert_eq!(life.metric("adda_recorder_gap_seconds_total{reason=\"mute\"}"), 10.0);
    assert_eq!(life.metric("adda_recorder_uploads_total{outcome=\"stored\"}"), 10.0);
    world.until("an empty spool", async || (world.spooled() == 0).then_some(())).await;
    assert_eq!(life.metric("adda_recorder_spool_bytes"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_ends_is_stored_while_the_recording_goes_on() {
    let mut world = World::new().await;
    let _life = world.start(1);
    let id = world.ask("early").await;
    let room = world.hears().await;
    room.publishes(1).await;
    room.publishes(2).await;
    room.speaks(1, murmur(0..100)).await;
    room.speaks(2, murmur(0..100)).await;
    room.say(LinkFrame::TrackEnded { track: LinkTrackId(1), at: at_ms(2_000) }).await;
    let recording = world
        .until("the first track", async || {
            let recording = world.recording(id).await;
            (!recording.tracks.is_empty()).then_some(recording)
        })
        .await;
    assert_eq!(recording.status, RecordingStatus::Recording);
    assert_eq!(recording.tracks[0].sid, sid(1));

    room.say(LinkFrame::Closed(LinkClosed::RoomEnded)).await;
    let recording = world.reaches(id, RecordingStatus::Available).await;
    assert_eq!(recording.tracks.len(), 2, "the end of the room is the end of the recording");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorder_says_that_it_lives() {
    let world = World::new().await;
    let life = world.start(1);
    world
        .until("a heartbeat", async || {
            let nodes = world.registry.nodes().await.expect("a registry");
            nodes.into_iter().find(|node| node.owner.node.as_str() == "recorder-1")
        })
        .await;
    life.stop().await;
    assert_eq!(world.registry.nodes().await.expect("a registry"), []);
}
