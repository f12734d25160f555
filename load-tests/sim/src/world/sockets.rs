//! WebSockets, and the part of signaling that carries frames between them and the shards.

use std::{collections::BTreeMap, time::Duration};

use prost::Message as _;
use proto::{
    control::{Join, RoomAction},
    ids::{Epoch, SessionId},
    livekit::{SignalRequest, signal_request},
};

use super::places::{Addressed, Place, Places, SignalingId};
use crate::{
    PersonId, Random, RoomId,
    clock::Time,
    network::{Quality, Way},
};

/// Longest time until the server notices that a socket is dead.
const UNNOTICED_MILLIS_MAX: u64 = 3_000;

/// What arrives at the server.
#[derive(Debug)]
pub(super) enum Frame {
    Join(Box<Join>),
    /// A request in its binary form, as it crosses the wire.
    Request(Vec<u8>),
    /// The client closed the socket.
    Closed,
    /// The server noticed that the client is gone.
    Lost,
}

impl Frame {
    pub(super) fn request(message: signal_request::Message) -> Self {
        Self::Request(SignalRequest { message: Some(message) }.encode_to_vec())
    }
}

/// Every socket there ever was.
#[derive(Default)]
pub(super) struct Sockets {
    sockets: BTreeMap<SessionId, Socket>,
    /// When the latest frame of each person arrives: a client opens a socket after it closed the
    /// one before, and what it says then arrives later.
    latest: BTreeMap<PersonId, Time>,
}

struct Socket {
    owner: PersonId,
    /// Which of the owner's joins it is of.
    life: u32,
    room: RoomId,
    signaling: SignalingId,
    /// Where its room was when it was asked for: all its frames go there.
    place: Option<Place>,
    up: Way,
    down: Way,
    /// The wire broke: nothing arrives from here on.
    cut: Option<Time>,
    /// The server has done with it.
    closed: bool,
    random: Random,
}

impl Sockets {
    pub(super) fn open(
        &mut self,
        session: SessionId,
        (owner, life): (PersonId, u32),
        room: RoomId,
        quality: Quality,
        seed: u64,
    ) {
        let name = u64::try_from(session.0).unwrap_or_default();
        let random = |what| Random::named(seed, &[4, name, what]);
        let socket = Socket {
            owner,
            life,
            room,
            signaling: SignalingId::pick(&mut random(3)),
            place: None,
            up: Way::new(quality, random(0)),
            down: Way::new(quality, random(1)),
            cut: None,
            closed: false,
            random: random(2),
        };
        self.sockets.insert(session, socket);
    }

    pub(super) fn arrival_up(&mut self, session: SessionId, now: Time) -> Option<Time> {
        let socket = self.live(session)?;
        let (owner, at) = (socket.owner, socket.up.in_order(now));
        let latest = self.latest.entry(owner).or_default();
        *latest = at.max(*latest);
        Some(*latest)
    }

    pub(super) fn arrival_down(&mut self, session: SessionId, now: Time) -> Option<Time> {
        let socket = self.live(session)?;
        Some(socket.down.in_order(now))
    }

    fn live(&mut self, session: SessionId) -> Option<&mut Socket> {
        self.sockets.get_mut(&session).filter(|socket| socket.cut.is_none() && !socket.closed)
    }

    /// Whose socket this is, while it is whole.
    pub(super) fn live_owner(&self, session: SessionId) -> Option<PersonId> {
        let socket = self.sockets.get(&session).filter(|socket| socket.cut.is_none());
        socket.map(|socket| socket.owner)
    }

    /// Breaks a socket. Returns when the server will notice.
    pub(super) fn cut(&mut self, session: SessionId, now: Time) -> Option<Time> {
        let socket = self.live(session)?;
        socket.cut = Some(now);
        let unnoticed = socket.random.below(UNNOTICED_MILLIS_MAX);
        Some(now + Duration::from_millis(unnoticed))
    }

    /// The server closes a socket. Returns when the client learns of it.
    pub(super) fn close(&mut self, session: SessionId, now: Time) -> Option<Time> {
        let at = self.arrival_down(session, now);
        if let Some(socket) = self.sockets.get_mut(&session) {
            socket.closed = true;
        }
        at
    }

    /// Returns the command that a frame becomes, unless it was lost on its way.
    pub(super) fn deliver(
        &mut self,
        session: SessionId,
        frame: Frame,
        now: Time,
        places: &Places,
    ) -> Option<Addressed> {
        let socket = self.sockets.get_mut(&session).filter(|socket| !socket.closed)?;
        let lost = socket.cut.is_some_and(|cut| cut < now);
        let mut newcomer = None;
        let action = match frame {
            Frame::Lost => RoomAction::Disconnected { session },
            Frame::Join(_) | Frame::Request(_) | Frame::Closed if lost => return None,
            Frame::Join(join) => {
                socket.place = Some(places.known(socket.signaling, socket.room));
                newcomer = join.resume.is_none().then_some((socket.owner, socket.life));
                RoomAction::Join(join)
            }
            Frame::Closed => RoomAction::Disconnected { session },
            Frame::Request(bytes) => {
                let request = SignalRequest::decode(bytes.as_slice()).ok()?;
                RoomAction::Signal { session, request: Box::new(request) }
            }
        };
        if matches!(action, RoomAction::Disconnected { .. }) {
            socket.closed = true;
        }
        Some(Addressed { room: socket.room, place: socket.place?, action, newcomer })
    }

    /// Those of a room that came through this signaling node under a lower epoch, and what their
    /// node is told of each.
    pub(super) fn misplaced(
        &self,
        by: SignalingId,
        room: RoomId,
        epoch: Epoch,
    ) -> Vec<(SessionId, Addressed)> {
        let open = self.sockets.iter().filter(|(_, socket)| !socket.closed);
        let here = open.filter(|(_, socket)| (socket.signaling, socket.room) == (by, room));
        let misplaced = here.filter_map(|(session, socket)| {
            let place = socket.place.filter(|place| place.epoch < epoch)?;
            let action = RoomAction::Disconnected { session: *session };
            Some((*session, Addressed { room, place, action, newcomer: None }))
        });
        misplaced.collect()
    }

    /// Where a socket ends, and which room it is for.
    pub(super) fn end_of(&self, session: SessionId) -> Option<(SignalingId, RoomId)> {
        self.sockets.get(&session).map(|socket| (socket.signaling, socket.room))
    }

    /// Whose socket this is, and what was asked for by it where.
    pub(super) fn guest(&self, session: SessionId) -> Option<(PersonId, RoomId, Place)> {
        let socket = self.sockets.get(&session)?;
        Some((socket.owner, socket.room, socket.place?))
    }
}
