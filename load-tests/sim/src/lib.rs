//! Rooms full of people on a bad network, in virtual time: the same story for the same seed.
//!
//! A [`Plan`] says who does what when. [`play`] lets simulated LiveKit clients carry it out
//! against real [`sfu_core::Shard`]s: they speak SignalRequest and SDP as SDKs do, their voice is
//! plain RTP whose payload names the talker, and every datagram crosses a network that loses,
//! delays, reorders and doubles. What happened becomes a [`Recording`], and the [`oracle`]s say
//! what is wrong with it. Nothing here reads a clock or draws randomness but from the seed.

mod client;
mod clock;
mod network;
pub mod oracle;
mod plan;
mod random;
mod recording;
mod shell;
mod voice;
mod world;

pub use plan::{Act, Grant, Persona, Plan, Step};
pub use random::Random;
pub use recording::{
    Admitted, Claim, Fault, Heard, Joined, LinkEvent, Received, Recording, Said, Sent, Told,
};
pub use world::play;

/// Who somebody is: their place among a plan's people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub u16);

/// Which room: its place among a plan's rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u16);
