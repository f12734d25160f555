//! Which wall time a track's timestamps stand for.

use std::time::Instant;

use proto::{rtcp::SenderReport, rtp::RtpTime};

use crate::{clock::Ntp, room::stream::CLOCK_HZ};

/// Half a second in NTP's units: a sender whose clock differs by more than this from one report
/// to the next is not believed about the past.
const STEP_MAX: u64 = 1 << 31;

/// Pairs of RTP time and our NTP time.
///
/// A sender's own wall clock may be years off; what counts is that it runs evenly. Its first
/// report ties it to ours, and the later ones follow without the network's jitter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SenderClock {
    pairing: Option<(RtpTime, Ntp)>,
    /// Ours minus theirs.
    offset: Option<i64>,
    last_report: Option<(u32, Instant)>,
}

impl SenderClock {
    pub(super) fn is_set(&self) -> bool {
        self.pairing.is_some()
    }

    /// Until a report comes, the first packet's arrival has to do.
    pub(super) fn on_packet(&mut self, time: RtpTime, ours: Ntp) {
        self.pairing.get_or_insert((time, ours));
    }

    pub(super) fn on_report(&mut self, report: &SenderReport<'_>, ours: Ntp, now: Instant) {
        let theirs = Ntp(report.ntp);
        let arrival = ours.since(theirs);
        let offset = self.offset.get_or_insert(arrival);
        if arrival.abs_diff(*offset) > STEP_MAX {
            *offset = arrival;
        }
        self.pairing = Some((report.timestamp, theirs.plus(*offset)));
        self.last_report = Some((theirs.middle(), now));
    }

    /// The track's timestamp at a moment of our clock.
    pub(super) fn at(&self, ours: Ntp) -> Option<RtpTime> {
        let (time, paired) = self.pairing?;
        let units = (i128::from(ours.since(paired)) * i128::from(CLOCK_HZ)) >> 32;
        let wrapped = u32::try_from(units & 0xffff_ffff).unwrap_or_default();
        Some(time.plus(wrapped))
    }

    /// What a report block says about the last sender report: its middle, and how long ago it
    /// came in 1/65,536 s.
    pub(super) fn last_report(&self, now: Instant) -> (u32, u32) {
        let Some((middle, at)) = self.last_report else { return (0, 0) };
        let delay = now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000;
        (middle, u32::try_from(delay).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    const SECOND: i64 = 1 << 32;

    #[test]
    fn time_runs_on_from_the_last_report_whatever_the_sender_thinks_the_year_is() {
        let (now, ours, theirs) = (start(), Ntp(1 << 60), Ntp(77 << 32));
        let mut clock = SenderClock::default();
        clock.on_packet(RtpTime(5), ours);
        assert_eq!(clock.at(ours.plus(SECOND)), Some(RtpTime(48_005)));

        clock.on_report(&SenderReport::new(1, theirs.0, RtpTime(96_000), 0, 0), ours, now);
        // The second report is 100 ms late; the stream isn't.
        let later = ours.plus(SECOND + SECOND / 10);
        let second = SenderReport::new(1, theirs.plus(SECOND).0, RtpTime(144_000), 0, 0);
        clock.on_report(&second, later, now);
        assert_eq!(clock.at(ours.plus(SECOND)), Some(RtpTime(144_000)));
    }

    #[test]
    fn a_sender_that_sets_its_clock_is_tied_anew() {
        let (now, ours) = (start(), Ntp(1 << 60));
        let mut clock = SenderClock::default();
        clock.on_report(&SenderReport::new(1, 77 << 32, RtpTime(0), 0, 0), ours, now);
        clock.on_report(&SenderReport::new(1, 999 << 32, RtpTime(0), 0, 0), ours, now);
        assert_eq!(clock.at(ours), Some(RtpTime(0)));
    }

    #[test]
    fn the_delay_since_a_report_is_told_in_65536ths() {
        let now = start();
        let mut clock = SenderClock::default();
        clock.on_report(
            &SenderReport::new(1, 0x1234_5678_9abc_def0, RtpTime(0), 0, 0),
            Ntp(0),
            now,
        );
        let told = clock.last_report(now + Duration::from_millis(500));
        assert_eq!(told, (0x5678_9abc, 32_768));
    }
}
