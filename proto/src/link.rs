//! What travels over the link by which a room's voice leaves its owner: to a recorder, and by the
//! same frames to another shard or node.
//!
//! A link is opened for one room under one epoch. Its first frame is [`LinkFrame::Opened`] or
//! [`LinkFrame::Closed`], its last is [`LinkFrame::Closed`]; a link that ends without one was cut.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    ids::{Epoch, Identity, ParticipantSid, RoomName, RoomSid, TrackSid},
    livekit,
};

/// Microseconds since 1970, by the clock of the room's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMicros(pub u64);

/// From a time since 1970; what is out of range ends at the range's end.
impl From<Duration> for UnixMicros {
    fn from(since_1970: Duration) -> Self {
        Self(u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX))
    }
}

/// The time since 1970.
impl From<UnixMicros> for Duration {
    fn from(UnixMicros(micros): UnixMicros) -> Self {
        Self::from_micros(micros)
    }
}

/// Asks the owner of `room` for its voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    pub room: RoomName,
    /// The epoch under which the asker knows the owner.
    pub epoch: Epoch,
    pub purpose: LinkPurpose,
}

/// What the listener does with what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Keeps it. The room's participants are told that they are recorded while the link is open,
    /// and a track whose owner chose who may hear it is left out.
    Recording,
    /// Passes it on to people who are in the room elsewhere. Nobody is told.
    Relay,
}

/// Owner → listener, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkFrame {
    /// The room is here. Tracks that are published already follow as [`LinkFrame::TrackStarted`].
    Opened {
        sid: RoomSid,
        epoch: Epoch,
        at: UnixMicros,
    },
    TrackStarted(Box<LinkTrack>),
    /// Voice, in the order of its arrival.
    Packets(Vec<LinkPacket>),
    /// The participant, or a moderator, muted or unmuted the track. While it is muted, no packet
    /// of it follows, though its sender's numbers may go on.
    TrackMuted {
        track: LinkTrackId,
        muted: bool,
        at: UnixMicros,
    },
    TrackEnded {
        track: LinkTrackId,
        at: UnixMicros,
    },
    /// Nothing follows.
    Closed(LinkClosed),
}

/// Names a track within one link. Never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkTrackId(pub u32);

/// Whose voice follows under `id`. Voice of the server's own making is in no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkTrack {
    pub id: LinkTrackId,
    pub sid: TrackSid,
    pub name: String,
    pub source: livekit::TrackSource,
    pub muted: bool,
    pub participant: ParticipantSid,
    pub identity: Identity,
    pub participant_name: String,
    pub at: UnixMicros,
}

/// One RTP packet, opened: what its sender sealed, and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPacket {
    pub track: LinkTrackId,
    pub received: UnixMicros,
    /// The sequence number with the wraps counted: grows by one a packet, whatever was lost.
    pub index: u64,
    /// RTP time: 48 kHz, wraps (RFC 7587 §4.1).
    pub timestamp: u32,
    pub encoding: LinkEncoding,
    pub payload: Bytes,
}

/// What a [`LinkPacket`]'s payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEncoding {
    /// One Opus packet (RFC 6716).
    Opus,
    /// Redundant audio (RFC 2198) whose blocks are Opus; the newest starts at `primary`.
    Red { primary: usize },
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkClosed {
    /// The room is over.
    #[error("the room is over")]
    RoomEnded,
    /// No such room lives here.
    #[error("the room isn't here")]
    NoSuchRoom,
    /// The asker's epoch is not the owner's, which is this one.
    #[error("the room is owned under epoch {current}")]
    StaleEpoch { current: Epoch },
    /// The listener read too slowly. What it missed is lost to it; it may open another link.
    #[error("the listener was too slow")]
    TooSlow,
    /// The room has as many links as it may have, or the node is going away.
    #[error("the node can't take another link")]
    Refused,
}
