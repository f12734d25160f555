//! The addresses that a peer proved to be at, and the one we send to.

use std::{net::SocketAddr, time::Instant};

use crate::limits::{CONSENT_LIFETIME, VERIFIED_ADDRESSES_MAX};

#[derive(Default)]
pub(super) struct Paths {
    /// Most recently heard last.
    verified: Vec<Path>,
    peer: Option<SocketAddr>,
}

#[derive(Clone, Copy)]
struct Path {
    address: SocketAddr,
    last_check: Instant,
}

impl Paths {
    /// Notes an authentic check; returns whether its address is a new one.
    ///
    /// The first address is answered to, until one is nominated.
    pub(super) fn note_check(&mut self, from: SocketAddr, nominated: bool, now: Instant) -> bool {
        let known = self.verified.len();
        self.verified.retain(|path| path.address != from);
        let is_new = self.verified.len() == known;
        if self.verified.len() >= VERIFIED_ADDRESSES_MAX {
            self.forget_oldest();
        }
        self.verified.push(Path { address: from, last_check: now });
        if nominated || self.peer.is_none() {
            self.peer = Some(from);
        }
        is_new
    }

    /// The one that we send to is never the one to make room.
    fn forget_oldest(&mut self) {
        let oldest = self.verified.iter().position(|path| Some(path.address) != self.peer);
        if let Some(oldest) = oldest {
            self.verified.remove(oldest);
        }
    }

    /// Forgets addresses without consent. If the peer's was one of them, it moves to the
    /// address heard last.
    pub(super) fn expire(&mut self, now: Instant) {
        self.verified.retain(|path| path.last_check + CONSENT_LIFETIME > now);
        if !self.peer.is_some_and(|peer| self.contains(peer)) {
            self.peer = self.verified.last().map(|path| path.address);
        }
    }

    pub(super) fn contains(&self, address: SocketAddr) -> bool {
        self.verified.iter().any(|path| path.address == address)
    }

    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// When the first of the addresses expires.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.verified.first().map(|path| path.last_check + CONSENT_LIFETIME)
    }
}
