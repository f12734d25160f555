//! The last whole page of a file that its writer never finished.

use super::{HEADER_BYTES, LAST, crc};

/// How much of a file's end to look at: more than a page, and more than was written since the
/// last time the disk confirmed what it has.
pub const TAIL_BYTES: usize = 512 * 1024;

/// Where a stream that was cut can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastPage {
    /// Where it ends within the bytes given. What follows is no page.
    pub end: usize,
    pub serial: u32,
    /// The number of the page after it.
    pub next_sequence: u32,
    /// Samples up to its end.
    pub granule: u64,
    /// Whether it is marked as its stream's last.
    pub is_final: bool,
}

/// Finds the last of the whole pages that follow each other in the end of a file.
pub fn last_page(tail: &[u8]) -> Option<LastPage> {
    // The tail may begin inside a page, whose body could look like another.
    let mut starts = tail.windows(4).enumerate().filter(|(_, four)| four == b"OggS");
    let mut last = starts.find_map(|(at, _)| page_at(tail, at))?;
    while let Some(next) = page_at(tail, last.end) {
        if next.serial != last.serial || next.next_sequence != last.next_sequence.wrapping_add(1) {
            break;
        }
        last = next;
    }
    Some(last)
}

pub(super) fn page_at(bytes: &[u8], start: usize) -> Option<LastPage> {
    let header = bytes.get(start..start + HEADER_BYTES)?;
    if header.get(..5)? != b"OggS\0" {
        return None;
    }
    let number = |at: usize| Some(u32::from_le_bytes(*header.get(at..)?.first_chunk()?));
    let body = start + HEADER_BYTES + usize::from(*header.get(26)?);
    let segments = bytes.get(start + HEADER_BYTES..body)?;
    let end = body + segments.iter().map(|length| usize::from(*length)).sum::<usize>();
    let page = bytes.get(start..end)?;
    let without_sum = page.iter().enumerate();
    let sum = without_sum
        .fold(0, |sum, (at, byte)| crc::over(sum, if (22..26).contains(&at) { 0 } else { *byte }));
    if sum != number(22)? {
        return None;
    }
    Some(LastPage {
        end,
        serial: number(14)?,
        next_sequence: number(18)?.wrapping_add(1),
        granule: u64::from_le_bytes(*header.get(6..)?.first_chunk()?),
        is_final: header.get(5)? & LAST != 0,
    })
}
