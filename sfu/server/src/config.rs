//! How one SFU node is set up.

use std::net::IpAddr;

use proto::{livekit, pool::Owner};

/// What a node has to be told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the node among others, in logs and to clients, and this life of it.
    pub owner: Owner,
    /// Where the node stands, as operators call it. May be empty.
    pub region: String,
    /// What clients are told runs here.
    pub version: &'static str,
    /// Where media is received. Each shard has one socket for each.
    pub media: Vec<MediaAddress>,
    /// Port of the first shard; the next has the next.
    pub first_port: u16,
    /// Threads that forward. One a core is most.
    pub shards: usize,
    /// STUN and TURN servers handed to clients.
    pub ice_servers: Vec<livekit::IceServer>,
}

/// One address of this machine, and what the world calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaAddress {
    /// What sockets bind.
    pub bind: IpAddr,
    /// What clients are offered: the same, unless NAT stands between.
    pub advertise: IpAddr,
}
