//! A LiveKit client on the crate `webrtc`, a stack that shares no line with our own.
//!
//! Tests join it to the built executable as an independent peer. [`attack`] holds what the two
//! defects that keep that crate out of the server are set off with
//! (`docs/decisions/0002-webrtc-crate-stays-out-of-the-server.md`).

pub mod attack;
mod connection;
mod limits;
mod microphone;
mod participant;
mod session;
mod signal;
mod token;
mod usage;

pub use microphone::Microphone;
pub use participant::{Event, Participant, Sound};
pub use signal::Signal;
pub use token::room_token;
pub use usage::Usage;
