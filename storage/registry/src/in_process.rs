//! The registry of a pool that is one process: the same promises, in its memory.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    ids::{Epoch, RoomName},
    pool::{NodeRecord, Owner, Placement},
};
use service::clock;
use tokio::sync::{mpsc, watch};

use crate::{
    RegistryError,
    hints::{self, Hint, Listeners},
    limits::{NODES_MAX, ROOM_TIME, ROOMS_MAX},
};

/// Cheap to clone; every clone is the same memory.
#[derive(Clone, Debug)]
pub(crate) struct InProcess(watch::Sender<State>);

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<Owner, Expiring<NodeRecord>>,
    rooms: BTreeMap<RoomName, Expiring<Placement>>,
    listeners: Listeners,
}

#[derive(Debug)]
struct Expiring<T> {
    value: T,
    until: Instant,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    pub(crate) fn announce(&self, node: &NodeRecord, ttl: Duration) -> Result<(), RegistryError> {
        let mut result = Ok(());
        self.change(|state| result = state.announce(node, ttl, clock::now()));
        result
    }

    pub(crate) fn withdraw(&self, owner: &Owner) {
        self.change(|state| _ = state.nodes.remove(owner));
    }

    pub(crate) fn nodes(&self) -> Vec<NodeRecord> {
        let now = clock::now();
        let state = self.0.borrow();
        let living = state.nodes.values().filter(|node| node.until > now);
        living.map(|node| node.value.clone()).collect()
    }

    pub(crate) fn set_room(
        &self,
        room: &RoomName,
        placement: &Placement,
    ) -> Result<bool, RegistryError> {
        let mut result = Ok(false);
        self.change(|state| result = state.set_room(room, placement, clock::now()));
        result
    }

    pub(crate) fn room(&self, room: &RoomName) -> Option<Placement> {
        let now = clock::now();
        let state = self.0.borrow();
        let known = state.rooms.get(room).filter(|room| room.until > now)?;
        Some(known.value.clone())
    }

    pub(crate) fn remove_room(&self, room: &RoomName, epoch: Epoch) {
        self.change(|state| {
            if state.rooms.get(room).is_some_and(|known| known.value.epoch <= epoch) {
                state.rooms.remove(room);
            }
        });
    }

    pub(crate) fn hint(&self, topic: &str, payload: &[u8]) {
        self.0.borrow().listeners.tell(topic, &Hint::Said(payload.to_vec()));
    }

    pub(crate) fn hints(&self, topic: &str) -> mpsc::Receiver<Hint> {
        let (listener, hints) = hints::channel();
        self.change(|state| state.listeners.add(topic.to_owned(), listener));
        hints
    }

    /// Changes the state. Nobody is woken: nobody waits.
    fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.send_if_modified(|state| {
            change(state);
            false
        });
    }
}

impl State {
    fn announce(
        &mut self,
        node: &NodeRecord,
        ttl: Duration,
        now: Instant,
    ) -> Result<(), RegistryError> {
        self.nodes.retain(|_, node| node.until > now);
        if self.nodes.len() >= NODES_MAX && !self.nodes.contains_key(&node.owner) {
            return Err(RegistryError::TooManyNodes);
        }
        let record = Expiring { value: node.clone(), until: now + ttl };
        self.nodes.insert(node.owner.clone(), record);
        Ok(())
    }

    fn set_room(
        &mut self,
        room: &RoomName,
        placement: &Placement,
        now: Instant,
    ) -> Result<bool, RegistryError> {
        if self.rooms.len() >= ROOMS_MAX {
            self.rooms.retain(|_, room| room.until > now);
        }
        match self.rooms.get(room) {
            Some(known) if known.until > now && known.value.epoch > placement.epoch => {
                return Ok(false);
            }
            Some(_) => {}
            None if self.rooms.len() >= ROOMS_MAX => return Err(RegistryError::TooManyRooms),
            None => {}
        }
        let placed = Expiring { value: placement.clone(), until: now + ROOM_TIME };
        self.rooms.insert(room.clone(), placed);
        Ok(true)
    }
}
