//! The name of an object.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::limits::{DEPTH_MAX, KEY_BYTES_MAX};

/// Names one object. Made by servers only, never of what a client sent: segments of
/// `[a-z0-9_.-]`, joined by `/`, none of which begins with a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Box<str>);

/// Text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an object's key has up to {KEY_BYTES_MAX} bytes of a-z, 0-9, / _ . -, and no segment that is empty or begins with a dot"
)]
pub struct InvalidKey;

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key as a path below some folder. Nothing in it climbs out.
    pub(crate) fn to_path(&self) -> PathBuf {
        self.0.split('/').collect()
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let is_char =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte);
        let is_segment = |segment: &str| {
            !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(is_char)
        };
        let fits = text.len() <= KEY_BYTES_MAX && text.split('/').count() <= DEPTH_MAX;
        if fits && text.split('/').all(is_segment) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidKey)
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_make_is_a_key() {
        for text in ["notes/0198c0de-0000-7000-8000-000000000000", "rec/a/7/tr_x/0.ogg", "a"] {
            assert_eq!(text.parse::<Key>().map(|key| key.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_could_leave_its_folder_or_confuse_a_store_is_no_key() {
        let long = "a".repeat(KEY_BYTES_MAX + 1);
        let deep = ["a"; DEPTH_MAX + 1].join("/");
        for text in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".a",
            "a/.b",
            "%2e%2e%2f",
            "a%2fb",
            "a\0",
            "a b",
            "A",
            "\u{e9}",
            "a\\b",
            "a\r\nb",
            "a?b",
            "a#b",
            "*",
            &long,
            &deep,
        ] {
            assert_eq!(text.parse::<Key>(), Err(InvalidKey), "{text:?}");
        }
    }
}
