//! The only place where this crate looks at a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time as seen by everything in this process: talkers write it, listeners compare it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: now() }
    }

    /// Since the clock started, in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(now().duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock here")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Since 1970.
#[expect(clippy::disallowed_methods, reason = "the shell reads the clock here")]
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
