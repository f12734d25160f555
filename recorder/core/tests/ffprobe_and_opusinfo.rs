//! The files as ffprobe, ffmpeg and opusinfo find them, with real voices in them.
//!
//! Needs the packages `ffmpeg` and `opus-tools`.

#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::{f64::consts::TAU, fs, path::Path, process::Command};

use bytes::Bytes;
use opus::{Application, Channels, Encoder};
use proto::link::{LinkEncoding, LinkPacket, LinkTrackId, UnixMicros};
use recorder_core::{Track, TrackOutput};

const RATE: u32 = 48_000;
const START: u64 = 1_700_000_000_000_000;
/// What is heard in 20 ms.
const FRAME: u32 = 960;
/// Samples whose tone is judged: 100 ms.
const WINDOW: usize = 4_800;

/// Ten seconds, in 20 ms packets: the tone changes each second, by which its place is known.
fn encode(channels: Channels, application: Application, dtx: bool) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(RATE, channels, application).expect("48 kHz is Opus");
    encoder.set_dtx(dtx).expect("DTX");
    let count = if channels == Channels::Stereo { 2 } else { 1 };
    let frames = 0..500_u32;
    frames
        .map(|frame| {
            let samples = (frame * FRAME..(frame + 1) * FRAME).map(tone);
            let samples: Vec<f32> = samples.flat_map(|one| vec![one; count]).collect();
            encoder.encode_vec_float(&samples, 1_275).expect("one frame")
        })
        .collect()
}

/// 400 Hz in the first second, 100 Hz more in each.
fn hz(second: u32) -> u32 {
    400 + second * 100
}

#[expect(clippy::cast_possible_truncation, reason = "a sine in ±0.4")]
fn tone(at: u32) -> f32 {
    ((f64::from(at) * f64::from(hz(at / RATE)) * TAU / f64::from(RATE)).sin() * 0.4) as f32
}

/// Records the packets that came, each with its number, and mutes in between.
fn record(packets: &[(u32, Vec<u8>)], file: &Path) -> u64 {
    let mut track = Track::new(1, UnixMicros(START));
    let mut bytes = Vec::new();
    let mut samples = 0;
    let mut drain = |track: &mut Track| loop {
        match track.poll_output() {
            TrackOutput::Page(page) => bytes.extend_from_slice(&page),
            TrackOutput::Finished(summary) => samples = summary.expect("a file").samples,
            TrackOutput::Begun(_) | TrackOutput::Gap(_) => {}
            TrackOutput::Idle(_) => return,
        }
    };
    for (number, payload) in packets {
        track.handle_packet(LinkPacket {
            track: LinkTrackId(1),
            received: UnixMicros(START + u64::from(*number) * 20_000),
            index: u64::from(*number),
            timestamp: number.wrapping_mul(FRAME).wrapping_sub(100_000),
            encoding: LinkEncoding::Opus,
            payload: Bytes::copy_from_slice(payload),
        });
        drain(&mut track);
    }
    track.finish();
    drain(&mut track);
    fs::write(file, bytes).expect("written");
    samples
}

fn output_of(program: &str, arguments: &[&str]) -> (Vec<u8>, String) {
    let output = Command::new(program).args(arguments).output();
    let output = output.expect("apt-get install ffmpeg opus-tools brings what is missing");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{errors}");
    (output.stdout, errors)
}

/// Fails unless opusinfo and ffmpeg find nothing to say, and ffprobe the right length.
fn inspect(file: &Path, samples: u64) {
    let path = file.to_str().expect("a path");
    let (report, errors) = output_of("opusinfo", &[path]);
    let report = String::from_utf8_lossy(&report).into_owned() + &errors;
    assert!(!report.to_lowercase().contains("warning"), "{report}");
    assert!(!report.to_lowercase().contains("error"), "{report}");

    let (_, errors) = output_of("ffmpeg", &["-v", "warning", "-i", path, "-f", "null", "-"]);
    assert_eq!(errors, "", "ffmpeg warns of {path}");

    let entries = ["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path];
    let (duration, _) = output_of("ffprobe", &entries);
    let duration: f64 = String::from_utf8_lossy(&duration).trim().parse().expect("seconds");
    let truth = f64::from(u32::try_from(samples).expect("some minutes")) / f64::from(RATE);
    assert!((duration - truth).abs() <= 0.02, "{duration} s for {truth} s");
}

/// The sound as one channel.
fn decode(file: &Path) -> Vec<f32> {
    let path = file.to_str().expect("a path");
    let arguments = ["-v", "error", "-i", path, "-ac", "1", "-f", "f32le", "-"];
    let (sound, _) = output_of("ffmpeg", &arguments);
    sound.as_chunks().0.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
}

/// How much of a window's energy is that tone, and how loud the window is.
fn share(sound: &[f32], hz: u32) -> (f64, f64) {
    let count = f64::from(u32::try_from(sound.len()).expect("a window"));
    let energy: f64 = sound.iter().map(|one| f64::from(*one).powi(2)).sum();
    let step = TAU * f64::from(hz) / f64::from(RATE);
    let (re, im) = (0_u32..).zip(sound).fold((0.0, 0.0), |(re, im), (at, one)| {
        let angle = step * f64::from(at);
        (re + f64::from(*one) * angle.cos(), im + f64::from(*one) * angle.sin())
    });
    let power = (re * re + im * im) * 2.0 / count;
    (if energy > 0.0 { power / energy } else { 0.0 }, (energy / count).sqrt())
}

/// Fails unless each 100 ms holds the tone of its second, or next to nothing where `is_hole`.
/// `is_torn` where a packet is missing.
fn listen(file: &Path, is_hole: impl Fn(u32) -> bool, is_torn: impl Fn(u32) -> bool) {
    let sound = decode(file);
    for (window, samples) in (0_u32..).zip(sound.chunks_exact(WINDOW)) {
        // At a seam both tones are heard, and a decoder fades into a hole.
        let is_seam = window % 10 == 0
            || is_hole(window) != is_hole(window.saturating_sub(1))
            || is_torn(window)
            || is_torn(window.saturating_sub(1));
        let wanted = hz(window / 10);
        let (share, loudness) = share(samples, wanted);
        if is_hole(window) {
            let is_fading = is_hole(window.saturating_sub(1)) && is_hole(window.saturating_sub(2));
            assert!(!is_fading || loudness < 0.05, "{loudness} in the hole at {window}");
        } else if !is_seam {
            assert!(share > 0.8, "{share} of {wanted} Hz at {window} × 100 ms");
            assert!(loudness > 0.1, "{loudness} at {window} × 100 ms");
        }
    }
}

fn all(channels: Channels, application: Application) -> Vec<(u32, Vec<u8>)> {
    (0..).zip(encode(channels, application, false)).collect()
}

#[test]
fn players_find_every_tone_in_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, channels, application) in [
        ("voice", Channels::Mono, Application::Voip),
        ("music", Channels::Stereo, Application::Audio),
        ("quick", Channels::Mono, Application::LowDelay),
    ] {
        let file = folder.path().join(name);
        let samples = record(&all(channels, application), &file);
        assert_eq!(samples, 480_000);
        inspect(&file, samples);
        listen(&file, |_| false, |_| false);
    }
}

