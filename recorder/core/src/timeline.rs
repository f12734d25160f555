//! Where in a file a packet belongs: by its RTP time while that can be true, else by its arrival.

use proto::{link::UnixMicros, rtp::RtpTime};

use crate::limits::{BEHIND_MICROS_MAX, CLOCK_SKEW_DIVISOR, DETOUR_SAMPLES_MAX};

/// Half of the circle of timestamps: 12.4 hours.
const HALF_CIRCLE: i64 = 1 << 31;

/// A track's time, in samples from its first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// When its first sample came, by the clock of the room's owner.
    origin: UnixMicros,
    /// The newest packet whose RTP time was believed; `None` after an interruption.
    last: Option<Anchor>,
    /// Since when packets have been coming later than clocks and networks explain.
    behind_since: Option<UnixMicros>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Anchor {
    timestamp: RtpTime,
    place: i64,
    arrival: i64,
}

/// What is known of a packet besides its own fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) samples: u64,
    /// Samples written so far.
    pub(crate) end: u64,
    /// Its sender may have stood still before it: it was muted, or began again.
    pub(crate) may_have_paused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By RTP time, which other packets can be reckoned from.
    Timed(i64),
    /// By arrival: what its timestamp says can't be.
    Arrived(i64),
    /// Before what is written.
    Past,
    /// Further ahead than anybody can have spoken.
    Ahead,
}

impl Timeline {
    pub(crate) fn starting(at: UnixMicros) -> Self {
        Self { origin: at, last: None, behind_since: None }
    }

    /// The first sample has this timestamp.
    pub(crate) fn anchor(&mut self, timestamp: RtpTime) {
        self.last = Some(Anchor { timestamp, place: 0, arrival: 0 });
    }

    /// The next packet is placed by its arrival.
    pub(crate) fn interrupt(&mut self) {
        self.last = None;
    }

    /// Finds a packet's place and goes on from there.
    pub(crate) fn place(
        &mut self,
        timestamp: RtpTime,
        received: UnixMicros,
        about: Circumstances,
    ) -> Place {
        let arrival = self.samples_until(received);
        let end = i64::try_from(about.end).unwrap_or(i64::MAX);
        let place = match self.by_timestamp(timestamp, received, arrival, end, about) {
            Some(place) => Place::Timed(place),
            None => Place::Arrived(arrival.max(end)),
        };
        match place {
            Place::Timed(at) if is_past(at, end, about.samples) => Place::Past,
            Place::Arrived(at) if at > arrival + tolerance(arrival) => Place::Ahead,
            Place::Timed(at) | Place::Arrived(at) => {
                if matches!(place, Place::Arrived(_)) {
                    self.behind_since = None;
                }
                self.last = Some(Anchor { timestamp, place: at, arrival });
                place
            }
            Place::Past | Place::Ahead => place,
        }
    }

    /// Returns the place by RTP time, if it can be believed.
    fn by_timestamp(
        &mut self,
        timestamp: RtpTime,
        received: UnixMicros,
        arrival: i64,
        end: i64,
        about: Circumstances,
    ) -> Option<i64> {
        let last = self.last?;
        let place = last.place + unwrapped(timestamp.since(last.timestamp), arrival - last.arrival);
        let behind = arrival - place;
        if -behind > tolerance(arrival) {
            return None;
        }
        if behind <= tolerance(arrival) {
            self.behind_since = None;
            return Some(place);
        }
        if about.may_have_paused || is_past(place, end, about.samples) {
            return None;
        }
        let since = *self.behind_since.get_or_insert(received);
        (received.0.saturating_sub(since.0) < BEHIND_MICROS_MAX).then_some(place)
    }

    /// Samples between the first and `time`.
    pub(crate) fn samples_until(&self, time: UnixMicros) -> i64 {
        let micros = i64::try_from(time.0.saturating_sub(self.origin.0)).unwrap_or(i64::MAX);
        micros.saturating_mul(48) / 1_000
    }
}

/// Whether more than half of a packet lies before what is written.
fn is_past(place: i64, end: i64, samples: u64) -> bool {
    let half = i64::try_from(samples / 2).unwrap_or_default();
    place + half < end
}

/// How far RTP time and arrival may be apart.
fn tolerance(arrival: i64) -> i64 {
    DETOUR_SAMPLES_MAX + arrival / CLOCK_SKEW_DIVISOR
}

/// The step between two timestamps, whose full circles only the time of arrival can count.
fn unwrapped(step: i32, expected: i64) -> i64 {
    let step = i64::from(step);
    let circles = (expected - step + HALF_CIRCLE).div_euclid(2 * HALF_CIRCLE);
    step + circles * 2 * HALF_CIRCLE
}
