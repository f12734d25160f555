//! What came of a request.

use proto::control::{OperationError, Reply};

use super::{MessageError, nothing, present};
use crate::message::{self as pb, refusal::Why, reply::Result as Message};

type Outcome = Result<Reply, OperationError>;

impl From<Outcome> for Message {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Ok(Reply::Done) => Self::Done(nothing()),
            Ok(Reply::Room(room)) => Self::Room(*room),
            Ok(Reply::Participant(info)) => Self::Participant(*info),
            Ok(Reply::Participants(participants)) => {
                Self::Participants(pb::Participants { participants })
            }
            Ok(Reply::Track(track)) => Self::Track(pb::Track { track: track.map(|track| *track) }),
            Err(error) => Self::Refusal(pb::Refusal { why: Some(error.into()) }),
        }
    }
}

impl TryFrom<Message> for Outcome {
    type Error = MessageError;

    fn try_from(message: Message) -> Result<Self, MessageError> {
        Ok(match message {
            Message::Done(_) => Ok(Reply::Done),
            Message::Room(room) => Ok(Reply::Room(Box::new(room))),
            Message::Participant(info) => Ok(Reply::Participant(Box::new(info))),
            Message::Participants(list) => Ok(Reply::Participants(list.participants)),
            Message::Track(track) => Ok(Reply::Track(track.track.map(Box::new))),
            Message::Refusal(refusal) => Err(present("refusal", refusal.why)?.into()),
        })
    }
}

impl From<OperationError> for Why {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NoSuchRoom => Self::NoSuchRoom(nothing()),
            OperationError::NoSuchParticipant => Self::NoSuchParticipant(nothing()),
            OperationError::NoSuchTrack => Self::NoSuchTrack(nothing()),
            OperationError::RemoteUnmute => Self::RemoteUnmute(nothing()),
            OperationError::Invalid(detail) => Self::Invalid(detail.into()),
            OperationError::Exhausted(detail) => Self::Exhausted(detail.into()),
        }
    }
}

impl From<Why> for OperationError {
    fn from(why: Why) -> Self {
        match why {
            Why::NoSuchRoom(_) => Self::NoSuchRoom,
            Why::NoSuchParticipant(_) => Self::NoSuchParticipant,
            Why::NoSuchTrack(_) => Self::NoSuchTrack,
            Why::RemoteUnmute(_) => Self::RemoteUnmute,
            Why::Invalid(detail) => Self::Invalid(detail.into()),
            Why::Exhausted(detail) => Self::Exhausted(detail.into()),
        }
    }
}
