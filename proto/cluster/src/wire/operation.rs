//! Calls of the RoomService that a room's owner carries out.

use proto::control::Operation;

use super::nothing;
use crate::message::{self as pb, admin::Operation as Message};

impl From<Operation> for Message {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Create(request) => Self::Create(request),
            Operation::Delete => Self::Delete(nothing()),
            Operation::ListParticipants => Self::ListParticipants(nothing()),
            Operation::GetParticipant { identity } => Self::GetParticipant(identity),
            Operation::Remove { identity } => Self::Remove(identity),
            Operation::MuteTrack { identity, track_sid, muted } => {
                Self::MuteTrack(pb::MuteTrack { identity, track_sid, muted })
            }
            Operation::UpdateParticipant(request) => Self::UpdateParticipant(request),
            Operation::UpdateSubscriptions(request) => Self::UpdateSubscriptions(request),
            Operation::SendData(request) => Self::SendData(request),
            Operation::UpdateMetadata { metadata } => Self::UpdateMetadata(metadata),
        }
    }
}

impl From<Message> for Operation {
    fn from(message: Message) -> Self {
        match message {
            Message::Create(request) => Self::Create(request),
            Message::Delete(_) => Self::Delete,
            Message::ListParticipants(_) => Self::ListParticipants,
            Message::GetParticipant(identity) => Self::GetParticipant { identity },
            Message::Remove(identity) => Self::Remove { identity },
            Message::MuteTrack(pb::MuteTrack { identity, track_sid, muted }) => {
                Self::MuteTrack { identity, track_sid, muted }
            }
            Message::UpdateParticipant(request) => Self::UpdateParticipant(request),
            Message::UpdateSubscriptions(request) => Self::UpdateSubscriptions(request),
            Message::SendData(request) => Self::SendData(request),
            Message::UpdateMetadata(metadata) => Self::UpdateMetadata { metadata },
        }
    }
}
