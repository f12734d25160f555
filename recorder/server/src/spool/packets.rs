//! The packets of a file of ours, read page by page.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use bytes::Bytes;
use recorder_core::ogg::{self, Channels};

/// An Ogg/Opus file as its packets, without its two headers.
#[derive(Debug)]
pub(crate) struct Packets<R> {
    source: R,
    serial: u32,
    channels: Channels,
    read: VecDeque<Bytes>,
}

/// Bytes of a page before its segment table.
const HEADER_BYTES: usize = 27;

impl<R: Read> Packets<R> {
    /// Reads the headers.
    pub(crate) fn open(source: R) -> io::Result<Self> {
        let channels = Channels::Mono;
        let mut packets = Self { source, serial: 0, channels, read: VecDeque::new() };
        let page = packets.page()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let serial = page.get(14..).and_then(<[u8]>::first_chunk);
        packets.serial = serial.map_or(0, |serial| u32::from_le_bytes(*serial));
        let head = *ogg::packets(&page).unwrap_or_default().first().ok_or(broken())?;
        if !head.starts_with(b"OpusHead") {
            return Err(broken());
        }
        if head.get(9) == Some(&2) {
            packets.channels = Channels::Stereo;
        }
        packets.page()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(packets)
    }

    pub(crate) fn serial(&self) -> u32 {
        self.serial
    }

    pub(crate) fn channels(&self) -> Channels {
        self.channels
    }

    /// The next whole page; `None` at the end.
    fn page(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut page = Vec::new();
        // First the header, then the segment table that it tells of, then what that tells of.
        for _ in 0..3 {
            let wanted = match page.is_empty() {
                true => HEADER_BYTES,
                false => ogg::page_bytes(&page).ok_or(broken())?,
            };
            let missing = u64::try_from(wanted.saturating_sub(page.len())).unwrap_or_default();
            let read = (&mut self.source).take(missing).read_to_end(&mut page)?;
            if page.is_empty() {
                return Ok(None);
            }
            if u64::try_from(read) != Ok(missing) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(page))
    }
}

impl<R: Read> Iterator for Packets<R> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.is_empty() {
            let page = match self.page().transpose()? {
                Ok(page) => Bytes::from(page),
                Err(error) => return Some(Err(error)),
            };
            let Some(packets) = ogg::packets(&page) else { return Some(Err(broken())) };
            self.read = packets.into_iter().map(|packet| page.slice_ref(packet)).collect();
        }
        self.read.pop_front().map(Ok)
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a file of a recorder")
}
