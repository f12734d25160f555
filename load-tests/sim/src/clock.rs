//! Where virtual time begins.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Virtual time since the story began.
pub(crate) type Time = Duration;

#[expect(clippy::disallowed_methods, reason = "an Instant can't be made otherwise")]
pub(crate) fn instant(time: Time) -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START + time
}

pub(crate) fn time(instant: Instant) -> Time {
    instant.duration_since(self::instant(Time::ZERO))
}
