//! What a shard has to be told when it starts.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use proto::livekit;

/// One shard's place in the world.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the node in what clients are told about the server.
    pub node_id: String,
    pub region: String,
    /// Our own version, for people who look at what a client was told.
    pub version: &'static str,
    /// Where this shard's media socket is reached, preferred first.
    pub candidates: Vec<SocketAddr>,
    /// SHA-256 of the DTLS certificate.
    pub fingerprint: [u8; 32],
    /// The instant at which wall time was `started_unix_micros`.
    pub started: Instant,
    pub started_unix_micros: u64,
    /// STUN and TURN servers that clients may use.
    pub ice_servers: Vec<livekit::IceServer>,
    /// The echo caller's clip: Opus packets of 20 ms each.
    pub greeting: Vec<Bytes>,
}
