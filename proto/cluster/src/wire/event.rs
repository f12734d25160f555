//! Events: SFU → signaling.

use proto::control::{ConnectionFailure, Event, Happening, MediaStage, RequestId, What};

use super::{MessageError, epoch, known, nothing, parsed, present, session, session_id};
use crate::message::{self as pb, event::What as Message, happening::What as Happened};

impl From<Event> for pb::Event {
    fn from(event: Event) -> Self {
        let what = match event {
            Event::Signal { session: id, response } => {
                Message::Signal(pb::SignalOut { session: session(id), response: Some(*response) })
            }
            Event::RefreshToken { session: id, grants } => {
                let grants = Some((*grants).into());
                Message::RefreshToken(pb::RefreshToken { session: session(id), grants })
            }
            Event::Reached { session: id, stage } => {
                let stage = pb::MediaStage::from(stage).into();
                Message::Reached(pb::Reached { session: session(id), stage })
            }
            Event::Close { session: id } => {
                Message::Close(pb::Session { id: id.0.to_be_bytes().to_vec() })
            }
            Event::Reply { request, result } => {
                Message::Reply(pb::Reply { request: request.0, result: Some(result.into()) })
            }
            Event::Rooms { request, rooms } => {
                Message::Rooms(pb::Rooms { request: request.0, rooms })
            }
            Event::StaleEpoch { room, session: id, request, current } => {
                Message::StaleEpoch(pb::StaleEpoch {
                    room: room.into(),
                    session: id.and_then(session),
                    request: request.map(|request| request.0),
                    current: current.0,
                })
            }
            Event::Happened(happening) => Message::Happened((*happening).into()),
        };
        Self { what: Some(what) }
    }
}

impl TryFrom<pb::Event> for Event {
    type Error = MessageError;

    fn try_from(event: pb::Event) -> Result<Self, MessageError> {
        match present("event", event.what)? {
            Message::Welcome(_) => Err(MessageError::Malformed("event: a second welcome")),
            Message::Signal(signal) => Ok(Self::Signal {
                session: session_id(signal.session)?,
                response: Box::new(present("signal response", signal.response)?),
            }),
            Message::RefreshToken(refresh) => Ok(Self::RefreshToken {
                session: session_id(refresh.session)?,
                grants: Box::new(present("grants", refresh.grants)?.into()),
            }),
            Message::Reached(reached) => {
                let stage: pb::MediaStage = known("stage", reached.stage)?;
                let session = session_id(reached.session)?;
                Ok(Self::Reached { session, stage: stage.try_into()? })
            }
            Message::Close(session) => Ok(Self::Close { session: session_id(Some(session))? }),
            Message::Reply(reply) => Ok(Self::Reply {
                request: RequestId(reply.request),
                result: present("reply", reply.result)?.try_into()?,
            }),
            Message::Rooms(pb::Rooms { request, rooms }) => {
                Ok(Self::Rooms { request: RequestId(request), rooms })
            }
            Message::StaleEpoch(stale) => stale.try_into(),
            Message::Happened(happening) => Ok(Self::Happened(Box::new(happening.try_into()?))),
        }
    }
}

impl TryFrom<pb::StaleEpoch> for Event {
    type Error = MessageError;

    fn try_from(stale: pb::StaleEpoch) -> Result<Self, MessageError> {
        Ok(Self::StaleEpoch {
            room: parsed("room", &stale.room)?,
            session: stale.session.map(|session| session_id(Some(session))).transpose()?,
            request: stale.request.map(RequestId),
            current: epoch(stale.current)?,
        })
    }
}

impl From<Happening> for pb::Happening {
    fn from(happening: Happening) -> Self {
        let Happening { room, epoch, info, what } = happening;
        let what = match what {
            What::RoomStarted => Happened::RoomStarted(nothing()),
            What::RoomFinished => Happened::RoomFinished(nothing()),
            What::ParticipantJoined { participant } => Happened::ParticipantJoined(*participant),
            What::ParticipantLeft { participant, reason, session_seconds } => {
                Happened::ParticipantLeft(pb::ParticipantLeft {
                    participant: Some(*participant),
                    reason: reason.into(),
                    session_seconds,
                })
            }
            What::ConnectionFailed { participant, cause } => {
                let cause = pb::ConnectionFailure::from(cause).into();
                let participant = Some(*participant);
                Happened::ConnectionFailed(pb::ConnectionFailed { participant, cause })
            }
            What::TrackPublished { participant, track } => {
                Happened::TrackPublished(pb::TrackChange {
                    participant: Some(*participant),
                    track: Some(*track),
                })
            }
            What::TrackUnpublished { participant, track } => {
                Happened::TrackUnpublished(pb::TrackChange {
                    participant: Some(*participant),
                    track: Some(*track),
                })
            }
        };
        Self { room: room.into(), epoch: epoch.0, info: Some(info), what: Some(what) }
    }
}

