//! An SFU node: shards with their sockets, and the mailbox through which signaling reaches them.
//!
//! [`Node::start`] binds the media ports and starts one thread a shard. From then on the node is
//! channels of plain values: a [`Connection`] for each signaling node with
//! [`proto::control::Command`] in and [`proto::control::Event`] out, one by which listeners ask
//! for a room's voice, and one counter snapshot a shard. [`Node::serve_cluster`] puts the first
//! two on a port for other processes.

mod clock;
mod cluster;
mod config;
mod greeting;
mod limits;
mod links;
mod liveness;
mod mailbox;
mod metrics;
mod node;
mod router;
mod shard;
mod socket;
mod stats;

pub use crate::{
    config::{Config, MediaAddress},
    links::OpenLink,
    liveness::watch,
    metrics::{register, register_control},
    node::{Node, StartError},
    router::{Connection, Control},
    stats::{DELAY_BOUNDS_MICROS, DelayHistogram, IoStats, Snapshot, StunRefusals},
};
