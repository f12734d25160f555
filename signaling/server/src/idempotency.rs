//! The client's own name for a request (`Idempotency-Key`), by which a retry is told from another.

use axum::http::HeaderMap;

use crate::limits::IDEMPOTENCY_KEY_BYTES_MAX;

/// A key that is empty, too long, or holds more than visible ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidKey;

/// Reads the key; `None` without one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, InvalidKey> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let is_good = |key: &&str| {
        let fits = (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len());
        fits && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    value.to_str().ok().filter(is_good).map(Some).ok_or(InvalidKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Option<String>, InvalidKey> {
        let headers = HeaderMap::from_iter([(
            axum::http::HeaderName::from_static("idempotency-key"),
            value.parse().unwrap(),
        )]);
        key(&headers).map(|key| key.map(str::to_owned))
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        assert_eq!(key(&HeaderMap::new()), Ok(None));
        assert_eq!(read("0199-x"), Ok(Some("0199-x".to_owned())));
        for bad in ["", "two words", &"x".repeat(IDEMPOTENCY_KEY_BYTES_MAX + 1)] {
            assert_eq!(read(bad), Err(InvalidKey), "{bad}");
        }
    }
}
