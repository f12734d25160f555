//! The clock of a room's owner, as far as it can be known from what it said.

use std::time::{Duration, Instant};

use proto::link::UnixMicros;

#[derive(Clone, Copy, Debug)]
pub(super) struct OwnerClock {
    said: UnixMicros,
    heard: Instant,
}

impl OwnerClock {
    /// Takes the machine's own clock until the owner says something.
    pub(super) fn new(since_1970: Duration, now: Instant) -> Self {
        let micros = u64::try_from(since_1970.as_micros()).unwrap_or_default();
        Self { said: UnixMicros(micros), heard: now }
    }

    /// The owner said that it was `at`.
    pub(super) fn heard(&mut self, at: UnixMicros, now: Instant) {
        *self = Self { said: at, heard: now };
    }

    /// What its clock shows at most at `now`, but for what the link takes.
    pub(super) fn at(&self, now: Instant) -> UnixMicros {
        let passed = now.saturating_duration_since(self.heard).as_micros();
        UnixMicros(self.said.0.saturating_add(u64::try_from(passed).unwrap_or_default()))
    }
}
