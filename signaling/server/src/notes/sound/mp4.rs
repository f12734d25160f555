//! MP4 with one AAC track inside (ISO/IEC 14496-12), whole or in fragments.

use std::{io::Read, time::Duration};

use super::{
    Measured, SoundError,
    envelope::{Envelope, Measure},
    source::Source,
};

/// Boxes at the top of a file. A recorder that writes a fragment a frame has 42,000.
const BOXES_MAX: usize = 200_000;
/// The largest index: fifteen minutes of AAC have one of 200 kB.
const INDEX_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Samples in one file: AAC at 96 kHz has 84,000 in fifteen minutes.
const SAMPLES_MAX: u64 = 200_000;

/// Boxes inside one another: `trak`, `mdia`, `minf`, `stbl`.
const LEVELS_MAX: u32 = 4;

#[derive(Default)]
struct Track {
    tracks: u32,
    is_sound: bool,
    is_aac: bool,
    scale: u64,
    duration: u64,
    default: Sample,
    /// Runs of samples of one duration.
    runs: Vec<(u64, u64)>,
    sizes: Vec<u64>,
}

#[derive(Clone, Copy, Default)]
struct Sample {
    duration: u64,
    size: u64,
}

/// What has sounded, in the track's own units.
struct Sounded {
    samples: u64,
    at: u64,
    scale: u64,
    envelope: Envelope,
}

pub(super) fn read(
    source: &mut Source<impl Read>,
    start: [u8; 12],
) -> Result<Measured, SoundError> {
    source.put_back(&start);
    let mut track = None;
    let mut sounded = None;
    for _ in 0..BOXES_MAX {
        if source.left() == 0 {
            return finish(track.as_ref(), sounded);
        }
        let (kind, size) = head(source)?;
        match &kind {
            b"moov" if track.is_none() => {
                let read = read_index(&source.vec(size, INDEX_BYTES_MAX)?)?;
                sounded = Some(Sounded::of(&read)?);
                track = Some(read);
            }
            b"moof" => {
                let (Some(track), Some(sounded)) = (&track, &mut sounded) else {
                    return Err(SoundError::Broken);
                };
                read_fragment(&source.vec(size, INDEX_BYTES_MAX)?, track, sounded)?;
            }
            b"ftyp" | b"styp" | b"mdat" | b"free" | b"skip" | b"wide" | b"sidx" | b"mfra"
            | b"uuid" | b"prft" => source.skip(size)?,
            _ => return Err(SoundError::Broken),
        }
    }
    Err(SoundError::Broken)
}

fn head(source: &mut Source<impl Read>) -> Result<([u8; 4], u64), SoundError> {
    let [a, b, c, d, kind @ ..] = source.array::<8>()?;
    let size = match u64::from(u32::from_be_bytes([a, b, c, d])) {
        // To the end of the file.
        0 => return Ok((kind, source.left())),
        1 => u64::from_be_bytes(source.array()?).checked_sub(16),
        size => size.checked_sub(8),
    };
    Ok((kind, size.filter(|size| *size <= source.left()).ok_or(SoundError::Broken)?))
}

/// The boxes inside a box.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), SoundError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let next = self.split();
        if next.is_none() {
            self.0 = &[];
        }
        Some(next.ok_or(SoundError::Broken))
    }
}

impl<'a> Boxes<'a> {
    fn split(&mut self) -> Option<(&'a [u8; 4], &'a [u8])> {
        let (size, rest) = self.0.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok()?.checked_sub(8)?;
        let (body, rest) = rest.split_at_checked(size)?;
        self.0 = rest;
        Some((kind, body))
    }
}

fn read_index(moov: &[u8]) -> Result<Track, SoundError> {
    let mut track = Track::default();
    for inner in Boxes(moov) {
        match inner? {
            (b"trak", body) => {
                track.tracks += 1;
                enter(body, &mut track, LEVELS_MAX)?;
            }
            (b"mvex", body) => enter(body, &mut track, LEVELS_MAX)?,
            _ => {}
        }
    }
    let is_ours = track.tracks == 1 && track.is_sound && track.is_aac;
    if !is_ours {
        return Err(SoundError::Foreign);
    }
    if track.scale == 0 { Err(SoundError::Broken) } else { Ok(track) }
}

