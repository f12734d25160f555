//! Requests for a room's voice, and the frames that carry it.

use proto::link::{
    LinkClosed, LinkEncoding, LinkFrame, LinkPacket, LinkPurpose, LinkRequest, LinkTrack,
    LinkTrackId, UnixMicros,
};

use super::{MessageError, epoch, known, nothing, parsed, present};
use crate::{
    limits::VERSION,
    message::{self as pb, link_closed::Why, link_frame::What, link_packet::Encoding},
};

impl From<LinkRequest> for pb::LinkRequest {
    fn from(request: LinkRequest) -> Self {
        let purpose = match request.purpose {
            LinkPurpose::Recording => pb::LinkPurpose::Recording,
            LinkPurpose::Relay => pb::LinkPurpose::Relay,
        };
        Self {
            version: VERSION,
            room: request.room.into(),
            epoch: request.epoch.0,
            purpose: purpose.into(),
        }
    }
}

impl TryFrom<pb::LinkRequest> for LinkRequest {
    type Error = MessageError;

    fn try_from(request: pb::LinkRequest) -> Result<Self, MessageError> {
        let purpose = match known("purpose", request.purpose)? {
            pb::LinkPurpose::Unspecified => return Err(MessageError::Absent("purpose")),
            pb::LinkPurpose::Recording => LinkPurpose::Recording,
            pb::LinkPurpose::Relay => LinkPurpose::Relay,
        };
        Ok(Self { room: parsed("room", &request.room)?, epoch: epoch(request.epoch)?, purpose })
    }
}

impl From<LinkFrame> for pb::LinkFrame {
    fn from(frame: LinkFrame) -> Self {
        let what = match frame {
            LinkFrame::Opened { sid, epoch, at } => {
                What::Opened(pb::LinkOpened { sid: sid.to_string(), epoch: epoch.0, at: at.0 })
            }
            LinkFrame::TrackStarted(track) => What::TrackStarted((*track).into()),
            LinkFrame::Packets(packets) => What::Packets(pb::LinkPackets {
                packets: packets.into_iter().map(Into::into).collect(),
            }),
            LinkFrame::TrackMuted { track, muted, at } => {
                What::TrackMuted(pb::LinkTrackMuted { track: track.0, muted, at: at.0 })
            }
            LinkFrame::TrackEnded { track, at } => {
                What::TrackEnded(pb::LinkTrackEnded { track: track.0, at: at.0 })
            }
            LinkFrame::Closed(why) => What::Closed(pb::LinkClosed { why: Some(why.into()) }),
        };
        Self { what: Some(what) }
    }
}

impl TryFrom<pb::LinkFrame> for LinkFrame {
    type Error = MessageError;

    fn try_from(frame: pb::LinkFrame) -> Result<Self, MessageError> {
        match present("frame", frame.what)? {
            What::Opened(opened) => Ok(Self::Opened {
                sid: parsed("room sid", &opened.sid)?,
                epoch: epoch(opened.epoch)?,
                at: UnixMicros(opened.at),
            }),
            What::TrackStarted(track) => Ok(Self::TrackStarted(Box::new(track.try_into()?))),
            What::Packets(list) => {
                let packets: Result<_, _> =
                    list.packets.into_iter().map(LinkPacket::try_from).collect();
                Ok(Self::Packets(packets?))
            }
            What::TrackMuted(pb::LinkTrackMuted { track, muted, at }) => {
                Ok(Self::TrackMuted { track: LinkTrackId(track), muted, at: UnixMicros(at) })
            }
            What::TrackEnded(pb::LinkTrackEnded { track, at }) => {
                Ok(Self::TrackEnded { track: LinkTrackId(track), at: UnixMicros(at) })
            }
            What::Closed(closed) => Ok(Self::Closed(present("reason", closed.why)?.try_into()?)),
        }
    }
}

impl From<LinkTrack> for pb::LinkTrack {
    fn from(track: LinkTrack) -> Self {
        Self {
            id: track.id.0,
            sid: track.sid.to_string(),
            name: track.name,
            source: track.source.into(),
            muted: track.muted,
            participant: track.participant.to_string(),
            identity: track.identity.into(),
            participant_name: track.participant_name,
            at: track.at.0,
        }
    }
}

impl TryFrom<pb::LinkTrack> for LinkTrack {
    type Error = MessageError;

    fn try_from(track: pb::LinkTrack) -> Result<Self, MessageError> {
        Ok(Self {
            id: LinkTrackId(track.id),
            sid: parsed("track sid", &track.sid)?,
            name: track.name,
            source: known("source", track.source)?,
            muted: track.muted,
            participant: parsed("participant", &track.participant)?,
            identity: parsed("identity", &track.identity)?,
            participant_name: track.participant_name,
            at: UnixMicros(track.at),
        })
    }
}

impl From<LinkPacket> for pb::LinkPacket {
    fn from(packet: LinkPacket) -> Self {
        let encoding = match packet.encoding {
            LinkEncoding::Opus => Encoding::Opus(nothing()),
            LinkEncoding::Red { primary } => Encoding::Red(primary as u64),
        };
        Self {
            track: packet.track.0,
            received: packet.received.0,
            index: packet.index,
            timestamp: packet.timestamp,
            encoding: Some(encoding),
            payload: packet.payload,
        }
    }
}

impl TryFrom<pb::LinkPacket> for LinkPacket {
    type Error = MessageError;

    fn try_from(packet: pb::LinkPacket) -> Result<Self, MessageError> {
        let encoding = match present("encoding", packet.encoding)? {
            Encoding::Opus(_) => LinkEncoding::Opus,
            Encoding::Red(primary) => {
                let primary = usize::try_from(primary).ok();
                let inside = primary.filter(|primary| *primary <= packet.payload.len());
                let primary = inside.ok_or(MessageError::Malformed("primary block"))?;
                LinkEncoding::Red { primary }
            }
        };
        Ok(Self {
            track: LinkTrackId(packet.track),
            received: UnixMicros(packet.received),
            index: packet.index,
            timestamp: packet.timestamp,
            encoding,
            payload: packet.payload,
        })
    }
}

impl From<LinkClosed> for Why {
    fn from(closed: LinkClosed) -> Self {
        match closed {
            LinkClosed::RoomEnded => Self::RoomEnded(nothing()),
            LinkClosed::NoSuchRoom => Self::NoSuchRoom(nothing()),
            LinkClosed::StaleEpoch { current } => Self::StaleEpoch(current.0),
            LinkClosed::TooSlow => Self::TooSlow(nothing()),
            LinkClosed::Refused => Self::Refused(nothing()),
        }
    }
}

impl TryFrom<Why> for LinkClosed {
    type Error = MessageError;

    fn try_from(why: Why) -> Result<Self, MessageError> {
        Ok(match why {
            Why::RoomEnded(_) => Self::RoomEnded,
            Why::NoSuchRoom(_) => Self::NoSuchRoom,
            Why::StaleEpoch(current) => Self::StaleEpoch { current: epoch(current)? },
            Why::TooSlow(_) => Self::TooSlow,
            Why::Refused(_) => Self::Refused,
        })
    }
}
