//! The process's clocks, read here and nowhere else.

use std::time::{Duration, Instant, SystemTime};

use proto::link::UnixMicros;

/// The time since 1970, as the machine believes. Zero on a clock set before that.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The same as rows and links carry it.
pub fn unix_micros() -> UnixMicros {
    unix_time().into()
}

/// A clock that only goes forward, for measuring how long something took.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the steady clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Writes a time since 1970 as RFC 3339 asks: in UTC, to the millisecond.
pub fn rfc3339(since_1970: impl Into<Duration>) -> String {
    let since_1970 = since_1970.into();
    let (seconds, millis) = (since_1970.as_secs(), since_1970.subsec_millis());
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The day of the calendar that is `days` after 1970 began. Years are counted from March, so that
/// the day that some have more is their last.
fn date(days: u64) -> (u64, u64, u64) {
    const FOUR_CENTURIES: u64 = 146_097;
    let since_march_0000 = days + 719_468;
    let (era, day) = (since_march_0000 / FOUR_CENTURIES, since_march_0000 % FOUR_CENTURIES);
    let year = (day - day / 1_460 + day / 36_524 - day / (FOUR_CENTURIES - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(is_next_year), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_the_calendar_has_it() {
        let of = |seconds: u64| rfc3339(Duration::from_secs(seconds));
        assert_eq!(of(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(of(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(of(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(of(4_107_542_399), "2100-02-28T23:59:59.000Z");
        assert_eq!(of(4_107_542_400), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(Duration::from_millis(1_764_000_000_123)), "2025-11-24T16:00:00.123Z");
    }
}
