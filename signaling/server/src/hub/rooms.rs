//! The rooms of this node: under which epoch they are ours, and whether anybody needs them.
//!
//! A room is needed while it is live, and while somebody holds it: a join on its way, an open
//! socket. Once neither is so it is given up, and whoever comes next claims it anew. Holding
//! closes the gap between an owner that ends an empty room and a join that is on its way there.

use std::{collections::BTreeMap, sync::Arc};

use proto::ids::{Epoch, RoomName, SessionId};

use super::{Found, Liveness};
use crate::limits::ROOMS_MAX;

/// Keeps a room ours for as long as it lives.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    room: RoomName,
    epoch: Epoch,
    _count: Arc<()>,
}

impl Hold {
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<RoomName, Room>,
    /// Rooms whose owner turned out to have a higher epoch than the database gave us.
    superseded: BTreeMap<RoomName, Epoch>,
    /// Rooms that are live, and participants that have joined, over all rooms.
    count: Count,
}

/// How much is going on, in one room or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) live: usize,
    pub(super) participants: usize,
}

#[derive(Debug)]
struct Room {
    epoch: Epoch,
    liveness: Liveness,
    holders: Arc<()>,
    participants: BTreeMap<String, Participant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Participant {
    session: Option<SessionId>,
    has_joined: bool,
}

impl Rooms {
    pub(super) fn find(&self, name: &RoomName) -> Found {
        match self.rooms.get(name) {
            Some(room) => Found::Ours { hold: room.hold(name), liveness: room.liveness },
            None => {
                let dead = self.superseded.get(name).copied().unwrap_or_default();
                Found::Unknown { dead }
            }
        }
    }

    /// Notes that `name` is ours under `epoch`; `None` when the table is full.
    pub(super) fn learn(&mut self, name: &RoomName, epoch: Epoch) -> Option<Hold> {
        if self.rooms.len() >= ROOMS_MAX && !self.rooms.contains_key(name) {
            return None;
        }
        self.superseded.remove(name);
        if self.rooms.get(name).is_some_and(|room| room.epoch < epoch) {
            self.remove(name);
        }
        let room = self.rooms.entry(name.clone()).or_insert_with(|| Room::new(epoch));
        Some(room.hold(name))
    }

    pub(super) fn started(&mut self, name: &RoomName, epoch: Epoch) {
        self.change(name, epoch, |room| room.liveness = Liveness::Live);
    }

    pub(super) fn finished(&mut self, name: &RoomName, epoch: Epoch) {
        self.change(name, epoch, |room| {
            room.liveness = Liveness::Idle;
            room.participants.clear();
        });
    }

    /// The owner has a higher epoch than we sent: ours is over.
    pub(super) fn superseded(&mut self, name: &RoomName, current: Epoch) {
        if self.rooms.get(name).is_some_and(|room| room.epoch < current) {
            self.remove(name);
            if self.superseded.len() < ROOMS_MAX {
                self.superseded.insert(name.clone(), current);
            }
        }
    }

    /// Takes out the rooms that nobody needs and returns them, to be released.
    pub(super) fn sweep(&mut self) -> Vec<(RoomName, Epoch)> {
        let unneeded = |room: &mut Room| {
            room.liveness == Liveness::Idle && Arc::strong_count(&room.holders) == 1
        };
        let given_up = self.rooms.extract_if(.., |_, room| unneeded(room));
        given_up.map(|(name, room)| (name, room.epoch)).collect()
    }

    /// `session` is the signal connection of the participant with this sid.
    pub(super) fn seated(&mut self, name: &RoomName, sid: &str, session: SessionId) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.participants.entry(sid.to_owned()).or_default().session = Some(session);
        }
    }

    pub(super) fn session_of(&self, name: &RoomName, sid: &str) -> Option<SessionId> {
        self.rooms.get(name)?.participants.get(sid)?.session
    }

    pub(super) fn joined(&mut self, name: &RoomName, epoch: Epoch, sid: &str) {
        self.change(name, epoch, |room| {
            room.participants.entry(sid.to_owned()).or_default().has_joined = true;
        });
    }

    pub(super) fn left(&mut self, name: &RoomName, epoch: Epoch, sid: &str) {
        self.change(name, epoch, |room| _ = room.participants.remove(sid));
    }

    pub(super) fn count(&self) -> Count {
        self.count
    }

    /// Changes the life of `name` under `epoch`, if that is the one we know.
    fn change(&mut self, name: &RoomName, epoch: Epoch, change: impl FnOnce(&mut Room)) {
        if let Some(room) = self.rooms.get_mut(name).filter(|room| room.epoch == epoch) {
            let before = room.count();
            change(room);
            let after = room.count();
            self.count.replace(before, after);
        }
    }

    fn remove(&mut self, name: &RoomName) {
        if let Some(room) = self.rooms.remove(name) {
            self.count.replace(room.count(), Count::default());
        }
    }
}

