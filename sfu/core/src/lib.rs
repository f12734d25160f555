//! The rooms of one shard: who is in them, what they negotiated, who hears whom.
//!
//! Sans-IO: time and randomness are arguments, everything to be done comes out of
//! [`Shard::poll_output`] as a value. Knows SDP, the signalling messages, RTP headers and RTCP;
//! knows no socket, no cipher, no ICE or DTLS machinery (that is `sfu-rtc`), and never decodes
//! audio.
//!
//! # Invariants
//!
//! - A packet reaches only members of the room it was sent in, never its sender, and links opened
//!   to that room.
//! - A packet is believed only from the transport its stream was signalled on.
//! - Two sends under one (transport, SSRC) never share an index: every subscription has its own
//!   SSRC, and its index only grows.
//! - Nothing is asked of a transport after its [`TransportAction::Close`].

mod clock;
mod config;
mod context;
mod input;
mod limits;
mod link;
mod output;
mod random;
mod room;
mod rooms;
mod shard;
mod stats;
mod timers;
mod transport;
mod transports;

pub use crate::{
    config::Config,
    input::{Input, TransportEvent},
    link::{Delivery, LinkAction, LinkId, Tap},
    output::{Forward, Output, PayloadPart, TransportAction},
    shard::Shard,
    stats::Stats,
    transport::TransportId,
};
