//! All rooms of one shard.

use std::time::Instant;

use crate::{Config, Forward, Input, Output, Stats, TransportId};

/// The rooms one thread owns, driven by the four verbs.
#[derive(Debug)]
pub struct Shard {
    config: Config,
    stats: Stats,
}

impl Shard {
    /// Every id, ufrag, password and SSRC comes from `seed`, which must be secret.
    pub fn new(config: Config, _seed: [u8; 32], _now: Instant) -> Self {
        Self { config, stats: Stats::default() }
    }

    pub fn handle_input(&mut self, _input: Input<'_>, _now: Instant) {}

    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Returns the next thing to do; [`Output::Idle`] once there is nothing left.
    pub fn poll_output(&mut self) -> Output {
        let _ = &self.config;
        Output::Idle(None)
    }

    /// Who gets this packet, and as what. Allocates nothing once warm.
    pub fn forward(
        &mut self,
        _from: TransportId,
        _packet: &proto::rtp::Packet<'_>,
        _now: Instant,
    ) -> &[Forward] {
        &[]
    }

    pub fn stats(&self) -> Stats {
        self.stats
    }
}
