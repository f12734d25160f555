//! An SFU node: shards with their sockets, and the mailbox through which signaling reaches them.
//!
//! [`Node::start`] binds the media ports and starts one thread a shard. From then on the node is
//! two channels of plain values, [`proto::control::Command`] in and [`proto::control::Event`]
//! out, a third by which listeners ask for a room's voice, and one counter snapshot a shard.

mod clock;
mod config;
mod greeting;
mod limits;
mod links;
mod metrics;
mod node;
mod shard;
mod socket;
mod stats;

pub use crate::{
    config::{Config, MediaAddress},
    links::OpenLink,
    metrics::register,
    node::{Node, StartError},
    stats::{DELAY_BOUNDS_MICROS, DelayHistogram, IoStats, Snapshot},
};
