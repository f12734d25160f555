//! Ogg pages (RFC 3533) of one Opus stream (RFC 7845), written one by one.
//!
//! No packet spans two pages, so a file that ends after any page is whole up to there.

mod crc;
mod page;
mod tail;

use bytes::Bytes;

use crate::limits::{PAGE_SAMPLES, SEGMENTS_MAX, SILENT_PAGE_SAMPLES};

pub use page::{granule, packets, page_bytes};
pub use tail::{LastPage, TAIL_BYTES, last_page};

/// Samples that a player skips: what an Opus encoder delays its first sound by.
pub const PRE_SKIP: u16 = 312;

/// Bytes of a page before its segment table.
const HEADER_BYTES: usize = 27;
/// Flags of a page: the first, the last of its stream.
const FIRST: u8 = 0x02;
const LAST: u8 = 0x04;

/// How many channels a player should expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    Mono = 1,
    Stereo = 2,
}

/// What fills a page: sound, or packets that hold a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Voice,
    Silence,
}

/// A stream being written, and the page that isn't complete yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    serial: u32,
    sequence: u32,
    /// Samples up to the end of the open page.
    granule: u64,
    /// Samples of the open page.
    open: u64,
    holds: Content,
    segments: Vec<u8>,
    body: Vec<u8>,
}

impl Stream {
    /// Starts a stream; returns its two header pages with it.
    pub(crate) fn start(serial: u32, channels: Channels) -> (Self, Bytes) {
        let mut stream = Self::after(serial, 0, 0);
        let mut pages = stream.header_page(FIRST, &head(channels));
        pages.extend(stream.header_page(0, &tags()));
        (stream, pages.into())
    }

    /// Goes on after a page that was written by another life of the process.
    pub(crate) fn after(serial: u32, sequence: u32, granule: u64) -> Self {
        let holds = Content::Silence;
        Self { serial, sequence, granule, open: 0, holds, segments: Vec::new(), body: Vec::new() }
    }

    /// Samples pushed so far.
    pub(crate) fn samples(&self) -> u64 {
        self.granule
    }

    /// Appends a packet; returns the page before it, if that is complete.
    pub(crate) fn push(&mut self, packet: &[u8], samples: u64, what: Content) -> Option<Bytes> {
        let needed = packet.len() / SEGMENTS_MAX + 1;
        // A long silence doesn't make the voice after it wait for a page.
        let has_voice = self.holds == Content::Voice || what == Content::Voice;
        let full = if has_voice { PAGE_SAMPLES } else { SILENT_PAGE_SAMPLES };
        let is_complete = self.open >= full || self.segments.len() + needed > SEGMENTS_MAX;
        let page = if is_complete { Some(self.close(0)) } else { None };
        self.segments.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.segments.push(u8::try_from(packet.len() % 255).unwrap_or_default());
        self.body.extend_from_slice(packet);
        self.granule += samples;
        self.open += samples;
        if what == Content::Voice {
            self.holds = Content::Voice;
        }
        page
    }

    /// Whether no packet waits for its page.
    pub(crate) fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Returns the last page, marked as such. Readers warn of one without packets.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.close(LAST)
    }

    fn close(&mut self, flags: u8) -> Bytes {
        let page =
            page(flags, self.granule, self.serial, self.sequence, &self.segments, &self.body);
        self.sequence = self.sequence.wrapping_add(1);
        self.segments.clear();
        self.body.clear();
        self.open = 0;
        self.holds = Content::Silence;
        page.into()
    }

    fn header_page(&mut self, flags: u8, packet: &[u8]) -> Vec<u8> {
        let length = u8::try_from(packet.len()).unwrap_or_default();
        let page = page(flags, 0, self.serial, self.sequence, &[length], packet);
        self.sequence += 1;
        page
    }
}

/// The identification header (RFC 7845 §5.1).
fn head(channels: Channels) -> Vec<u8> {
    let [low, high] = PRE_SKIP.to_le_bytes();
    let mut head = b"OpusHead\x01".to_vec();
    head.extend([channels as u8, low, high]);
    head.extend(48_000_u32.to_le_bytes());
    // No gain, one stream.
    head.extend([0, 0, 0]);
    head
}

/// The comment header (RFC 7845 §5.2): who wrote this, and nothing about who speaks.
fn tags() -> Vec<u8> {
    const VENDOR: &[u8; 4] = b"adda";
    let mut tags = b"OpusTags\x04\0\0\0".to_vec();
    tags.extend(VENDOR);
    tags.extend([0; 4]);
    tags
}

fn page(
    flags: u8,
    granule: u64,
    serial: u32,
    sequence: u32,
    segments: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let mut page = Vec::with_capacity(HEADER_BYTES + segments.len() + body.len());
    page.extend(b"OggS\0");
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend(serial.to_le_bytes());
    page.extend(sequence.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(segments.len()).unwrap_or(u8::MAX));
    page.extend(segments);
    page.extend(body);
    let sum = crc::of(&page);
    if let Some(field) = page.get_mut(22..26) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
    page
}
