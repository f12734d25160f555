//! The packets of one page, as an independent reader would find them.

use super::{HEADER_BYTES, tail};

/// Bytes at a page's start that say how many follow, if `start` begins a page: first those of its
/// segment table, then those of its body.
pub fn page_bytes(start: &[u8]) -> Option<usize> {
    let header = start.get(..HEADER_BYTES)?;
    if header.get(..5)? != b"OggS\0" {
        return None;
    }
    let table_end = HEADER_BYTES + usize::from(*header.get(26)?);
    match start.get(HEADER_BYTES..table_end) {
        None => Some(table_end),
        Some(table) => {
            Some(table_end + table.iter().map(|length| usize::from(*length)).sum::<usize>())
        }
    }
}

/// Samples up to a page's end.
pub fn granule(page: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*page.get(6..)?.first_chunk()?))
}

/// The packets of a page of ours, on which each packet ends where it began; `None` if it isn't
/// whole.
pub fn packets(page: &[u8]) -> Option<Vec<&[u8]>> {
    let whole = tail::page_at(page, 0).filter(|found| found.end == page.len())?;
    let body = HEADER_BYTES + usize::from(*page.get(26)?);
    let mut packets = Vec::new();
    let (mut start, mut end) = (body, body);
    for length in page.get(HEADER_BYTES..body)? {
        end += usize::from(*length);
        if *length < 255 {
            packets.push(page.get(start..end)?);
            start = end;
        }
    }
    (start == whole.end).then_some(packets)
}
