//! Between messages and values, without loss; what a message can't mean is an error value.

mod command;
mod event;
mod grants;
mod link;
mod operation;
mod reply;
#[cfg(test)]
mod tests;

use proto::ids::{Epoch, SessionId};

use crate::message as pb;

/// Why a message is no value of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Either it isn't there, or a later release has a kind that this one doesn't know.
    #[error("{0} is missing, or of a kind that this release doesn't know")]
    Absent(&'static str),
    #[error("{field} has value {value}, which this release doesn't know")]
    Unknown { field: &'static str, value: i32 },
    #[error("{0} is malformed")]
    Malformed(&'static str),
}

fn nothing() -> pb::Nothing {
    pb::Nothing {}
}

/// Reads a text that has rules of its own.
fn parsed<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<T, MessageError> {
    text.parse().map_err(|_| MessageError::Malformed(field))
}

fn present<T>(field: &'static str, value: Option<T>) -> Result<T, MessageError> {
    value.ok_or(MessageError::Absent(field))
}

fn known<T: TryFrom<i32>>(field: &'static str, value: i32) -> Result<T, MessageError> {
    T::try_from(value).map_err(|_| MessageError::Unknown { field, value })
}

/// No room is owned under epoch 0: it stands where the sender said none.
fn epoch(value: u64) -> Result<Epoch, MessageError> {
    if value == 0 { Err(MessageError::Absent("epoch")) } else { Ok(Epoch(value)) }
}

fn session(id: SessionId) -> Option<pb::Session> {
    Some(pb::Session { id: id.0.to_be_bytes().to_vec() })
}

fn session_id(session: Option<pb::Session>) -> Result<SessionId, MessageError> {
    let bytes = present("session", session)?.id.try_into();
    bytes
        .map(|bytes| SessionId(u128::from_be_bytes(bytes)))
        .map_err(|_| MessageError::Malformed("session"))
}
