//! Tones as Opus, for clients that don't do it themselves, and the ear that tells them apart.

use std::{f64::consts::TAU, io::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use opus::{Application, Channels, Decoder, Encoder};
use serde_json::Value;
use tempfile::NamedTempFile;

const RATE: u32 = 48_000;
/// Samples of one 20 ms packet.
const FRAME: usize = 960;
/// Packets of one clip: a second, in which every whole frequency comes full circle.
const CLIP: usize = 50;
/// Root mean square below which nothing was said.
pub(crate) const SILENT_BELOW: f64 = 0.003;

/// Whether what was heard is that tone. Tones of a test lie at least 100 Hz apart.
#[must_use]
pub fn is_close(heard: f64, hz: u32) -> bool {
    (heard - f64::from(hz)).abs() <= 20.0
}

/// Returns a second of the tone, one base64 text for each packet.
pub(crate) fn encode(hz: u32) -> Vec<String> {
    packets(hz).into_iter().map(|packet| BASE64_STANDARD.encode(packet)).collect()
}

/// Returns a second of the tone as packets of 20 ms, which may be repeated without a seam.
#[must_use]
pub fn packets(hz: u32) -> Vec<Vec<u8>> {
    let mut encoder =
        Encoder::new(RATE, Channels::Mono, Application::Voip).expect("48 kHz mono is Opus");
    let mut packets = Vec::new();
    // The first round lets the encoder settle; the second is the clip.
    for start in (0..2 * CLIP).map(|packet| packet * FRAME) {
        let samples: Vec<f32> = (start..start + FRAME).map(|at| sample(hz, at)).collect();
        packets.push(encoder.encode_vec_float(&samples, 400).expect("one frame"));
    }
    packets.split_off(CLIP)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a sine in ±0.4")]
fn sample(hz: u32, at: usize) -> f32 {
    ((at as f64 * f64::from(hz) * TAU / f64::from(RATE)).sin() * 0.4) as f32
}

/// Writes two seconds of the tone as a WAV file, which Chromium's fake microphone repeats.
pub(crate) fn write_wav(hz: u32) -> NamedTempFile {
    let samples: Vec<u8> = (0..2 * CLIP * FRAME)
        .flat_map(|at| {
            #[expect(clippy::cast_possible_truncation, reason = "within ±0.4 of full scale")]
            let value = (sample(hz, at) * f32::from(i16::MAX)) as i16;
            value.to_le_bytes()
        })
        .collect();
    let length = u32::try_from(samples.len()).expect("two seconds");
    let mut bytes = Vec::from(*b"RIFF");
    bytes.extend((length + 36).to_le_bytes());
    bytes.extend(*b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((RATE * 2).to_le_bytes());
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(*b"data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(samples);
    let mut file = NamedTempFile::with_suffix(".wav").expect("a file");
    file.write_all(&bytes).expect("written");
    file
}

/// Decodes packets in base64 and returns the loudest frequency, 0 for silence.
pub(crate) fn decode(packets: &Value) -> f64 {
    let mut decoder = Decoder::new(RATE, Channels::Mono).expect("48 kHz mono is Opus");
    let mut sound: Vec<f32> = Vec::new();
    let mut frame = vec![0.0; 6 * FRAME];
    for packet in packets.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let bytes = BASE64_STANDARD.decode(packet).expect("base64");
        let samples = decoder.decode_float(&bytes, &mut frame, false).expect("Opus");
        sound.extend(frame.iter().take(samples));
    }
    // The decoder, too, needs a moment; and one packet is too short to judge.
    let settled = sound.get(5 * FRAME..).unwrap_or_default();
    if settled.len() < 5 * FRAME { 0.0 } else { loudest(settled) }
}

/// The loudest frequency, 0 for silence: Goertzel's filter at each 10 Hz of the voice band.
#[must_use]
pub fn loudest(sound: &[f32]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a second has 48,000 samples")]
    let count = sound.len() as f64;
    let energy: f64 = sound.iter().map(|one| f64::from(*one).powi(2)).sum();
    if (energy / count).sqrt() < SILENT_BELOW {
        return 0.0;
    }
    let power = |hz: f64| {
        let coefficient = 2.0 * (TAU * hz / f64::from(RATE)).cos();
        let (last, before) = sound.iter().fold((0.0, 0.0), |(last, before), one| {
            (f64::from(*one) + coefficient * last - before, last)
        });
        last * last + before * before - coefficient * last * before
    };
    let candidates = (10..300).map(|step| f64::from(step) * 10.0);
    candidates.max_by(|a, b| power(*a).total_cmp(&power(*b))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tone_is_heard_as_itself_and_no_other() {
        for hz in [400, 700, 1500] {
            let heard = decode(&json!(encode(hz)));
            assert!(is_close(heard, hz) && !is_close(heard, hz + 100), "{hz} Hz heard as {heard}");
        }
    }

    #[test]
    fn nothing_and_silence_are_no_tone() {
        assert_eq!(decode(&json!([])), 0.0);
        assert_eq!(decode(&json!(encode(0))), 0.0);
    }
}
