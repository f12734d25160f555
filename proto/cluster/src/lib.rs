//! The wire between the processes of a pool: signaling to SFU nodes, recorders to SFU nodes.
//!
//! Both ends of it are plain channels of `proto`'s values. This is the only crate that names
//! tonic. One call is one TCP connection, so that a reader who is slow holds up nobody else; a
//! peer that is dead, cut off or frozen is noticed within 2 s.
//!
//! A message that can't be read, because it is malformed or of a kind that a later release has
//! added, is logged and skipped; what isn't a message at all ends the connection.

pub mod client;
mod gate;
mod limits;
pub mod server;
mod streams;
mod token;
mod wire;

pub use crate::token::{InvalidToken, Token};

/// The messages of `schema/cluster.proto`.
#[expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "generated from the schema, which has the comments"
)]
mod message {
    include!(concat!(env!("OUT_DIR"), "/adda.cluster.v1.rs"));
}
