//! The one reading of a clock: where virtual time begins.

use std::{sync::LazyLock, time::Instant};

/// An instant to count from. Only differences to it reach anything.
#[expect(clippy::disallowed_methods, reason = "an Instant can't be made otherwise")]
pub(crate) fn start() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    *START
}
