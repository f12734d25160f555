//! WebM with one Opus track inside (RFC 8794, RFC 9559), as MediaRecorder writes it.
//!
//! The tree is read as a flat run of elements: what holds others is entered, what is known to be
//! harmless is skipped, and anything else is refused. So an unknown size needs no special care.

use std::{io::Read, time::Duration};

use super::{
    Measured, SoundError,
    envelope::{Envelope, Measure},
    opus,
    source::Source,
};

/// Elements in one file. Fifteen minutes of blocks of 2.5 ms have 360,000.
const ELEMENTS_MAX: u64 = 1_000_000;
const TEXT_BYTES_MAX: usize = 64;

const EBML: u64 = 0x1a45_dfa3;
const DOC_TYPE: u64 = 0x4282;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_a966;
const TIMESTAMP_SCALE: u64 = 0x2a_d7b1;
const TRACKS: u64 = 0x1654_ae6b;
const TRACK_ENTRY: u64 = 0xae;
const TRACK_TYPE: u64 = 0x83;
const CODEC_ID: u64 = 0x86;
/// What the decoder has to swallow at the start, in nanoseconds.
const CODEC_DELAY: u64 = 0x56aa;
const CLUSTER: u64 = 0x1f43_b675;
const TIMESTAMP: u64 = 0xe7;
const SIMPLE_BLOCK: u64 = 0xa3;
const BLOCK_GROUP: u64 = 0xa0;
const BLOCK: u64 = 0xa1;

/// What may stand in a file without a meaning for us.
const SKIPPED: &[u64] = &[
    0xec,
    0xbf, // Void, CRC-32
    0x4286,
    0x42f7,
    0x42f2,
    0x42f3,
    0x4287,
    0x4285, // the versions in the EBML header
    0x114d_9b74,
    0x1c53_bb6b,
    0x1254_c367, // SeekHead, Cues, Tags
    0x4489,
    0x4d80,
    0x5741,
    0x4461,
    0x73a4,
    0x7ba9, // of Info
    0xd7,
    0x73c5,
    0xb9,
    0x88,
    0x55aa,
    0x9c,
    0x6de7,
    0x6df8,
    0x23_e383,
    0x536e,
    0x22_b59c,
    0x22_b59d,
    0x63a2,
    0x25_8688,
    0xaa,
    0x56bb,
    0xe1,
    0x55ee, // of TrackEntry
    0xa7,
    0xab, // Position and PrevSize of Cluster
    0x9b,
    0xfb,
    0x75a2,
    0x75a1, // of BlockGroup
];

struct Reader {
    scale_ns: u64,
    is_webm: bool,
    tracks: u32,
    is_opus: bool,
    is_audio: bool,
    delay: Duration,
    cluster: u64,
    first: Option<Duration>,
    end: Duration,
    envelope: Envelope,
}

pub(super) fn read(
    source: &mut Source<impl Read>,
    start: [u8; 12],
) -> Result<Measured, SoundError> {
    source.put_back(&start);
    let mut reader = Reader {
        scale_ns: 1_000_000,
        is_webm: false,
        tracks: 0,
        is_opus: false,
        is_audio: false,
        delay: Duration::ZERO,
        cluster: 0,
        first: None,
        end: Duration::ZERO,
        envelope: Envelope::new(Measure::Bytes),
    };
    let mut elements = 0;
    while source.left() > 0 {
        elements += 1;
        if elements > ELEMENTS_MAX {
            return Err(SoundError::Broken);
        }
        let id = id(source)?;
        // A second header is a second file.
        if id == EBML && elements > 1 {
            return Err(SoundError::Broken);
        }
        let size = size(source)?;
        reader.on_element(id, size, source)?;
    }
    reader.finish()
}

fn id(source: &mut Source<impl Read>) -> Result<u64, SoundError> {
    let [first] = source.array()?;
    number(source, first, 4, u64::from(first))
}

