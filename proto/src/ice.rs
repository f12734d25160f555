//! What ICE needs to recognise its peer (RFC 8445 §5.3).

use std::fmt;

/// One side's short-term credentials. The password is a secret: `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// 4 to 256 `ice-char`s. Names the session in every check.
    pub ufrag: String,
    /// 22 to 256 `ice-char`s. Keys MESSAGE-INTEGRITY.
    pub pwd: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}
