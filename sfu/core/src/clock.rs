//! Wall time, as the shell's start and a monotonic clock give it.

use std::time::{Duration, Instant};

/// Seconds between the epochs of NTP (1900) and Unix (1970).
const NTP_TO_UNIX_SECS: u64 = 2_208_988_800;

/// Turns instants into wall time. Never goes back, whatever the system's clock does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_unix_micros: u64,
}

impl Clock {
    pub(crate) fn new(started: Instant, started_unix_micros: u64) -> Self {
        Self { started, started_unix_micros }
    }

    pub(crate) fn unix_micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started);
        self.started_unix_micros + u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)
    }

    /// For message fields, which are signed.
    pub(crate) fn unix_micros_signed(&self, at: Instant) -> i64 {
        i64::try_from(self.unix_micros(at)).unwrap_or(i64::MAX)
    }

    pub(crate) fn ntp(&self, at: Instant) -> Ntp {
        let micros = self.unix_micros(at);
        let secs = micros / 1_000_000 + NTP_TO_UNIX_SECS;
        let fraction = ((micros % 1_000_000) << 32) / 1_000_000;
        Ntp((secs & 0xffff_ffff) << 32 | fraction)
    }
}

/// A time in NTP's 64-bit form, seconds in the upper half; wraps in 2036.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ntp(pub(crate) u64);

impl Ntp {
    /// Time from `earlier` to `self` in 2⁻³² s, the short way round.
    pub(crate) fn since(self, earlier: Self) -> i64 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    pub(crate) fn plus(self, difference: i64) -> Self {
        Self(self.0.wrapping_add_signed(difference))
    }

    /// The 32 bits in the middle, by which reports refer to it.
    pub(crate) fn middle(self) -> u32 {
        u32::try_from(self.0 >> 16 & 0xffff_ffff).unwrap_or_default()
    }
}

/// The next instant on the grid of `interval` that begins at `origin`, later than `now`.
pub(crate) fn next_on_grid(origin: Instant, interval: Duration, now: Instant) -> Instant {
    let since = now.saturating_duration_since(origin);
    let steps = since.as_nanos() / interval.as_nanos().max(1) + 1;
    origin + interval * u32::try_from(steps).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900_in_fractions_of_a_second() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let started = Instant::now();
        let clock = Clock::new(started, 1_500_000);
        let ntp = clock.ntp(started + Duration::from_millis(250)).0;
        assert_eq!(ntp >> 32, NTP_TO_UNIX_SECS + 1);
        assert_eq!(ntp & 0xffff_ffff, 3 << 30);
    }

    #[test]
    fn a_grid_point_is_always_ahead() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let origin = Instant::now();
        let five = Duration::from_secs(5);
        assert_eq!(next_on_grid(origin, five, origin), origin + five);
        assert_eq!(next_on_grid(origin, five, origin + five), origin + five * 2);
        assert_eq!(next_on_grid(origin, five, origin + five * 3 / 2), origin + five * 2);
    }
}