/// `None` is a size that nobody knew when it was written.
fn size(source: &mut Source<impl Read>) -> Result<Option<u64>, SoundError> {
    let [first] = source.array()?;
    let bits = 7_u32.saturating_sub(first.leading_zeros());
    let mask = (1_u64 << bits) - 1;
    let size = number(source, first, 8, u64::from(first) & mask)?;
    let all_ones = (1_u64 << (7 * (first.leading_zeros() + 1))) - 1;
    Ok((size != all_ones).then_some(size))
}

/// A number whose length is in the first byte's leading zeros.
fn number(
    source: &mut Source<impl Read>,
    first: u8,
    longest: u32,
    start: u64,
) -> Result<u64, SoundError> {
    let more = first.leading_zeros();
    if more >= longest {
        return Err(SoundError::Broken);
    }
    let mut number = start;
    for _ in 0..more {
        let [byte] = source.array()?;
        number = number << 8 | u64::from(byte);
    }
    Ok(number)
}

impl Reader {
    fn on_element(
        &mut self,
        id: u64,
        size: Option<u64>,
        source: &mut Source<impl Read>,
    ) -> Result<(), SoundError> {
        match id {
            SEGMENT | CLUSTER => return Ok(()),
            EBML | INFO | TRACKS | BLOCK_GROUP if size.is_some() => return Ok(()),
            TRACK_ENTRY if size.is_some() => {
                self.tracks = self.tracks.saturating_add(1);
                return Ok(());
            }
            _ => {}
        }
        let size = size.filter(|size| *size <= source.left()).ok_or(SoundError::Broken)?;
        match id {
            DOC_TYPE => self.is_webm = source.vec(size, TEXT_BYTES_MAX)? == b"webm",
            TRACK_TYPE => self.is_audio = unsigned(source, size)? == 2,
            CODEC_ID => self.is_opus = source.vec(size, TEXT_BYTES_MAX)? == b"A_OPUS",
            TIMESTAMP_SCALE => self.scale_ns = unsigned(source, size)?,
            CODEC_DELAY => self.delay = Duration::from_nanos(unsigned(source, size)?),
            TIMESTAMP => self.cluster = unsigned(source, size)?,
            SIMPLE_BLOCK | BLOCK => self.on_block(source, size)?,
            _ if SKIPPED.contains(&id) => source.skip(size)?,
            _ => return Err(SoundError::Broken),
        }
        Ok(())
    }

    fn on_block(&mut self, source: &mut Source<impl Read>, size: u64) -> Result<(), SoundError> {
        self.check_kind()?;
        // Track number, signed time in the cluster, flags. More than 127 tracks we don't take.
        let [track, high, low, flags] = source.array()?;
        let payload = size.checked_sub(4).ok_or(SoundError::Broken)?;
        let is_laced = flags & 0x06 != 0;
        if track & 0x80 == 0 || is_laced {
            return Err(SoundError::Broken);
        }
        let mut start = [0; 2];
        let looked_at = usize::try_from(payload).unwrap_or(usize::MAX).min(2);
        let start = start.get_mut(..looked_at).ok_or(SoundError::Broken)?;
        source.fill(start)?;
        source.skip(payload.saturating_sub(2))?;

        let offset = i64::from(i16::from_be_bytes([high, low]));
        let ticks = self.cluster.checked_add_signed(offset).ok_or(SoundError::Broken)?;
        let time = Duration::from_nanos(ticks.saturating_mul(self.scale_ns));
        // What began to record in the middle of something need not begin at zero.
        let first = *self.first.get_or_insert(time);
        let at = time.saturating_sub(first);
        self.envelope.add(at, payload)?;
        self.end = self.end.max(at + opus::duration(start)?);
        Ok(())
    }

    /// Other sound, or a picture, is not ours.
    fn check_kind(&self) -> Result<(), SoundError> {
        let is_ours = self.is_webm && self.is_audio && self.is_opus && self.tracks == 1;
        if is_ours { Ok(()) } else { Err(SoundError::Foreign) }
    }

    fn finish(self) -> Result<Measured, SoundError> {
        self.check_kind()?;
        self.envelope.finish(self.end.saturating_sub(self.delay))
    }
}

fn unsigned(source: &mut Source<impl Read>, size: u64) -> Result<u64, SoundError> {
    let bytes = source.vec(size, 8)?;
    Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
