//! All rooms of one shard, behind the four verbs.

use std::time::Instant;

use proto::{
    control::{
        Command, Event, Operation, OperationError, Reply, RequestId, RoomAction, RoomCommand,
    },
    data::Channel,
    ids::{Epoch, ParticipantSid, RoomName},
    link::{LinkClosed, LinkFrame, LinkRequest},
    livekit::{DisconnectReason, leave_request::Action},
    rtp::Packet,
};

use crate::{
    Config, Delivery, Input, LinkAction, LinkId, Output, Stats, TransportEvent, TransportId,
    context::Context,
    limits::LINKS_MAX,
    room::{
        Room, Settings,
        leave::{Farewell, turn_away},
    },
    rooms::{RoomId, Rooms},
    timers::Timer,
};

/// The rooms one thread owns.
#[derive(Debug)]
pub struct Shard {
    rooms: Rooms,
    cx: Context,
    /// What becomes of the packet at hand; kept for its capacity.
    delivery: Delivery,
    phase: Phase,
}

/// Whether rooms may be founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// For good: whoever comes is turned away.
    Stopping,
    /// Others go on: whoever comes is sent to them.
    Leaving,
}

/// What people are told whose node goes away.
const ELSEWHERE: Farewell =
    Farewell { reason: DisconnectReason::ServerShutdown, action: Action::Reconnect };

