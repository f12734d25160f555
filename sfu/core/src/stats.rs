//! What a shard has done since it started.

/// Counters that only ever grow, and gauges that say so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Gauge: rooms alive.
    pub rooms: u64,
    /// Gauge: participants in them.
    pub participants: u64,
    /// Gauge: published tracks.
    pub tracks: u64,
    /// Gauge: tracks being heard, summed over listeners.
    pub subscriptions: u64,
    /// Gauge: links open.
    pub links: u64,
    /// Packets believed and offered for forwarding.
    pub packets_received: u64,
    /// Copies handed to listeners.
    pub packets_forwarded: u64,
    /// Copies handed to links.
    pub packets_tapped: u64,
    /// Packets of streams that the sender never signalled.
    pub packets_unsignalled: u64,
    /// Packets with a payload type that was not negotiated.
    pub packets_payload_type: u64,
    /// Packets of a muted track.
    pub packets_muted: u64,
    /// Packets that don't parse as what they claim: RED, RTCP, data.
    pub packets_malformed: u64,
    /// RTCP that speaks of streams its sender has no part in.
    pub rtcp_refused: u64,
    /// Data messages handed to receivers.
    pub data_forwarded: u64,
    /// Data messages refused: no right to send, too large, or unreadable.
    pub data_refused: u64,
    /// Signal requests refused: malformed, over a limit, or not allowed.
    pub signals_refused: u64,
    /// Rooms or participants refused because a limit was reached.
    pub joins_refused: u64,
    /// Our own bugs that were noticed and survived.
    pub invariants_broken: u64,
}