/// Goes down through the boxes that only hold others, to at most `levels` of them.
fn enter(body: &[u8], track: &mut Track, levels: u32) -> Result<(), SoundError> {
    let levels = levels.checked_sub(1).ok_or(SoundError::Broken)?;
    for inner in Boxes(body) {
        let (kind, body) = inner?;
        match kind {
            b"mdia" | b"minf" | b"stbl" => enter(body, track, levels)?,
            b"hdlr" => track.is_sound = body.get(8..12) == Some(b"soun"),
            b"mdhd" => read_media_header(body, track)?,
            b"stsd" => {
                track.is_aac =
                    body.get(4..8) == Some(&[0, 0, 0, 1]) && body.get(12..16) == Some(b"mp4a")
            }
            b"stts" => read_times(body, track)?,
            b"stsz" => read_sizes(body, track)?,
            b"trex" => {
                track.default = Sample { duration: u32_at(body, 12)?, size: u32_at(body, 16)? };
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_media_header(body: &[u8], track: &mut Track) -> Result<(), SoundError> {
    let is_long = body.first() == Some(&1);
    track.scale = u32_at(body, if is_long { 20 } else { 12 })?;
    track.duration =
        if is_long { u32_at(body, 24)? << 32 | u32_at(body, 28)? } else { u32_at(body, 16)? };
    Ok(())
}

fn read_times(body: &[u8], track: &mut Track) -> Result<(), SoundError> {
    let entries = body.get(8..).unwrap_or_default();
    for at in (0..entries.len() / 8).map(|index| index * 8) {
        track.runs.push((u32_at(entries, at)?, u32_at(entries, at + 4)?));
    }
    Ok(())
}

fn read_sizes(body: &[u8], track: &mut Track) -> Result<(), SoundError> {
    let (size, count) = (u32_at(body, 4)?, u32_at(body, 8)?);
    if count > SAMPLES_MAX {
        return Err(SoundError::Broken);
    }
    let count = usize::try_from(count).map_err(|_| SoundError::Broken)?;
    track.sizes = match size {
        0 => (0..count).map(|index| u32_at(body, 12 + index * 4)).collect::<Result<_, _>>()?,
        size => vec![size; count],
    };
    Ok(())
}

fn read_fragment(moof: &[u8], track: &Track, sounded: &mut Sounded) -> Result<(), SoundError> {
    for inner in Boxes(moof) {
        let (b"traf", body) = inner? else { continue };
        let mut default = track.default;
        for inner in Boxes(body) {
            match inner? {
                (b"tfhd", body) => default = read_defaults(body, default)?,
                (b"trun", body) => read_run(body, default, sounded)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn read_defaults(body: &[u8], mut default: Sample) -> Result<Sample, SoundError> {
    let flags = u32_at(body, 0)?;
    let mut at = 8;
    for (flag, width) in [(0x01, 8), (0x02, 4), (0x08, 4), (0x10, 4)] {
        if flags & flag == 0 {
            continue;
        }
        match flag {
            0x08 => default.duration = u32_at(body, at)?,
            0x10 => default.size = u32_at(body, at)?,
            _ => {}
        }
        at += width;
    }
    Ok(default)
}

fn read_run(body: &[u8], default: Sample, sounded: &mut Sounded) -> Result<(), SoundError> {
    let (flags, count) = (u32_at(body, 0)?, u32_at(body, 4)?);
    let mut at = 8;
    // The data's place, and the first sample's flags.
    for flag in [0x01, 0x04] {
        at += if flags & flag == 0 { 0 } else { 4 };
    }
    for _ in 0..count {
        let mut sample = default;
        for flag in [0x100, 0x200, 0x400, 0x800] {
            if flags & flag == 0 {
                continue;
            }
            match flag {
                0x100 => sample.duration = u32_at(body, at)?,
                0x200 => sample.size = u32_at(body, at)?,
                _ => {}
            }
            at += 4;
        }
        sounded.add(sample)?;
    }
    Ok(())
}

impl Sounded {
    /// What the index itself lists; a file in fragments lists nothing there.
    fn of(track: &Track) -> Result<Self, SoundError> {
        let envelope = Envelope::new(Measure::Bytes);
        let mut sounded = Self { samples: 0, at: 0, scale: track.scale, envelope };
        let mut sizes = track.sizes.iter();
        for (count, duration) in &track.runs {
            for _ in 0..*count {
                let size = *sizes.next().ok_or(SoundError::Broken)?;
                sounded.add(Sample { duration: *duration, size })?;
            }
        }
        Ok(sounded)
    }

    fn add(&mut self, sample: Sample) -> Result<(), SoundError> {
        self.samples += 1;
        if self.samples > SAMPLES_MAX {
            return Err(SoundError::Broken);
        }
        self.envelope.add(time(self.at, self.scale), sample.size)?;
        self.at = self.at.saturating_add(sample.duration);
        Ok(())
    }
}

fn finish(track: Option<&Track>, sounded: Option<Sounded>) -> Result<Measured, SoundError> {
    let (track, sounded) = track.zip(sounded).ok_or(SoundError::Broken)?;
    // The header may cut what the encoder had to add at the end, but can't invent sound.
    let cut = Some(track.duration).filter(|duration| *duration > 0);
    let units = cut.map_or(sounded.at, |duration| duration.min(sounded.at));
    sounded.envelope.finish(time(units, track.scale))
}

fn time(units: u64, scale: u64) -> Duration {
    let micros = u128::from(units) * 1_000_000 / u128::from(scale.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u64, SoundError> {
    let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
    field.map(u32::from_be_bytes).map(u64::from).ok_or(SoundError::Broken)
}
