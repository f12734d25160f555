//! The transports of a shard, found by id, by address and by ICE name.

use std::{collections::HashMap, net::SocketAddr};

use sfu_core::TransportId;
use sfu_rtc::Transport;

use crate::limits::ADDRESSES_A_PEER_MAX;

/// One peer connection and where its packets leave.
pub(super) struct Peer {
    pub(super) id: TransportId,
    pub(super) transport: Transport,
    pub(super) paths: Paths,
    /// Has something to say; waits in [`Peers::dirty`].
    dirty: bool,
    ufrags: Vec<String>,
}

/// Where a peer proved to be, and by which sockets it is reached.
#[derive(Default)]
pub(super) struct Paths {
    /// The socket that media leaves by.
    pub(super) media: usize,
    /// Addresses, and the socket each proof came in on.
    known: Vec<(SocketAddr, usize)>,
}

impl Paths {
    /// The socket by which a datagram to `address` must leave to be taken for an answer.
    pub(super) fn socket_to(&self, address: SocketAddr) -> usize {
        let known = self.known.iter().find(|(known, _)| *known == address);
        known.map_or(self.media, |(_, socket)| *socket)
    }
}

/// All peers of a shard.
#[derive(Default)]
pub(super) struct Peers {
    /// Boxed: a peer takes kilobytes, and what has left must not keep them.
    slots: Vec<Option<Box<Peer>>>,
    by_address: HashMap<SocketAddr, u32>,
    by_ufrag: HashMap<String, u32>,
    dirty: Vec<u32>,
}

impl Peers {
    pub(super) fn insert(&mut self, id: TransportId, transport: Transport, ufrag: String) {
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.remove(id.index);
        let peer =
            Peer { id, transport, paths: Paths::default(), dirty: false, ufrags: Vec::new() };
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Box::new(peer));
        }
        self.name(id.index, ufrag);
        self.touch(id.index);
    }

    pub(super) fn remove(&mut self, index: u32) {
        let Some(peer) = self.slots.get_mut(index as usize).and_then(Option::take) else { return };
        for (address, _) in peer.paths.known {
            // Another peer may have verified the address since.
            if self.by_address.get(&address) == Some(&index) {
                self.by_address.remove(&address);
            }
        }
        for ufrag in peer.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
    }

    /// Returns the peer of this very life of the id.
    pub(super) fn get(&mut self, id: TransportId) -> Option<&mut Peer> {
        self.at(id.index).filter(|peer| peer.id == id)
    }

    pub(super) fn at(&mut self, index: u32) -> Option<&mut Peer> {
        self.slots.get_mut(index as usize)?.as_deref_mut()
    }

    pub(super) fn by_address(&mut self, address: SocketAddr) -> Option<&mut Peer> {
        let index = *self.by_address.get(&address)?;
        self.at(index)
    }

    pub(super) fn by_ufrag(&self, ufrag: &str) -> Option<u32> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Lets checks for `ufrag` find the peer, along with the one it had before.
    pub(super) fn name(&mut self, index: u32, ufrag: String) {
        let Some(peer) = self.slots.get_mut(index as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        peer.ufrags.push(ufrag.clone());
        let forgotten = (peer.ufrags.len() > 2).then(|| peer.ufrags.remove(0));
        self.by_ufrag.insert(ufrag, index);
        if let Some(old) = forgotten {
            self.by_ufrag.remove(&old);
        }
    }

    /// The peer proved to be at `address`, by a check that came in on `socket`.
    pub(super) fn map(&mut self, index: u32, address: SocketAddr, socket: usize) {
        let Some(peer) = self.slots.get_mut(index as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        peer.paths.known.retain(|(known, _)| *known != address);
        peer.paths.known.push((address, socket));
        let is_full = peer.paths.known.len() > ADDRESSES_A_PEER_MAX;
        let oldest = is_full.then(|| peer.paths.known.remove(0).0);
        if let Some(oldest) = oldest.filter(|old| self.by_address.get(old) == Some(&index)) {
            self.by_address.remove(&oldest);
        }
        self.by_address.insert(address, index);
    }

    /// Makes media leave by the socket that the nominated address is reached by.
    pub(super) fn settle(&mut self, index: u32) {
        if let Some(peer) = self.at(index)
            && let Some(address) = peer.transport.peer()
        {
            peer.paths.media = peer.paths.socket_to(address);
        }
    }

    /// Notes that the peer may have something to say.
    pub(super) fn touch(&mut self, index: u32) {
        if let Some(peer) = self.slots.get_mut(index as usize).and_then(Option::as_deref_mut)
            && !peer.dirty
        {
            peer.dirty = true;
            self.dirty.push(index);
        }
    }

    pub(super) fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Takes a peer that was touched.
    pub(super) fn pop_dirty(&mut self) -> Option<u32> {
        let index = self.dirty.pop()?;
        if let Some(peer) = self.at(index) {
            peer.dirty = false;
        }
        Some(index)
    }
}
