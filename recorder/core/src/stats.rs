//! What was counted.

use std::ops::AddAssign;

/// What became of a track's packets. Only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub written: u64,
    /// Written, though they were lost: a later packet repeated them (RFC 2198).
    pub recovered: u64,
    /// Came twice, or after their place was filled.
    pub late: u64,
    /// No Opus, no RED, or larger than any datagram.
    pub malformed: u64,
    /// Claimed a place in the future.
    pub ahead: u64,
}

impl Stats {
    /// What was counted after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            written: self.written.saturating_sub(earlier.written),
            recovered: self.recovered.saturating_sub(earlier.recovered),
            late: self.late.saturating_sub(earlier.late),
            malformed: self.malformed.saturating_sub(earlier.malformed),
            ahead: self.ahead.saturating_sub(earlier.ahead),
        }
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.recovered += other.recovered;
        self.late += other.late;
        self.malformed += other.malformed;
        self.ahead += other.ahead;
    }
}