impl TryFrom<pb::Happening> for Happening {
    type Error = MessageError;

    fn try_from(happening: pb::Happening) -> Result<Self, MessageError> {
        Ok(Self {
            room: parsed("room", &happening.room)?,
            epoch: epoch(happening.epoch)?,
            info: present("room info", happening.info)?,
            what: present("happening", happening.what)?.try_into()?,
        })
    }
}

impl TryFrom<Happened> for What {
    type Error = MessageError;

    fn try_from(what: Happened) -> Result<Self, MessageError> {
        let participant = |info| present("participant", info).map(Box::new);
        match what {
            Happened::RoomStarted(_) => Ok(Self::RoomStarted),
            Happened::RoomFinished(_) => Ok(Self::RoomFinished),
            Happened::ParticipantJoined(info) => {
                Ok(Self::ParticipantJoined { participant: Box::new(info) })
            }
            Happened::ParticipantLeft(left) => Ok(Self::ParticipantLeft {
                participant: participant(left.participant)?,
                reason: known("reason", left.reason)?,
                session_seconds: left.session_seconds,
            }),
            Happened::ConnectionFailed(failed) => {
                let cause: pb::ConnectionFailure = known("cause", failed.cause)?;
                let participant = participant(failed.participant)?;
                Ok(Self::ConnectionFailed { participant, cause: cause.try_into()? })
            }
            Happened::TrackPublished(change) => Ok(Self::TrackPublished {
                participant: participant(change.participant)?,
                track: Box::new(present("track", change.track)?),
            }),
            Happened::TrackUnpublished(change) => Ok(Self::TrackUnpublished {
                participant: participant(change.participant)?,
                track: Box::new(present("track", change.track)?),
            }),
        }
    }
}

impl From<ConnectionFailure> for pb::ConnectionFailure {
    fn from(cause: ConnectionFailure) -> Self {
        match cause {
            ConnectionFailure::NoStunReceived => Self::NoStunReceived,
            ConnectionFailure::StunUnauthenticated => Self::StunUnauthenticated,
            ConnectionFailure::DtlsTimeout => Self::DtlsTimeout,
            ConnectionFailure::DtlsFingerprint => Self::DtlsFingerprint,
            ConnectionFailure::DtlsFailed => Self::DtlsFailed,
            ConnectionFailure::ConsentExpired => Self::ConsentExpired,
        }
    }
}

impl TryFrom<pb::ConnectionFailure> for ConnectionFailure {
    type Error = MessageError;

    fn try_from(cause: pb::ConnectionFailure) -> Result<Self, MessageError> {
        match cause {
            pb::ConnectionFailure::Unspecified => Err(MessageError::Absent("cause")),
            pb::ConnectionFailure::NoStunReceived => Ok(Self::NoStunReceived),
            pb::ConnectionFailure::StunUnauthenticated => Ok(Self::StunUnauthenticated),
            pb::ConnectionFailure::DtlsTimeout => Ok(Self::DtlsTimeout),
            pb::ConnectionFailure::DtlsFingerprint => Ok(Self::DtlsFingerprint),
            pb::ConnectionFailure::DtlsFailed => Ok(Self::DtlsFailed),
            pb::ConnectionFailure::ConsentExpired => Ok(Self::ConsentExpired),
        }
    }
}

impl From<MediaStage> for pb::MediaStage {
    fn from(stage: MediaStage) -> Self {
        match stage {
            MediaStage::Ice => Self::Ice,
            MediaStage::Dtls => Self::Dtls,
            MediaStage::FirstPacket => Self::FirstPacket,
        }
    }
}

impl TryFrom<pb::MediaStage> for MediaStage {
    type Error = MessageError;

    fn try_from(stage: pb::MediaStage) -> Result<Self, MessageError> {
        match stage {
            pb::MediaStage::Unspecified => Err(MessageError::Absent("stage")),
            pb::MediaStage::Ice => Ok(Self::Ice),
            pb::MediaStage::Dtls => Ok(Self::Dtls),
            pb::MediaStage::FirstPacket => Ok(Self::FirstPacket),
        }
    }
}
