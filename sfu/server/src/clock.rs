//! The only place in this crate that reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A source of time, told apart from time itself so that everything else takes it as a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock;

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock for its cores")]
impl Clock {
    pub(crate) fn now(self) -> Instant {
        Instant::now()
    }

    pub(crate) fn unix_nanos(self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}
