//! RIFF/WAVE with samples as they are.

use std::{io::Read, time::Duration};

use super::{
    Measured, SoundError,
    envelope::{Envelope, Measure},
    source::Source,
};

/// Chunks before the sound. Each costs eight bytes at least.
const CHUNKS_MAX: usize = 1_000;
const FORMAT_BYTES_MAX: usize = 256;

/// How samples lie in the data.
struct Format {
    rate: u64,
    /// Bytes of one sample of all channels.
    frame: usize,
    sample: Sample,
}

#[derive(Clone, Copy)]
enum Sample {
    Unsigned8,
    /// Signed, little-endian, of so many bytes.
    Signed(usize),
    Float32,
}

/// Reads what follows the twelve bytes `RIFF….WAVE`.
pub(super) fn read(source: &mut Source<impl Read>) -> Result<Measured, SoundError> {
    let mut format = None;
    let mut measured = None;
    for _ in 0..CHUNKS_MAX {
        if source.left() == 0 {
            return measured.ok_or(SoundError::Broken);
        }
        let head: [u8; 8] = source.array()?;
        let [a, b, c, d, size @ ..] = head;
        let size = u64::from(u32::from_le_bytes(size));
        match [a, b, c, d] {
            [b'f', b'm', b't', b' '] if format.is_none() => {
                format = Some(read_format(&source.vec(size, FORMAT_BYTES_MAX)?)?);
            }
            [b'd', b'a', b't', b'a'] if measured.is_none() => {
                let format = format.as_ref().ok_or(SoundError::Broken)?;
                // Who wrote to a pipe could not come back to fill in the length.
                let size = if size >= u64::from(u32::MAX) - 255 { source.left() } else { size };
                measured = Some(read_samples(source, format, size)?);
                skip_padding(source, size)?;
            }
            [b'L', b'I', b'S', b'T']
            | [b'f', b'a', b'c', b't']
            | [b'J', b'U', b'N', b'K']
            | [b'b', b'e', b'x', b't']
            | [b'P', b'E', b'A', b'K']
            | [b'i', b'd', b'3', b' '] => {
                source.skip(size)?;
                skip_padding(source, size)?;
            }
            _ => return Err(SoundError::Broken),
        }
    }
    Err(SoundError::Broken)
}

/// Chunks begin at even places.
fn skip_padding(source: &mut Source<impl Read>, size: u64) -> Result<(), SoundError> {
    source.skip(u64::from(size % 2 == 1 && source.left() > 0))
}

fn read_format(bytes: &[u8]) -> Result<Format, SoundError> {
    let field = |at: usize| {
        let bytes = bytes.get(at..at + 2).and_then(|field| field.try_into().ok());
        bytes.map(u16::from_le_bytes).ok_or(SoundError::Broken)
    };
    let tag = match field(0)? {
        // Extensible: the real one follows.
        0xfffe => field(24)?,
        tag => tag,
    };
    let channels = usize::from(field(2)?);
    let rate = u64::from(field(4)?) | u64::from(field(6)?) << 16;
    let sample = match (tag, field(14)?) {
        (1, 8) => Sample::Unsigned8,
        (1, 16) => Sample::Signed(2),
        (1, 24) => Sample::Signed(3),
        (1, 32) => Sample::Signed(4),
        (3, 32) => Sample::Float32,
        _ => return Err(SoundError::Foreign),
    };
    let frame = channels * sample.bytes();
    let fits = (1..=8).contains(&channels) && (8_000..=192_000).contains(&rate);
    if !fits || usize::from(field(12)?) != frame {
        return Err(SoundError::Broken);
    }
    Ok(Format { rate, frame, sample })
}

fn read_samples(
    source: &mut Source<impl Read>,
    format: &Format,
    bytes: u64,
) -> Result<Measured, SoundError> {
    let frame = u64::try_from(format.frame).unwrap_or(u64::MAX);
    let frames = bytes / frame;
    let mut envelope = Envelope::new(Measure::Peaks);
    // A hundredth of a second at a time.
    let step = (format.rate / 100).max(1);
    let mut done = 0;
    while done < frames {
        let now = step.min(frames - done);
        let samples = source.vec(now * frame, usize::MAX)?;
        let peak = samples.chunks_exact(format.sample.bytes()).map(|one| format.sample.level(one));
        envelope.add(at(done, format.rate), peak.max().unwrap_or_default())?;
        done += now;
    }
    source.skip(bytes - frames * frame)?;
    envelope.finish(at(frames, format.rate))
}

fn at(frames: u64, rate: u64) -> Duration {
    Duration::from_micros(frames.saturating_mul(1_000_000) / rate)
}

impl Sample {
    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 => 1,
            Self::Signed(bytes) => bytes,
            Self::Float32 => 4,
        }
    }

    /// The amplitude of one sample, of `u16::MAX`.
    fn level(self, bytes: &[u8]) -> u64 {
        match (self, bytes) {
            (Self::Unsigned8, [byte]) => u64::from(byte.abs_diff(128)) << 9,
            (Self::Float32, [a, b, c, d]) => {
                let level = f32::from_le_bytes([*a, *b, *c, *d]).abs();
                // The bits of a positive float are in the order of its value.
                let (level, whole) = (level.to_bits(), 1_f32.to_bits());
                u64::from(level.min(whole).saturating_sub(whole - (16 << 23)) >> 11)
            }
            // The two highest bytes are all that can be seen.
            (Self::Signed(_), [.., low, high]) => {
                u64::from(i16::from_le_bytes([*low, *high]).unsigned_abs()) << 1
            }
            _ => 0,
        }
    }
}
