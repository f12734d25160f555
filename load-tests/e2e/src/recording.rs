//! The ear for files: what each tenth of a second of one holds. FFmpeg decodes, not our code.

use std::{
    f64::consts::TAU,
    fs::File,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::NamedTempFile;

use crate::tone::SILENT_BELOW;

const RATE: u32 = 48_000;
/// Samples of a window.
const WINDOW: usize = 4_800;
/// Share of a window's energy that must be the tone's.
const SHARE: f64 = 0.7;

/// What a tenth of a second holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Silence,
    /// One of the tones that were asked for.
    Tone(u32),
    Other,
}

/// Decodes a file and tells for each tenth of a second which of `tones` it is.
#[must_use]
pub fn hear(file: &[u8], tones: &[u32]) -> Vec<Heard> {
    let sound = decode(file);
    sound.chunks_exact(WINDOW).map(|window| judge(window, tones)).collect()
}

/// Fails unless opusinfo has nothing to say and ffprobe finds this length.
#[track_caller]
pub fn assert_sound(file: &[u8], length: Duration) {
    let mut source = NamedTempFile::new().expect("a file");
    source.write_all(file).expect("written");
    let path = source.path().to_str().expect("a path");
    let info = Command::new("opusinfo").arg(path).output();
    let info = info.expect("opusinfo is not on this machine; `cargo xtask setup` installs it");
    let said = String::from_utf8_lossy(&info.stdout).to_lowercase();
    let is_silent = info.status.success() && info.stderr.is_empty();
    assert!(is_silent && !said.contains("warning") && !said.contains("error"), "opusinfo: {said}");
    let probe = Command::new("ffprobe")
        .args(["-v", "warning", "-show_entries", "format=duration", "-of", "csv=p=0", path])
        .output()
        .expect("FFmpeg is not on this machine; `cargo xtask setup` installs it");
    let warned = String::from_utf8_lossy(&probe.stderr);
    assert!(probe.status.success() && warned.is_empty(), "ffprobe: {warned}");
    let said = String::from_utf8_lossy(&probe.stdout);
    let found: f64 = said.trim().parse().expect("seconds");
    assert!((found - length.as_secs_f64()).abs() <= 0.02, "{found} s for {length:?}");
}

fn decode(file: &[u8]) -> Vec<f32> {
    let mut source = NamedTempFile::new().expect("a file");
    source.write_all(file).expect("written");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i", "pipe:0", "-f", "f32le", "-ac", "1", "-ar"])
        .args([&RATE.to_string(), "pipe:1"])
        .stdin(Stdio::from(File::open(source.path()).expect("the same file")))
        .output()
        .expect("FFmpeg is not on this machine; `cargo xtask setup` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "FFmpeg: {said}");
    let samples = output.stdout.chunks_exact(4);
    samples.filter_map(|four| Some(f32::from_le_bytes(four.try_into().ok()?))).collect()
}

fn judge(window: &[f32], tones: &[u32]) -> Heard {
    let energy: f64 = window.iter().map(|one| f64::from(*one).powi(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a window has 4,800 samples")]
    let count = window.len() as f64;
    if (energy / count).sqrt() < SILENT_BELOW {
        return Heard::Silence;
    }
    let share = |hz: u32| {
        let coefficient = 2.0 * (TAU * f64::from(hz) / f64::from(RATE)).cos();
        let (last, before) = window.iter().fold((0.0, 0.0), |(last, before), one| {
            (f64::from(*one) + coefficient * last - before, last)
        });
        2.0 * (last * last + before * before - coefficient * last * before) / (count * energy)
    };
    let found = tones.iter().copied().find(|hz| share(*hz) > SHARE);
    found.map_or(Heard::Other, Heard::Tone)
}

/// A file of Ogg/Opus with so many seconds of a tone, by FFmpeg.
#[must_use]
pub fn write_ogg(hz: u32, seconds: u32) -> Vec<u8> {
    let source = format!("sine=frequency={hz}:duration={seconds}:sample_rate=48000");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source])
        .args(["-c:a", "libopus", "-f", "ogg", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .expect("FFmpeg is not on this machine; `cargo xtask setup` installs it");
    assert!(output.status.success(), "FFmpeg: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_by_ffmpeg_holds_its_tone_and_no_other() {
        let heard = hear(&write_ogg(600, 2), &[900, 600]);
        let tones = heard.iter().filter(|one| **one == Heard::Tone(600)).count();
        assert!((18..=20).contains(&tones), "{heard:?}");
        assert!(!heard.contains(&Heard::Tone(900)));
    }
}
