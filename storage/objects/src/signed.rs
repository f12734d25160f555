//! Requests that whoever holds them may send to the store by themselves, for a while.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::digest::Sha256;

/// What a signed download is to look like.
#[derive(Clone, Copy, Debug)]
pub struct SignGet<'a> {
    /// How long it is good, at most [`crate::limits::SIGNED_LIFE_MAX`].
    pub expires: Duration,
    /// The `Content-Type` of the answer.
    pub content_type: &'a str,
    /// What a browser that saves it calls the file.
    pub filename: &'a str,
}

/// What a signed upload must be, exactly.
#[derive(Clone, Copy, Debug)]
pub struct SignPut<'a> {
    /// Length of the body.
    pub bytes: u64,
    /// Checksum of the body.
    pub sha256: Sha256,
    /// The `Content-Type` the request must carry.
    pub content_type: &'a str,
    /// How long it is good, at most [`crate::limits::SIGNED_LIFE_MAX`].
    pub expires: Duration,
}

/// A request with the store's leave inside. Its URL is a secret while it is good.
#[derive(Clone)]
pub struct SignedRequest {
    pub method: &'static str,
    /// Absolute, or a path of the server that signed it.
    pub url: String,
    /// Headers that must be sent just so, beside `Content-Length`.
    pub headers: BTreeMap<String, String>,
    /// Since 1970.
    pub expires_at: Duration,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split('?').next().unwrap_or_default();
        write!(f, "{} {url}?…", self.method)
    }
}

/// The `Content-Disposition` of a download: saved, never shown as a page.
pub(crate) fn disposition(filename: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    let name: String =
        filename.chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
    format!("attachment; filename=\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_cannot_add_to_its_header() {
        let header = disposition("a\"; x=\r\nSet-Cookie: b/../é.ogg");
        assert_eq!(header, "attachment; filename=\"a___x___Set-Cookie__b_..__.ogg\"");
    }
}