#[test]
fn players_keep_time_over_holes_of_every_size() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, application) in [
        ("voice", Application::Voip),
        ("music", Application::Audio),
        ("quick", Application::LowDelay),
    ] {
        // One lost packet now and then, and nothing from 3.5 to 6.2 s.
        let came = |number: u32| number % 47 != 13 && !(175..310).contains(&number);
        let packets: Vec<_> = all(Channels::Mono, application)
            .into_iter()
            .filter(|(number, _)| came(*number))
            .collect();
        let file = folder.path().join(name);
        let samples = record(&packets, &file);
        assert_eq!(samples, 480_000);
        inspect(&file, samples);
        let is_torn = |window: u32| (window * 5..window * 5 + 5).any(|number| number % 47 == 13);
        listen(&file, |window| (35..62).contains(&window), is_torn);
    }
}

#[test]
fn players_see_nothing_wrong_in_a_file_whose_writer_died() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cut");
    record(&all(Channels::Mono, Application::Voip), &file);
    let bytes = fs::read(&file).expect("read");
    let last = recorder_core::ogg::last_page(&bytes[..bytes.len() / 2]).expect("a page");
    let mut bytes = bytes[..last.end].to_vec();
    let left = recorder_core::Resumed {
        began: UnixMicros(START),
        last,
        gaps: recorder_core::Gaps::default(),
    };
    let reason = recorder_core::GapReason::Recorder;
    let mut track = Track::resume(left, reason, UnixMicros(START));
    track.finish();
    while let TrackOutput::Page(page) = track.poll_output() {
        bytes.extend_from_slice(&page);
    }
    fs::write(&file, bytes).expect("written");
    inspect(&file, last.granule);
    listen(&file, |_| false, |_| false);
}

#[test]
fn players_see_nothing_wrong_in_a_file_of_two_recorders() {
    for (name, channels, application) in [
        ("voice", Channels::Mono, Application::Voip),
        ("music", Channels::Stereo, Application::Audio),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let packets = all(channels, application);
        let mut pieces = Vec::new();
        // The later comes first, as the higher epoch does; 3.5 to 6.2 s are nobody's.
        for (number, range) in [(2, 310..500), (1, 0..175)] {
            let piece = folder.path().join(number.to_string());
            let began = UnixMicros(START + range.start as u64 * 20_000);
            let samples = record(&packets[range], &piece);
            let bytes = fs::read(&piece).expect("read");
            let mut reader = ogg::PacketReader::new(std::io::Cursor::new(bytes));
            let mut read = Vec::new();
            while let Some(packet) = reader.read_packet().expect("whole pages") {
                read.push(Ok::<Bytes, std::io::Error>(packet.data.into()));
            }
            let packets = read.into_iter().skip(2);
            pieces.push(recorder_core::whole::Piece { began, samples, gaps: Vec::new(), packets });
        }
        let mut bytes = Vec::new();
        let channels = match channels {
            Channels::Mono => recorder_core::ogg::Channels::Mono,
            Channels::Stereo => recorder_core::ogg::Channels::Stereo,
        };
        let summary = recorder_core::whole::join(pieces, (7, channels), |page| {
            bytes.extend_from_slice(&page);
            Ok(())
        });
        let summary = summary.expect("nothing fails");
        assert_eq!(summary.samples, 480_000);
        let file = folder.path().join(name);
        fs::write(&file, bytes).expect("written");
        inspect(&file, summary.samples);
        listen(&file, |window| (35..62).contains(&window), |_| false);
    }
}