impl Shard {
    /// Every id, ufrag, password and SSRC comes from `seed`, which must be secret.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Self {
        Self {
            rooms: Rooms::default(),
            cx: Context::new(config, seed, now),
            delivery: Delivery::default(),
            phase: Phase::Open,
        }
    }

    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) {
        self.cx.now = now;
        match input {
            Input::Command(command) => self.on_command(command),
            Input::Transport { id, event } => self.on_transport(id, event),
            Input::Data { id, channel, payload } => self.on_data(id, channel, payload),
            Input::Rtcp { id, packet } => self.on_rtcp(id, packet),
            Input::Link { id, action } => self.on_link(id, action),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.cx.now = now;
        while let Some(timer) = self.cx.timers.pop_due(now) {
            self.on_timer(timer);
        }
    }

    /// Returns the next thing to do; [`Output::Idle`] once there is nothing left.
    pub fn poll_output(&mut self) -> Output {
        let next = self.cx.outbox.pop_front();
        next.unwrap_or_else(|| Output::Idle(self.cx.timers.next()))
    }

    /// When something is due that must not wait. What [`Output::Idle`] tells of, if it is earlier,
    /// may wait a packet's length for a datagram that wakes its thread anyway.
    pub fn punctual_deadline(&self) -> Option<Instant> {
        self.cx.timers.next_punctual()
    }

    /// Who gets this packet, and as what. Allocates nothing once warm.
    pub fn forward(&mut self, from: TransportId, packet: &Packet<'_>, now: Instant) -> &Delivery {
        self.cx.now = now;
        self.delivery.clear();
        self.deliver(from, packet);
        let Delivery { copies, taps } = &self.delivery;
        self.cx.stats.packets_forwarded += u64::try_from(copies.len()).unwrap_or_default();
        self.cx.stats.packets_tapped += u64::try_from(taps.len()).unwrap_or_default();
        &self.delivery
    }

    fn deliver(&mut self, from: TransportId, packet: &Packet<'_>) {
        let Some(route) = self.cx.transports.get_mut(from) else { return };
        let room = route.room;
        let Some(track) = route.track_of(packet) else {
            self.cx.stats.packets_unsignalled += 1;
            return;
        };
        match self.rooms.get_mut(room) {
            Some(room) => room.forward(track, packet, &mut self.cx, &mut self.delivery),
            None => self.cx.invariant_broken("a connection leads to a room"),
        }
    }

    /// What has been done so far, and what is there now.
    pub fn stats(&self) -> Stats {
        let mut stats = self.cx.stats;
        let rooms = self.rooms.ids().filter_map(|id| self.rooms.get(id));
        rooms.for_each(|room| room.count(&mut stats));
        stats
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Room(command) => self.on_room_command(*command),
            Command::ListRooms { request, names } => self.on_list(request, &names),
            Command::Shutdown => self.on_shutdown(),
            Command::Evacuate => self.on_evacuate(),
        }
    }

    fn on_room_command(&mut self, command: RoomCommand) {
        let RoomCommand { room: name, epoch, action } = command;
        if let Some(current) = self.rooms.epoch_of(&name).filter(|current| epoch < *current) {
            return self.refuse_stale(name, current, &action);
        }
        self.supersede(&name, epoch);
        let room = self.rooms.find(&name).or_else(|| self.found(name.clone(), epoch, &action));
        match room.and_then(|id| Some((id, self.rooms.get_mut(id)?))) {
            Some((id, room)) => {
                room.handle(action, &mut self.cx);
                self.bury(id);
            }
            None => {
                // It counts all the same: whoever comes under a lower one is too late.
                self.rooms.remember(name, epoch);
                self.refuse_without_room(action);
            }
        }
    }

    fn refuse_stale(&mut self, room: RoomName, current: Epoch, action: &RoomAction) {
        let (session, request) = match action {
            RoomAction::Join(join) => (Some(join.session), None),
            RoomAction::Signal { session, .. } | RoomAction::Disconnected { session } => {
                (Some(*session), None)
            }
            RoomAction::Admin { request, .. } | RoomAction::CallEcho { request } => {
                (None, Some(*request))
            }
        };
        self.cx.event(Event::StaleEpoch { room, session, request, current });
    }

    /// Somebody has been granted the room anew: its earlier life ends, and its people join again.
    fn supersede(&mut self, name: &RoomName, epoch: Epoch) {
        let Some(id) = self.rooms.find(name) else { return };
        if self.rooms.get(id).is_some_and(|room| room.epoch() < epoch) {
            let farewell = Farewell::because(DisconnectReason::StateMismatch);
            self.close_links(id, LinkClosed::StaleEpoch { current: epoch });
            self.end(id, farewell.then(Action::Reconnect));
        }
    }

    /// Founds the room that an action needs, if it is one that may.
    fn found(&mut self, name: RoomName, epoch: Epoch, action: &RoomAction) -> Option<RoomId> {
        let settings = match action {
            RoomAction::Join(join) if join.resume.is_none() => Settings::default(),
            RoomAction::Admin { operation, .. } => {
                let Operation::Create(request) = operation.as_ref() else { return None };
                Settings::from_request(request)
            }
            RoomAction::Join(_)
            | RoomAction::Signal { .. }
            | RoomAction::Disconnected { .. }
            | RoomAction::CallEcho { .. } => return None,
        };
        if self.phase != Phase::Open {
            return None;
        }
        let cx = &mut self.cx;
        self.rooms.insert(name.clone(), |id| Room::new(id, name, epoch, settings, cx))
    }

    fn refuse_without_room(&mut self, action: RoomAction) {
        match action {
            RoomAction::Join(join) => {
                let farewell = if self.phase == Phase::Leaving {
                    ELSEWHERE
                } else if join.resume.is_some() {
                    Farewell::because(DisconnectReason::StateMismatch).then(Action::Reconnect)
                } else {
                    self.cx.stats.joins_refused += 1;
                    Farewell::because(DisconnectReason::JoinFailure)
                };
                turn_away(join.session, farewell, &mut self.cx);
            }
            RoomAction::Admin { request, operation } => {
                let result = answer_without_room(&operation);
                self.cx.event(Event::Reply { request, result });
            }
            RoomAction::CallEcho { request } => {
                let result = Err(OperationError::NoSuchRoom);
                self.cx.event(Event::Reply { request, result });
            }
            RoomAction::Signal { .. } | RoomAction::Disconnected { .. } => {}
        }
    }

    fn on_list(&mut self, request: RequestId, names: &[String]) {
        let rooms = self.rooms.ids().filter_map(|id| self.rooms.get(id));
        let asked = |room: &&Room| {
            names.is_empty() || names.iter().any(|name| name == room.name().as_str())
        };
        let rooms = rooms.filter(asked).map(Room::info).collect();
        self.cx.event(Event::Rooms { request, rooms });
    }

    fn on_shutdown(&mut self) {
        self.phase = Phase::Stopping;
        let rooms: Vec<RoomId> = self.rooms.ids().collect();
        for id in rooms {
            self.close_links(id, LinkClosed::Refused);
            self.end(id, Farewell::because(DisconnectReason::ServerShutdown));
        }
    }

    fn on_evacuate(&mut self) {
        self.phase = Phase::Leaving;
        let rooms: Vec<RoomId> = self.rooms.ids().collect();
        for id in rooms {
            self.close_links(id, LinkClosed::Refused);
            if let Some(room) = self.rooms.get_mut(id) {
                room.disperse(ELSEWHERE, &mut self.cx);
            }
            self.bury(id);
        }
    }

    fn end(&mut self, id: RoomId, farewell: Farewell) {
        if let Some(room) = self.rooms.get_mut(id) {
            room.end(farewell, &mut self.cx);
        }
        self.bury(id);
    }

    /// Forgets a room whose life has ended.
    fn bury(&mut self, id: RoomId) {
        if self.rooms.get(id).is_some_and(Room::is_over) {
            self.rooms.remove(id);
        }
    }

    fn close_links(&mut self, id: RoomId, why: LinkClosed) {
        if let Some(room) = self.rooms.get_mut(id) {
            room.close_links(why, &mut self.cx);
        }
    }

    fn on_link(&mut self, id: LinkId, action: LinkAction) {
        match action {
            LinkAction::Open(request) => {
                if let Err(why) = self.open_link(id, &request) {
                    self.cx.link(id, LinkFrame::Closed(why));
                }
            }
            LinkAction::Close => {
                let room = self.cx.links.get(&id).and_then(|room| self.rooms.get_mut(*room));
                if let Some(room) = room {
                    room.close_link(id, &mut self.cx);
                }
            }
        }
    }

    fn open_link(&mut self, id: LinkId, request: &LinkRequest) -> Result<(), LinkClosed> {
        let current = self.rooms.epoch_of(&request.room).ok_or(LinkClosed::NoSuchRoom)?;
        let room = self.rooms.find(&request.room).and_then(|room| self.rooms.get_mut(room));
        if request.epoch < current || room.is_some() && request.epoch > current {
            return Err(LinkClosed::StaleEpoch { current });
        }
        let room = room.ok_or(LinkClosed::NoSuchRoom)?;
        if self.phase != Phase::Open
            || self.cx.links.len() >= LINKS_MAX
            || self.cx.links.contains_key(&id)
        {
            return Err(LinkClosed::Refused);
        }
        room.open_link(id, request.purpose, &mut self.cx)
    }

    fn on_transport(&mut self, id: TransportId, event: TransportEvent) {
        self.with_owner(id, |room, sid, cx| room.on_transport(sid, id, event, cx));
    }

    fn on_data(&mut self, id: TransportId, channel: Channel, payload: &[u8]) {
        self.with_owner(id, |room, sid, cx| room.on_data(sid, id, channel, payload, cx));
    }

    fn on_rtcp(&mut self, id: TransportId, packet: &[u8]) {
        self.with_owner(id, |room, sid, cx| room.on_rtcp(sid, id, packet, cx));
    }

    fn on_reports(&mut self, id: TransportId) {
        self.with_owner(id, |room, sid, cx| room.on_reports(sid, id, cx));
    }

    /// Does something in the room of a connection's participant, if the connection still lives.
    fn with_owner(
        &mut self,
        id: TransportId,
        act: impl FnOnce(&mut Room, ParticipantSid, &mut Context),
    ) {
        let Some(route) = self.cx.transports.get(id) else { return };
        let (room, sid) = (route.room, route.participant);
        match self.rooms.get_mut(room) {
            Some(room) => act(room, sid, &mut self.cx),
            None => self.cx.invariant_broken("a connection leads to a room"),
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Reports(id) => self.on_reports(id),
            Timer::Join(room, _)
            | Timer::Absence(room, _)
            | Timer::MediaLost(room, _)
            | Timer::Path(room, _)
            | Timer::Token(room, _)
            | Timer::Speakers(room)
            | Timer::Pulse(room)
            | Timer::Vacancy(room)
            | Timer::Echo(room) => self.on_room_timer(room, timer),
        }
    }

    fn on_room_timer(&mut self, id: RoomId, timer: Timer) {
        if let Some(room) = self.rooms.get_mut(id) {
            room.handle_timer(timer, &mut self.cx);
            self.bury(id);
        }
    }
}

fn answer_without_room(operation: &Operation) -> Result<Reply, OperationError> {
    match operation {
        Operation::Create(_) => Err(OperationError::Exhausted("too many rooms".into())),
        Operation::ListParticipants => Ok(Reply::Participants(Vec::new())),
        Operation::Delete
        | Operation::GetParticipant { .. }
        | Operation::Remove { .. }
        | Operation::MuteTrack { .. }
        | Operation::UpdateParticipant(_)
        | Operation::UpdateSubscriptions(_)
        | Operation::SendData(_)
        | Operation::UpdateMetadata { .. } => Err(OperationError::NoSuchRoom),
    }
}
