//! The `Range` header (RFC 9110 §14): one range of bytes, or all of it.

use std::ops::RangeInclusive;

use axum::http::{HeaderMap, header};

/// What a request asks of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    All,
    Part(RangeInclusive<u64>),
    /// A range that holds none of its bytes.
    Nothing,
}

/// Reads what is asked of an object of `bytes` bytes whose entity tag is `tag`. Several ranges at
/// once, and what can't be read, are answered with all of it, as the RFC allows.
pub(crate) fn asked(headers: &HeaderMap, tag: &str, bytes: u64) -> Asked {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|wanted| wanted != tag) {
        return Asked::All;
    }
    let Some(range) = text(header::RANGE).and_then(|text| text.strip_prefix("bytes=")) else {
        return Asked::All;
    };
    part(range.trim(), bytes).unwrap_or(Asked::All)
}

fn part(range: &str, bytes: u64) -> Option<Asked> {
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = range.split_once('-')?;
    let end = bytes.checked_sub(1);
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        // The last so many.
        (None, Some(0)) if first.is_empty() => return Some(Asked::Nothing),
        (None, Some(count)) if first.is_empty() => (bytes.saturating_sub(count), u64::MAX),
        _ => return None,
    };
    match end {
        Some(end) if first <= end => Some(Asked::Part(first..=last.min(end))),
        Some(_) | None => Some(Asked::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asks(range: &'static str, bytes: u64) -> Asked {
        let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
        asked(&headers, "\"tag\"", bytes)
    }

    #[test]
    fn one_range_is_cut_to_what_there_is() {
        assert_eq!(asks("bytes=0-0", 10), Asked::Part(0..=0));
        assert_eq!(asks("bytes=2-", 10), Asked::Part(2..=9));
        assert_eq!(asks("bytes=2-99999999999999999999999", 10), Asked::Part(2..=9));
        assert_eq!(asks("bytes=-3", 10), Asked::Part(7..=9));
        assert_eq!(asks("bytes=-30", 10), Asked::Part(0..=9));
    }

    #[test]
    fn a_range_behind_the_end_is_nothing() {
        for (range, bytes) in [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)] {
            assert_eq!(asks(range, bytes), Asked::Nothing, "{range} of {bytes}");
        }
    }

    #[test]
    fn what_is_no_single_range_means_all() {
        for range in ["bytes=", "bytes=-", "bytes=3-2", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"]
        {
            assert_eq!(asks(range, 10), Asked::All, "{range}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"other\""));
        assert_eq!(asked(&headers, "\"tag\"", 10), Asked::All);
    }
}
