//! Ogg with one Opus stream inside (RFC 3533, RFC 7845).

use std::{io::Read, time::Duration};

use super::{
    Measured, SoundError,
    envelope::{Envelope, Measure},
    opus,
    source::Source,
};

const RATE: u64 = 48_000;
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// How far the end that a file claims may lie behind its last packet.
const EXCESS_MAX: u64 = RATE;
/// As much of a packet as is looked at.
const LOOKED_AT: usize = 19;

struct Page {
    flags: u8,
    granule: u64,
    serial: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
}

/// What has been read of the stream.
struct Reader {
    serial: u32,
    packets: u64,
    packet: Packet,
    pre_skip: u64,
    sounded: Duration,
    granule: u64,
    envelope: Envelope,
}

/// A packet that may go on.
#[derive(Default)]
struct Packet {
    start: Vec<u8>,
    bytes: u64,
}

pub(super) fn read(
    source: &mut Source<impl Read>,
    start: [u8; 12],
) -> Result<Measured, SoundError> {
    source.put_back(&start);
    let first = page(source)?;
    if first.flags & FIRST == 0 {
        return Err(SoundError::Broken);
    }
    let mut reader = Reader {
        serial: first.serial,
        packets: 0,
        packet: Packet::default(),
        pre_skip: 0,
        sounded: Duration::ZERO,
        granule: 0,
        envelope: Envelope::new(Measure::Bytes),
    };
    reader.take(&first)?;
    let mut is_over = first.flags & LAST != 0;
    while source.left() > 0 {
        let page = page(source)?;
        // A second stream, beside or behind this one, is no voice note.
        if is_over || page.flags & FIRST != 0 || page.serial != reader.serial {
            return Err(SoundError::Broken);
        }
        reader.take(&page)?;
        is_over = page.flags & LAST != 0;
    }
    reader.finish()
}

fn page(source: &mut Source<impl Read>) -> Result<Page, SoundError> {
    let head: [u8; 27] = source.array()?;
    let [b'O', b'g', b'g', b'S', 0, flags, rest @ ..] = head else {
        return Err(SoundError::Broken);
    };
    let (granule, rest) = rest.split_first_chunk().ok_or(SoundError::Broken)?;
    let (serial, rest) = rest.split_first_chunk().ok_or(SoundError::Broken)?;
    let (_sequence, rest) = rest.split_first_chunk::<4>().ok_or(SoundError::Broken)?;
    let (checksum, rest) = rest.split_first_chunk().ok_or(SoundError::Broken)?;
    let segments = rest.first().copied().unwrap_or_default();
    let mut lacing = vec![0; usize::from(segments)];
    source.fill(&mut lacing)?;
    let mut body = vec![0; lacing.iter().copied().map(usize::from).sum()];
    source.fill(&mut body)?;

    let mut bare = head;
    if let Some(field) = bare.get_mut(22..26) {
        field.fill(0);
    }
    let sum = [&bare[..], &lacing, &body].iter().fold(0, |sum, part| crc(sum, part));
    if sum != u32::from_le_bytes(*checksum) {
        return Err(SoundError::Broken);
    }
    let (granule, serial) = (u64::from_le_bytes(*granule), u32::from_le_bytes(*serial));
    Ok(Page { flags, granule, serial, lacing, body })
}

impl Reader {
    fn take(&mut self, page: &Page) -> Result<(), SoundError> {
        let is_continued = page.flags & CONTINUED != 0;
        if is_continued == (self.packet.bytes == 0) {
            return Err(SoundError::Broken);
        }
        let mut body = &page.body[..];
        for size in &page.lacing {
            let segment = body.split_off(..usize::from(*size)).ok_or(SoundError::Broken)?;
            let wanted = LOOKED_AT.saturating_sub(self.packet.start.len());
            self.packet.start.extend(segment.iter().take(wanted));
            self.packet.bytes = self.packet.bytes.saturating_add(u64::from(*size));
            if *size < u8::MAX {
                let packet = std::mem::take(&mut self.packet);
                self.on_packet(&packet)?;
            }
        }
        // All ones: no packet ends here.
        if page.granule != u64::MAX && self.packets > 2 {
            self.granule = self.granule.max(page.granule);
        }
        Ok(())
    }

    fn on_packet(&mut self, packet: &Packet) -> Result<(), SoundError> {
        self.packets = self.packets.saturating_add(1);
        match self.packets {
            1 => self.on_head(&packet.start),
            2 if packet.start.starts_with(b"OpusTags") => Ok(()),
            2 => Err(SoundError::Broken),
            _ => {
                self.envelope.add(self.sounded, packet.bytes)?;
                self.sounded += opus::duration(&packet.start)?;
                Ok(())
            }
        }
    }

    fn on_head(&mut self, start: &[u8]) -> Result<(), SoundError> {
        let [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', version, channels, low, high, ..] =
            start
        else {
            // Vorbis, FLAC, Speex: sound, but not ours.
            return Err(SoundError::Foreign);
        };
        if version >> 4 != 0 || !(1..=2).contains(channels) {
            return Err(SoundError::Foreign);
        }
        self.pre_skip = u64::from(u16::from_le_bytes([*low, *high]));
        Ok(())
    }

    fn finish(self) -> Result<Measured, SoundError> {
        let samples = u64::try_from(self.sounded.as_micros()).unwrap_or(u64::MAX) * 48 / 1_000;
        if self.packet.bytes > 0 || self.granule > samples.saturating_add(EXCESS_MAX) {
            return Err(SoundError::Broken);
        }
        let heard = self.granule.min(samples).saturating_sub(self.pre_skip);
        self.envelope.finish(Duration::from_micros(heard * 1_000 / 48))
    }
}

/// The CRC of RFC 3533: polynomial 0x04c11db7, nothing reflected.
fn crc(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| {
        let index = usize::from(sum.to_be_bytes()[0] ^ byte);
        (sum << 8) ^ TABLE.get(index).copied().unwrap_or_default()
    })
}

const TABLE: [u32; 256] = table();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let (mut byte, mut high) = (0, 0_u32);
    while byte < 256 {
        let mut sum = high << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        (byte, high) = (byte + 1, high + 1);
    }
    table
}

#[cfg(test)]
pub(super) mod tests {
    /// The checksum of a page whose own field holds zeros.
    pub(in crate::notes::sound) fn checksum(page: &[u8]) -> u32 {
        super::crc(0, page)
    }
}
