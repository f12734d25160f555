//! The rooms that are known here: where they are, and whether anybody needs them.
//!
//! A room is needed while it is live, and while somebody holds it: a join on its way, an open
//! socket. Once neither is so for a while it is given up, and whoever comes next claims it anew.
//! Holding closes the gap between an owner that ends an empty room and a join that is on its way
//! there; the while is for joins that come through other signaling nodes.

use std::{collections::BTreeMap, sync::Arc};

use proto::{
    control::Command,
    ids::{Epoch, RoomName, SessionId},
    pool::{Owner, Placement},
};
use tokio::sync::mpsc;

use super::LinkId;
use crate::limits::{IDLE_SWEEPS_MAX, ROOMS_MAX};

/// Keeps a room in the table for as long as it lives, and leads to the room's node.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    room: RoomName,
    place: Placement,
    link: LinkId,
    commands: mpsc::Sender<Command>,
    is_introduced: bool,
    _count: Arc<()>,
}

impl Hold {
    pub(crate) fn room(&self) -> &RoomName {
        &self.room
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.place.owner
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.place.epoch
    }

    pub(crate) fn link(&self) -> LinkId {
        self.link
    }

    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// Whether the room's node has been told with what settings the room was created.
    pub(crate) fn is_introduced(&self) -> bool {
        self.is_introduced
    }
}

/// Whether a room has started, as far as its node has told us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    /// Just claimed.
    Fresh,
    Live,
    /// It has ended. Its epoch may start again.
    Over,
    /// Another signaling node claimed it, or the link was down for a time.
    Unknown,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Rooms(BTreeMap<RoomName, Room>);

#[derive(Debug)]
struct Room {
    place: Placement,
    liveness: Liveness,
    is_introduced: bool,
    holders: Arc<()>,
    idle_sweeps: u32,
    /// By which connection each participant came, by its sid.
    sessions: BTreeMap<String, SessionId>,
}

impl Rooms {
    pub(super) fn place(&self, name: &RoomName) -> Option<&Placement> {
        self.0.get(name).map(|room| &room.place)
    }

    pub(super) fn hold(
        &mut self,
        name: &RoomName,
        (link, commands): (LinkId, mpsc::Sender<Command>),
    ) -> Option<(Hold, Liveness)> {
        let room = self.0.get_mut(name)?;
        room.idle_sweeps = 0;
        let hold = Hold {
            room: name.clone(),
            place: room.place.clone(),
            link,
            commands,
            is_introduced: room.is_introduced,
            _count: room.holders.clone(),
        };
        Some((hold, room.liveness))
    }

    /// Notes where `name` is, unless it is known to be under a higher epoch. Says whether there
    /// was space for it.
    pub(super) fn learn(&mut self, name: &RoomName, place: Placement, liveness: Liveness) -> bool {
        match self.0.get(name) {
            Some(room) if room.place.epoch >= place.epoch => return true,
            Some(_) => {}
            None if self.0.len() >= ROOMS_MAX => return false,
            None => {}
        }
        self.0.insert(name.clone(), Room::new(place, liveness));
        true
    }

    pub(super) fn introduced(&mut self, name: &RoomName, epoch: Epoch) {
        if let Some(room) = self.at(name, epoch) {
            room.is_introduced = true;
        }
    }

    pub(super) fn started(&mut self, name: &RoomName, place: Placement) {
        let epoch = place.epoch;
        self.learn(name, place, Liveness::Live);
        if let Some(room) = self.at(name, epoch) {
            room.liveness = Liveness::Live;
            room.is_introduced = true;
        }
    }

    pub(super) fn finished(&mut self, name: &RoomName, epoch: Epoch) {
        if let Some(room) = self.at(name, epoch) {
            room.liveness = Liveness::Over;
            room.is_introduced = false;
            room.sessions.clear();
        }
    }

    /// The link to `owner` has ended: what becomes of its rooms isn't heard any more.
    pub(super) fn unlinked(&mut self, owner: &Owner) {
        for room in self.0.values_mut().filter(|room| room.place.owner == *owner) {
            room.liveness = Liveness::Unknown;
            room.is_introduced = false;
            room.sessions.clear();
        }
    }

    /// Takes out the rooms that nobody needs and returns those to be released: over, or never
    /// begun. What is merely unknown may live on, and is only forgotten here.
    pub(super) fn sweep(&mut self) -> Vec<(RoomName, Epoch)> {
        let unneeded = |room: &mut Room| {
            let is_idle = room.liveness != Liveness::Live && Arc::strong_count(&room.holders) == 1;
            room.idle_sweeps = if is_idle { room.idle_sweeps + 1 } else { 0 };
            room.idle_sweeps >= IDLE_SWEEPS_MAX
        };
        let given_up = self.0.extract_if(.., |_, room| unneeded(room));
        let ended = given_up.filter(|(_, room)| room.liveness != Liveness::Unknown);
        ended.map(|(name, room)| (name, room.place.epoch)).collect()
    }

