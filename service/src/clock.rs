//! The process's clocks, read here and nowhere else.

use std::time::{Duration, Instant, SystemTime};

/// The time since 1970, as the machine believes. Zero on a clock set before that.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// A clock that only goes forward, for measuring how long something took.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the steady clock")]
pub fn now() -> Instant {
    Instant::now()
}
