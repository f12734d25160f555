//! Reports, names and losses inside one RTCP packet.

use crate::{
    be::{u8_at, u16_at, u32_at, u64_at},
    rtp::{RtpTime, SeqNo},
};

pub(super) const BLOCK_LEN: usize = 24;
const CNAME: u8 = 1;

/// What a sender says about its own stream, and about those it receives (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    pub ssrc: u32,
    /// The sender's wall clock: NTP seconds in the upper half, fraction in the lower.
    pub ntp: u64,
    /// The same instant on the stream's clock.
    pub timestamp: RtpTime,
    pub packets: u32,
    pub octets: u32,
    blocks: &'a [u8],
}

impl SenderReport<'static> {
    /// A report without blocks, to be given to [`write_sender_report`](super::write_sender_report).
    pub fn new(ssrc: u32, ntp: u64, timestamp: RtpTime, packets: u32, octets: u32) -> Self {
        Self { ssrc, ntp, timestamp, packets, octets, blocks: &[] }
    }
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        Some(Self {
            ssrc: u32_at(body, 0)?,
            ntp: u64_at(body, 4)?,
            timestamp: RtpTime(u32_at(body, 12)?),
            packets: u32_at(body, 16)?,
            octets: u32_at(body, 20)?,
            blocks: body.get(24..24 + count * BLOCK_LEN)?,
        })
    }

    /// Each report block; at most 31.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

/// What a receiver says about the streams it receives (RFC 3550 §6.4.2).
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        Some(Self { ssrc: u32_at(body, 0)?, blocks: body.get(4..4 + count * BLOCK_LEN)? })
    }

    /// Each report block; at most 31.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

/// How one stream arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream that is reported on.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the start, 24 bits; negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Highest sequence number received, extended by a count of wraps.
    pub highest_sequence: u32,
    /// In units of the stream's clock.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's `ntp`; zero if there was none.
    pub last_sr: u32,
    /// Since that report arrived, in 1/65,536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let lost = u32_at(bytes, 4)?;
        Some(Self {
            ssrc: u32_at(bytes, 0)?,
            fraction_lost: u8_at(bytes, 4)?,
            // Shifting up and back extends the sign of the 24-bit field.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence: u32_at(bytes, 8)?,
            jitter: u32_at(bytes, 12)?,
            last_sr: u32_at(bytes, 16)?,
            delay_since_last_sr: u32_at(bytes, 20)?,
        })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [_, lost @ ..] = self.cumulative_lost.clamp(-0x0080_0000, 0x007f_ffff).to_be_bytes();
        out.extend(self.ssrc.to_be_bytes());
        out.push(self.fraction_lost);
        out.extend(lost);
        out.extend(self.highest_sequence.to_be_bytes());
        out.extend(self.jitter.to_be_bytes());
        out.extend(self.last_sr.to_be_bytes());
        out.extend(self.delay_since_last_sr.to_be_bytes());
    }
}

fn blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> + use<'_> {
    bytes.chunks_exact(BLOCK_LEN).filter_map(ReportBlock::parse)
}

/// Names of sources (RFC 3550 §6.5). Only the CNAME is read.
#[derive(Clone, Copy, Debug)]
pub struct SourceDescription<'a> {
    chunks: &'a [u8],
}

impl<'a> SourceDescription<'a> {
    pub(super) fn new(chunks: &'a [u8]) -> Self {
        Self { chunks }
    }

    /// Each source with its CNAME. Ends at the first chunk that is malformed.
    pub fn cnames(&self) -> impl Iterator<Item = (u32, &'a [u8])> + use<'a> {
        let mut rest = self.chunks;
        let chunks = std::iter::from_fn(move || {
            let chunk = Chunk::parse(rest)?;
            rest = rest.get(chunk.len..)?;
            Some(chunk)
        });
        chunks.filter_map(|chunk| chunk.cname.map(|cname| (chunk.ssrc, cname)))
    }
}

/// One source's items.
struct Chunk<'a> {
    ssrc: u32,
    cname: Option<&'a [u8]>,
    len: usize,
}

impl<'a> Chunk<'a> {
    /// A zero byte ends the items, padded to a multiple of four.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ssrc = u32_at(bytes, 0)?;
        let mut cname = None;
        let mut at = 4;
        loop {
            let kind = u8_at(bytes, at)?;
            if kind == 0 {
                return Some(Self { ssrc, cname, len: (at + 1).next_multiple_of(4) });
            }
            let len = usize::from(u8_at(bytes, at + 1)?);
            let value = bytes.get(at + 2..at + 2 + len)?;
            if kind == CNAME {
                cname = Some(value);
            }
            at += 2 + len;
        }
    }
}

/// Packets that a receiver misses.
#[derive(Clone, Copy, Debug)]
pub struct Nack<'a> {
    pub sender_ssrc: u32,
    pub media_ssrc: u32,
    entries: &'a [u8],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        Some(Self {
            sender_ssrc: u32_at(body, 0)?,
            media_ssrc: u32_at(body, 4)?,
            entries: body.get(8..)?,
        })
    }

    /// Each missing sequence number, in the order of the wire. May name one twice.
    pub fn lost(&self) -> impl Iterator<Item = SeqNo> + use<'a> {
        self.entries.as_chunks::<4>().0.iter().flat_map(|entry| {
            let first = SeqNo(u16_at(entry, 0).unwrap_or_default());
            let following = u16_at(entry, 2).unwrap_or_default();
            let named = (0..16).filter(move |bit| following >> bit & 1 == 1);
            std::iter::once(first).chain(named.map(move |bit| first.plus(bit + 1)))
        })
    }
}
