//! The rooms of a shard, by name and by index.

use std::collections::{BTreeMap, VecDeque};

use proto::ids::{Epoch, RoomName};

use crate::{
    limits::{ENDED_ROOMS_MAX, ROOMS_MAX},
    room::Room,
};

/// One life of a room in this shard. `index` is used again; `generation` tells lives apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoomId {
    index: u32,
    generation: u32,
}

#[cfg(test)]
impl RoomId {
    pub(crate) const ANY: Self = Self { index: 0, generation: 0 };
}

#[derive(Debug, Default)]
pub(crate) struct Rooms {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_name: BTreeMap<RoomName, RoomId>,
    /// The epochs of rooms that have ended, or were only heard of, so that a late claim from before
    /// can't revive one.
    ended: BTreeMap<RoomName, Epoch>,
    /// The same names, oldest first.
    ended_order: VecDeque<RoomName>,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    room: Option<Room>,
}

impl Rooms {
    /// Adds the room that `make` builds for its id; `None` when there are too many.
    pub(crate) fn insert(
        &mut self,
        name: RoomName,
        make: impl FnOnce(RoomId) -> Room,
    ) -> Option<RoomId> {
        if self.free.is_empty() {
            if self.slots.len() >= ROOMS_MAX {
                return None;
            }
            self.free.push(u32::try_from(self.slots.len()).ok()?);
            self.slots.push(Slot::default());
        }
        let index = self.free.pop()?;
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        let id = RoomId { index, generation: slot.generation };
        slot.room = Some(make(id));
        self.by_name.insert(name, id);
        Some(id)
    }

    pub(crate) fn remove(&mut self, id: RoomId) -> Option<Room> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        let room = slot.room.take_if(|_| slot.generation == id.generation)?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        self.by_name.remove(room.name());
        self.remember(room.name().clone(), room.epoch());
        Some(room)
    }

    /// Keeps the epoch of a room that isn't alive. The caller knows of no higher one.
    pub(crate) fn remember(&mut self, name: RoomName, epoch: Epoch) {
        if self.ended.insert(name.clone(), epoch).is_none() {
            self.ended_order.push_back(name);
        }
        if self.ended_order.len() > ENDED_ROOMS_MAX
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    /// The highest epoch known of a room, alive or ended lately.
    pub(crate) fn epoch_of(&self, name: &RoomName) -> Option<Epoch> {
        let alive = self.find(name).and_then(|id| self.get(id)).map(Room::epoch);
        alive.max(self.ended.get(name).copied())
    }

    pub(crate) fn find(&self, name: &RoomName) -> Option<RoomId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn get(&self, id: RoomId) -> Option<&Room> {
        let slot = self.slots.get(usize::try_from(id.index).ok()?)?;
        slot.room.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: RoomId) -> Option<&mut Room> {
        let slot = self.slots.get_mut(usize::try_from(id.index).ok()?)?;
        slot.room.as_mut().filter(|_| slot.generation == id.generation)
    }

    /// Every room, ordered by name.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RoomId> + '_ {
        self.by_name.values().copied()
    }
}
