//! What arrives on one published stream: its order, its losses, its jitter.

use std::time::{Duration, Instant};

use proto::rtp::{RtpTime, SeqNo};

/// The clock of Opus, whatever its bandwidth (RFC 7587 §4.1).
pub(crate) const CLOCK_HZ: u32 = 48_000;

/// Packets behind the newest that are still told apart, one bit each.
const WINDOW: u64 = 128;

/// Receiver state of RFC 3550, appendices A.1, A.3 and A.8.
#[derive(Debug)]
pub(crate) struct Stream {
    epoch: Instant,
    first: Option<u64>,
    highest: u64,
    /// Bit n: `highest - n` has been received.
    seen: u128,
    received: u64,
    last_transit: Option<RtpTime>,
    /// Scaled by 16, as in A.8.
    jitter_16: u32,
}

/// Totals at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) expected: u64,
    pub(super) received: u64,
}

/// What a receiver report says about a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reception {
    /// Lost since the last report, in 1/256.
    pub(crate) fraction_lost: u8,
    pub(crate) cumulative_lost: i32,
    pub(crate) highest_sequence: u32,
}

impl Stream {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            first: None,
            highest: 0,
            seen: 0,
            received: 0,
            last_transit: None,
            jitter_16: 0,
        }
    }

    /// Takes a packet in and returns its index: the sequence number with the wraps counted.
    ///
    /// `None` for one that was here before, or that is too old to tell. So no index is ever
    /// given twice, on which the listeners' nonces rest.
    pub(crate) fn accept(&mut self, seq: SeqNo, time: RtpTime, now: Instant) -> Option<u64> {
        let index = self.index_of(seq);
        if index > self.highest || self.first.is_none() {
            self.advance(index);
        } else {
            self.fill(index)?;
        }
        self.received += 1;
        self.measure_jitter(time, now);
        Some(index)
    }

    /// One wrap ahead of zero, so that what was sent before the first packet has an index too.
    fn index_of(&self, seq: SeqNo) -> u64 {
        if self.first.is_none() {
            return 0x1_0000 + u64::from(seq.0);
        }
        let newest = SeqNo(u16::try_from(self.highest & 0xffff).unwrap_or_default());
        self.highest.saturating_add_signed(i64::from(seq.since(newest)))
    }

    fn advance(&mut self, index: u64) {
        let steps = index - self.highest;
        let shifted = u32::try_from(steps).ok().and_then(|steps| self.seen.checked_shl(steps));
        self.seen = shifted.unwrap_or_default() | 1;
        self.highest = index;
        self.first.get_or_insert(index);
    }

    fn fill(&mut self, index: u64) -> Option<()> {
        let age = self.highest - index;
        let bit = 1_u128.checked_shl(u32::try_from(age).ok()?).filter(|_| age < WINDOW)?;
        if self.seen & bit != 0 {
            return None;
        }
        self.seen |= bit;
        Some(())
    }

    fn measure_jitter(&mut self, time: RtpTime, now: Instant) {
        let transit = units(now.saturating_duration_since(self.epoch)).minus(time.0);
        if let Some(last) = self.last_transit.replace(transit) {
            let difference = transit.since(last).unsigned_abs();
            // A jump of a second is a new talk spurt's clock, not the network.
            if difference < CLOCK_HZ {
                self.jitter_16 = (self.jitter_16 + difference)
                    .saturating_sub(self.jitter_16.saturating_add(8) >> 4);
            }
        }
    }

    pub(super) fn counted(&self) -> Counted {
        let expected = self.first.map_or(0, |first| self.highest - first + 1);
        Counted { expected, received: self.received }
    }

    /// In units of the stream's clock.
    pub(super) fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// What to report, with the losses since `before`.
    pub(super) fn reception_since(&self, before: &Counted) -> Option<Reception> {
        self.first?;
        let now = self.counted();
        let newly_expected = now.expected - before.expected;
        let newly_lost = newly_expected.saturating_sub(now.received - before.received);
        let fraction = (newly_lost * 256).checked_div(newly_expected).unwrap_or_default();
        let lost = i64::try_from(now.expected).ok()? - i64::try_from(now.received).ok()?;
        Some(Reception {
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).ok()?,
            // Of the wraps that never were (see `index_of`) the peer must not hear.
            highest_sequence: u32::try_from((self.highest - 0x1_0000) & 0xffff_ffff).ok()?,
        })
    }
}

/// A duration on the stream's clock, wrapped as timestamps are.
pub(crate) fn units(duration: Duration) -> RtpTime {
    let units = duration.as_micros() * u128::from(CLOCK_HZ) / 1_000_000;
    RtpTime(u32::try_from(units & 0xffff_ffff).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn stream() -> (Stream, Instant) {
        let now = Instant::now();
        (Stream::new(now), now)
    }

    #[test]
    fn an_index_counts_the_wraps() {
        let (mut stream, now) = stream();
        let mut accept = |seq| stream.accept(SeqNo(seq), RtpTime(0), now);
        assert_eq!(accept(65_534), Some(0x1_fffe));
        assert_eq!(accept(1), Some(0x2_0001));
        assert_eq!(accept(65_535), Some(0x1_ffff));
        assert_eq!(accept(0), Some(0x2_0000));
    }

    #[test]
    fn no_packet_is_taken_twice() {
        arbtest::arbtest(|u| {
            let (mut stream, now) = stream();
            let mut taken = std::collections::BTreeSet::new();
            for _ in 0..u.int_in_range(0..=400)? {
                let seq = u.int_in_range(0..=300)?;
                if let Some(index) = stream.accept(SeqNo(seq), RtpTime(0), now) {
                    assert!(taken.insert(index), "{index} twice");
                }
            }
            Ok(())
        });
    }

    #[test]
    fn losses_are_counted_between_reports() {
        let (mut stream, now) = stream();
        for seq in (0..100).filter(|seq| seq % 4 != 3) {
            stream.accept(SeqNo(seq), RtpTime(u32::from(seq) * 960), now);
        }
        let first = stream.reception_since(&Counted::default()).unwrap();
        let counted = stream.counted();
        assert_eq!(first.cumulative_lost, 24);
        assert_eq!(u32::from(first.fraction_lost), 24 * 256 / 99);
        assert_eq!(first.highest_sequence, 98);
        for seq in 99..149 {
            stream.accept(SeqNo(seq), RtpTime(u32::from(seq) * 960), now);
        }
        assert_eq!(stream.reception_since(&counted).unwrap().fraction_lost, 0);
    }

    #[test]
    fn an_even_stream_has_no_jitter_and_an_uneven_one_has() {
        let (mut stream, start) = stream();
        for n in 0..50_u16 {
            let now = start + Duration::from_millis(u64::from(n) * 20);
            stream.accept(SeqNo(n), RtpTime(u32::from(n) * 960), now);
        }
        assert_eq!(stream.jitter(), 0);
        for n in 50..150_u16 {
            let late = u64::from(n % 2) * 10;
            let now = start + Duration::from_millis(u64::from(n) * 20 + late);
            stream.accept(SeqNo(n), RtpTime(u32::from(n) * 960), now);
        }
        let jitter = stream.jitter();
        assert!((400..=480).contains(&jitter), "{jitter}");
    }
}
