//! The ways between people and servers.

use std::time::Duration;

use crate::{Random, clock::Time};

/// How good a way is, in each direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quality {
    pub latency: Duration,
    /// Added to the latency, anew for each parcel: what reorders them.
    pub jitter: Duration,
    pub lost_per_mille: u64,
    pub doubled_per_mille: u64,
}

/// One direction of one connection. Its fortune depends on nothing but seed, name and use.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    quality: Quality,
    random: Random,
    latest: Time,
}

impl Way {
    pub(crate) fn new(quality: Quality, random: Random) -> Self {
        Self { quality, random, latest: Time::ZERO }
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub(crate) fn arrivals(&mut self, now: Time) -> impl Iterator<Item = Time> + use<> {
        let lost = self.random.happens(self.quality.lost_per_mille);
        let doubled = self.random.happens(self.quality.doubled_per_mille);
        let (first, second) = (self.delay(), self.delay());
        let first = (!lost).then_some(now + first);
        first.into_iter().chain(doubled.then_some(now + second))
    }

    /// When a message of a stream arrives: behind those before it.
    pub(crate) fn in_order(&mut self, now: Time) -> Time {
        self.latest = self.latest.max(now + self.delay());
        self.latest
    }

    fn delay(&mut self) -> Duration {
        let jitter = u64::try_from(self.quality.jitter.as_micros()).unwrap_or_default();
        self.quality.latency + Duration::from_micros(self.random.below(jitter + 1))
    }
}
