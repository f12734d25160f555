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
}

#[derive(Debug)]
struct Room {
    epoch: Epoch,
    liveness: Liveness,
    holders: Arc<()>,
    /// By which connection each participant came, by its sid.
    sessions: BTreeMap<String, SessionId>,
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
            self.rooms.remove(name);
        }
        let room = self.rooms.entry(name.clone()).or_insert_with(|| Room::new(epoch));
        Some(room.hold(name))
    }

    pub(super) fn started(&mut self, name: &RoomName, epoch: Epoch) {
        if let Some(room) = self.at(name, epoch) {
            room.liveness = Liveness::Live;
        }
    }

    pub(super) fn finished(&mut self, name: &RoomName, epoch: Epoch) {
        if let Some(room) = self.at(name, epoch) {
            room.liveness = Liveness::Idle;
            room.sessions.clear();
        }
    }

    /// The owner has a higher epoch than we sent: ours is over.
    pub(super) fn superseded(&mut self, name: &RoomName, current: Epoch) {
        if self.rooms.get(name).is_some_and(|room| room.epoch < current) {
            self.rooms.remove(name);
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
            room.sessions.insert(sid.to_owned(), session);
        }
    }

    pub(super) fn session_of(&self, name: &RoomName, sid: &str) -> Option<SessionId> {
        self.rooms.get(name)?.sessions.get(sid).copied()
    }

    pub(super) fn left(&mut self, name: &RoomName, sid: &str) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.sessions.remove(sid);
        }
    }

    fn at(&mut self, name: &RoomName, epoch: Epoch) -> Option<&mut Room> {
        self.rooms.get_mut(name).filter(|room| room.epoch == epoch)
    }
}

impl Room {
    fn new(epoch: Epoch) -> Self {
        Self { epoch, liveness: Liveness::Idle, holders: Arc::new(()), sessions: BTreeMap::new() }
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
        let found = rooms.find(&demo());
        assert!(matches!(found, Found::Ours { liveness: Liveness::Live, .. }));
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
    fn a_participant_is_traced_to_its_connection_until_it_leaves() {
        let mut rooms = Rooms::default();
        let _hold = rooms.learn(&demo(), Epoch(1)).unwrap();
        rooms.seated(&demo(), "PA_a", SessionId(7));
        rooms.seated(&demo(), "PA_b", SessionId(8));
        assert_eq!(rooms.session_of(&demo(), "PA_a"), Some(SessionId(7)));

        rooms.left(&demo(), "PA_a");
        assert_eq!(rooms.session_of(&demo(), "PA_a"), None);
        rooms.finished(&demo(), Epoch(1));
        assert_eq!(rooms.session_of(&demo(), "PA_b"), None);
    }
}