impl Count {
    fn replace(&mut self, before: Self, after: Self) {
        self.live = (self.live + after.live).saturating_sub(before.live);
        self.participants =
            (self.participants + after.participants).saturating_sub(before.participants);
    }
}

impl Room {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            liveness: Liveness::Idle,
            holders: Arc::new(()),
            participants: BTreeMap::new(),
        }
    }

    fn count(&self) -> Count {
        let joined = self.participants.values().filter(|participant| participant.has_joined);
        Count { live: usize::from(self.liveness == Liveness::Live), participants: joined.count() }
    }

    fn hold(&self, name: &RoomName) -> Hold {
        Hold { room: name.clone(), epoch: self.epoch, _count: self.holders.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> RoomName {
        "demo".parse().unwrap()
    }

    #[test]
    fn a_room_is_given_up_once_it_is_over_and_nobody_holds_it() {
        let mut rooms = Rooms::default();
        let hold = rooms.learn(&demo(), Epoch(3)).unwrap();
        rooms.started(&demo(), Epoch(3));
        drop(hold);
        assert!(rooms.sweep().is_empty(), "it is live");

        let Found::Ours { hold, liveness: Liveness::Live } = rooms.find(&demo()) else {
            panic!("not found")
        };
        rooms.finished(&demo(), Epoch(3));
        assert!(rooms.sweep().is_empty(), "a join is on its way to it");

        drop(hold);
        assert_eq!(rooms.sweep(), [(demo(), Epoch(3))]);
        assert!(matches!(rooms.find(&demo()), Found::Unknown { dead: Epoch(0) }));
    }

    #[test]
    fn the_end_of_an_earlier_life_leaves_the_later_one_alone() {
        let mut rooms = Rooms::default();
        rooms.learn(&demo(), Epoch(3)).unwrap();
        rooms.learn(&demo(), Epoch(5)).unwrap();
        rooms.started(&demo(), Epoch(5));

        rooms.finished(&demo(), Epoch(3));
        assert_eq!(rooms.count().live, 1);
        assert_eq!(rooms.learn(&demo(), Epoch(3)).unwrap().epoch(), Epoch(5));
    }

    #[test]
    fn an_epoch_that_was_refused_is_known_to_be_dead() {
        let mut rooms = Rooms::default();
        rooms.learn(&demo(), Epoch(3)).unwrap();
        rooms.superseded(&demo(), Epoch(9));
        assert!(matches!(rooms.find(&demo()), Found::Unknown { dead: Epoch(9) }));

        rooms.learn(&demo(), Epoch(10)).unwrap();
        rooms.superseded(&demo(), Epoch(9));
        assert!(matches!(rooms.find(&demo()), Found::Ours { .. }));
    }

    #[test]
    fn participants_count_from_joining_to_leaving_or_to_the_end_of_their_room() {
        let mut rooms = Rooms::default();
        let _hold = rooms.learn(&demo(), Epoch(1)).unwrap();
        rooms.seated(&demo(), "PA_a", SessionId(7));
        assert_eq!(rooms.count().participants, 0);
        assert_eq!(rooms.session_of(&demo(), "PA_a"), Some(SessionId(7)));

        rooms.joined(&demo(), Epoch(1), "PA_a");
        rooms.joined(&demo(), Epoch(1), "PA_b");
        rooms.left(&demo(), Epoch(1), "PA_a");
        assert_eq!(rooms.count().participants, 1);

        rooms.finished(&demo(), Epoch(1));
        assert_eq!(rooms.count().participants, 0);
    }
}
