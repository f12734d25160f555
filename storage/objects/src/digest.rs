//! SHA-256 of content, whole or as it streams by.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// The SHA-256 of an object. Shown and read as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

/// Text that is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is written as 64 lower-case hexadecimal digits")]
pub struct InvalidSha256;

/// Computes a SHA-256 of what streams by.
#[derive(Clone)]
pub struct Hasher(Context);

impl Sha256 {
    /// Returns the SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(service::digest::sha256(bytes))
    }

    /// The sum itself.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// As S3's headers carry it.
    pub(crate) fn to_base64(self) -> String {
        BASE64_STANDARD.encode(self.0)
    }
}

impl Hasher {
    /// Begins with nothing.
    #[expect(clippy::new_without_default, reason = "begun on purpose")]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the SHA-256 of all that was taken.
    pub fn finish(self) -> Sha256 {
        let mut sum = [0; 32];
        for (to, from) in sum.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        Sha256(sum)
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(sum: [u8; 32]) -> Self {
        Self(sum)
    }
}

impl FromStr for Sha256 {
    type Err = InvalidSha256;

    fn from_str(text: &str) -> Result<Self, InvalidSha256> {
        let mut bytes = [0; 32];
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(InvalidSha256);
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(at..at + 2).ok_or(InvalidSha256)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidSha256)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_same_whole_in_pieces_and_as_text() {
        let mut hasher = Hasher::new();
        hasher.update(b"ad");
        hasher.update(b"da");
        let whole = Sha256::of(b"adda");
        assert_eq!(hasher.finish(), whole);
        assert_eq!(whole.to_string().parse(), Ok(whole));
        for text in ["", "00", &whole.to_string().to_uppercase(), &format!("{whole}0")] {
            assert_eq!(text.parse::<Sha256>(), Err(InvalidSha256), "{text}");
        }
    }
}
