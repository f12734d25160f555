//! What a shard asks of its shell.

use std::time::Instant;

use bytes::Bytes;
use proto::{
    control::Event,
    data::{Channel, ChannelSide},
    ice,
    link::LinkFrame,
};

use crate::{LinkId, TransportId};

/// One thing to do. Asked for in order.
#[derive(Debug)]
#[must_use]
pub enum Output {
    Event(Event),
    Transport {
        id: TransportId,
        action: TransportAction,
    },
    Data {
        to: TransportId,
        channel: Channel,
        payload: Bytes,
    },
    /// A compound packet in plain text.
    Rtcp {
        to: TransportId,
        packet: Vec<u8>,
    },
    /// A packet of the server's own making, for each of these listeners.
    Voice {
        to: Vec<Forward>,
        payload: Bytes,
    },
    /// What a link is told between packets: everything but [`LinkFrame::Packets`].
    Link {
        id: LinkId,
        frame: LinkFrame,
    },
    /// Drained. Wake the shard at this instant, or at the next input, whichever comes first.
    Idle(Option<Instant>),
}

/// What to do with a peer connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportAction {
    /// Comes first for every id.
    Open { local: ice::Credentials, channels: ChannelSide },
    /// What the peer's description says. Credentials are absent where it leaves checks unnamed.
    SetRemote { ice: Option<ice::Credentials>, fingerprint: [u8; 32] },
    /// Expect checks under new credentials; the old stay good until the new are used.
    RestartIce { local: ice::Credentials },
    /// Comes last for every id.
    Close,
}

/// One listener's copy of a packet: the header fields that differ, and the index to seal it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub to: TransportId,
    pub ssrc: u32,
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    /// Upper bits of the send index: how often `sequence` has wrapped.
    pub roc: u32,
    pub timestamp: u32,
    /// The id under which this listener negotiated the audio level (RFC 6464); 0 leaves it out.
    pub level_extension: u8,
    /// The level as on the wire: voice activity bit and −dBov.
    pub level: u8,
    pub payload: PayloadPart,
}

/// Which part of the received payload to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadPart {
    Whole,
    /// RED cut down to its primary block, which starts here.
    From(usize),
}