    /// Where every live room is.
    pub(super) fn live(&self) -> impl Iterator<Item = (&RoomName, &Placement)> {
        let live = self.0.iter().filter(|(_, room)| room.liveness == Liveness::Live);
        live.map(|(name, room)| (name, &room.place))
    }

    /// `session` is the signal connection of the participant with this sid.
    pub(super) fn seated(&mut self, name: &RoomName, sid: &str, session: SessionId) {
        if let Some(room) = self.0.get_mut(name) {
            room.sessions.insert(sid.to_owned(), session);
        }
    }

    pub(super) fn session_of(&self, name: &RoomName, sid: &str) -> Option<SessionId> {
        self.0.get(name)?.sessions.get(sid).copied()
    }

    pub(super) fn left(&mut self, name: &RoomName, sid: &str) {
        if let Some(room) = self.0.get_mut(name) {
            room.sessions.remove(sid);
        }
    }

    fn at(&mut self, name: &RoomName, epoch: Epoch) -> Option<&mut Room> {
        self.0.get_mut(name).filter(|room| room.place.epoch == epoch)
    }
}

impl Room {
    fn new(place: Placement, liveness: Liveness) -> Self {
        Self {
            place,
            liveness,
            is_introduced: false,
            holders: Arc::new(()),
            idle_sweeps: 0,
            sessions: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::pool::BootId;

    use super::*;

    fn demo() -> RoomName {
        "demo".parse().unwrap()
    }

    fn at(epoch: u64) -> Placement {
        let owner = Owner { node: "sfu".parse().unwrap(), boot: BootId::from_random(1) };
        Placement { owner, epoch: Epoch(epoch) }
    }

    fn hold(rooms: &mut Rooms) -> Option<(Hold, Liveness)> {
        rooms.hold(&demo(), (LinkId(0), mpsc::channel(1).0))
    }

    fn sweep_long(rooms: &mut Rooms) -> Vec<(RoomName, Epoch)> {
        (0..IDLE_SWEEPS_MAX).flat_map(|_| rooms.sweep()).collect()
    }

    #[test]
    fn a_room_is_given_up_a_while_after_it_is_over_and_nobody_holds_it() {
        let mut rooms = Rooms::default();
        assert!(rooms.learn(&demo(), at(3), Liveness::Fresh));
        rooms.started(&demo(), at(3));
        assert!(sweep_long(&mut rooms).is_empty(), "it is live");

        let (held, Liveness::Live) = hold(&mut rooms).unwrap() else { panic!("not live") };
        rooms.finished(&demo(), Epoch(3));
        assert!(sweep_long(&mut rooms).is_empty(), "a join is on its way to it");

        drop(held);
        assert!(rooms.sweep().is_empty(), "a join may come through another node");
        assert_eq!(sweep_long(&mut rooms), [(demo(), Epoch(3))]);
        assert!(hold(&mut rooms).is_none());
    }

    #[test]
    fn a_room_whose_node_is_not_heard_is_forgotten_and_not_released() {
        let mut rooms = Rooms::default();
        rooms.started(&demo(), at(3));
        rooms.unlinked(&at(3).owner);
        assert_eq!(rooms.place(&demo()), Some(&at(3)));
        assert!(sweep_long(&mut rooms).is_empty());
        assert_eq!(rooms.place(&demo()), None);
    }

    #[test]
    fn the_end_of_an_earlier_life_leaves_the_later_one_alone() {
        let mut rooms = Rooms::default();
        rooms.learn(&demo(), at(3), Liveness::Fresh);
        rooms.started(&demo(), at(5));

        rooms.finished(&demo(), Epoch(3));
        rooms.learn(&demo(), at(3), Liveness::Fresh);
        let (held, liveness) = hold(&mut rooms).unwrap();
        assert_eq!((held.epoch(), liveness), (Epoch(5), Liveness::Live));
    }

    #[test]
    fn a_participant_is_traced_to_its_connection_until_it_leaves() {
        let mut rooms = Rooms::default();
        rooms.learn(&demo(), at(1), Liveness::Fresh);
        rooms.seated(&demo(), "PA_a", SessionId(7));
        rooms.seated(&demo(), "PA_b", SessionId(8));
        assert_eq!(rooms.session_of(&demo(), "PA_a"), Some(SessionId(7)));

        rooms.left(&demo(), "PA_a");
        assert_eq!(rooms.session_of(&demo(), "PA_a"), None);
        rooms.finished(&demo(), Epoch(1));
        assert_eq!(rooms.session_of(&demo(), "PA_b"), None);
    }
}
