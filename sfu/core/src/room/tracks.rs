//! The tracks of a room, by index for packets and by id for everything else.

use std::collections::BTreeMap;

use proto::ids::TrackSid;

use crate::room::track::Track;

/// Where a track lies, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackKey(usize);

#[derive(Debug, Default)]
pub(crate) struct Tracks {
    slots: Vec<Option<Track>>,
    free: Vec<usize>,
    keys: BTreeMap<TrackSid, TrackKey>,
}

impl Tracks {
    pub(super) fn insert(&mut self, track: Track) -> TrackKey {
        let index = self.free.pop().unwrap_or(self.slots.len());
        let key = TrackKey(index);
        self.keys.insert(track.sid, key);
        match self.slots.get_mut(index) {
            Some(slot) => *slot = Some(track),
            None => self.slots.push(Some(track)),
        }
        key
    }

    pub(super) fn remove(&mut self, sid: TrackSid) -> Option<Track> {
        let TrackKey(index) = self.keys.remove(&sid)?;
        self.free.push(index);
        self.slots.get_mut(index)?.take()
    }

    pub(super) fn key(&self, sid: TrackSid) -> Option<TrackKey> {
        self.keys.get(&sid).copied()
    }

    pub(super) fn get(&self, sid: TrackSid) -> Option<&Track> {
        let TrackKey(index) = self.key(sid)?;
        self.slots.get(index)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, sid: TrackSid) -> Option<&mut Track> {
        let key = self.key(sid)?;
        self.at_mut(key)
    }

    pub(super) fn at_mut(&mut self, TrackKey(index): TrackKey) -> Option<&mut Track> {
        self.slots.get_mut(index)?.as_mut()
    }

    /// Every track, ordered by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Track> {
        self.keys.values().filter_map(|TrackKey(index)| self.slots.get(*index)?.as_ref())
    }

    /// Every track, in the order of their places: the same in every run.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        self.slots.iter_mut().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
