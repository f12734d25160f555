//! What a shard has done, as plain values that are sent, never shared.

use std::time::{Duration, Instant};

use sfu_rtc::Unbelieved;

/// Upper bounds of the forwarding-delay buckets, in microseconds; one more bucket is endless.
pub const DELAY_BOUNDS_MICROS: [u64; 15] =
    [25, 50, 100, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 50_000, 200_000];

/// How long forwarded packets spent here, from the kernel's receipt to the kernel's hand-over.
#[derive(Clone, Copy, Debug, Default)]
pub struct DelayHistogram {
    /// Not cumulative; the last is everything above the highest bound.
    pub buckets: [u64; DELAY_BOUNDS_MICROS.len() + 1],
    /// Sum over all packets.
    pub sum_nanos: u64,
}

impl DelayHistogram {
    /// Counts `packets` that all spent `delay` here.
    pub(crate) fn record(&mut self, delay: Duration, packets: u64) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let bucket = DELAY_BOUNDS_MICROS.partition_point(|bound| bound * 1_000 < nanos);
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *bucket += packets;
        }
        self.sum_nanos = self.sum_nanos.saturating_add(nanos.saturating_mul(packets));
    }
}

/// What the shell of a shard counted. Only ever grows.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoStats {
    /// Datagrams read.
    pub datagrams_in: u64,
    /// Bytes read, without UDP and IP headers.
    pub bytes_in: u64,
    /// Datagrams the kernel took.
    pub datagrams_out: u64,
    /// Bytes queued to be sent.
    pub bytes_out: u64,
    /// Bytes of the packets of voice that were believed, as they came.
    pub rtp_bytes_in: u64,
    /// Bytes of the copies of voice that were queued, as they leave.
    pub rtp_bytes_out: u64,
    /// Dropped on the way out: the kernel's buffer was full or the address unreachable.
    pub dropped_send: u64,
    /// Dropped: of no protocol we speak (RFC 7983).
    pub dropped_unknown: u64,
    /// Dropped: from an address that proved nothing.
    pub dropped_unverified: u64,
    /// Dropped: STUN that nobody should have sent.
    pub stun: StunRefusals,
    /// Dropped: failed authentication or replayed.
    pub dropped_srtp: u64,
    /// Dropped: not RTP after decryption.
    pub dropped_malformed: u64,
    /// Laps that used up their budget: the shard is falling behind.
    pub laps_exhausted: u64,
    /// Events signaling never got, because it fell behind without bound.
    pub events_lost: u64,
    /// Packets that listeners of links were handed.
    pub link_packets: u64,
    /// Links that ended because their listener was too slow.
    pub link_overruns: u64,
    /// Bugs of ours that cost a session.
    pub invariants_broken: u64,
}

/// STUN messages that were not believed, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StunRefusals {
    /// Unreadable, or without a fingerprint.
    pub malformed: u64,
    /// Names no connection of ours, or another peer than the connection's.
    pub username: u64,
    /// Wrong integrity: somebody guesses, or plays a message back to another connection.
    pub integrity: u64,
    /// Demands something unknown, or is no check.
    pub unsupported: u64,
}

impl StunRefusals {
    pub(crate) fn count(&mut self, why: Unbelieved) {
        match why {
            Unbelieved::Malformed => self.malformed += 1,
            Unbelieved::Username => self.username += 1,
            Unbelieved::Integrity => self.integrity += 1,
            Unbelieved::UnknownAttribute | Unbelieved::Unasked => self.unsupported += 1,
        }
    }
}

/// What the router between shards and signaling nodes has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RouterStats {
    /// Gauge: signaling nodes connected, this process's among them.
    pub(crate) connections: u64,
    /// Connections ended because they didn't take their events.
    pub(crate) cut_off: u64,
}

/// A shard's counters at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// When it was taken. An old one means that the shard is stuck.
    pub at: Instant,
    /// What the core decided.
    pub core: sfu_core::Stats,
    /// What the sockets did.
    pub io: IoStats,
    /// How fast it was.
    pub delay: DelayHistogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_falls_into_the_first_bucket_that_holds_it() {
        let mut delays = DelayHistogram::default();
        delays.record(Duration::from_micros(25), 3);
        delays.record(Duration::from_micros(26), 1);
        delays.record(Duration::from_secs(9), 2);
        assert_eq!(delays.buckets[0], 3);
        assert_eq!(delays.buckets[1], 1);
        assert_eq!(delays.buckets[DELAY_BOUNDS_MICROS.len()], 2);
    }
}
