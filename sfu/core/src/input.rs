//! What a shard is told.

use proto::{
    control::{Command, ConnectionFailure},
    data::Channel,
};

use crate::{LinkAction, LinkId, TransportId};

/// One thing that happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    Command(Command),
    Transport {
        id: TransportId,
        event: TransportEvent,
    },
    /// A message on a data channel.
    Data {
        id: TransportId,
        channel: Channel,
        payload: &'a [u8],
    },
    /// A decrypted compound packet.
    Rtcp {
        id: TransportId,
        packet: &'a [u8],
    },
    Link {
        id: LinkId,
        action: LinkAction,
    },
}

/// How a peer connection fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// A check passed: the peer is known to be at an address.
    AddressVerified,
    /// ICE and DTLS are done: media can flow.
    Connected,
    ChannelOpen(Channel),
    Failed(ConnectionFailure),
}
