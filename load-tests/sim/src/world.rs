//! Carries out a plan: clients, shards, the ways between them, and nothing else.

mod links;
mod messages;
mod places;
mod sockets;

use std::collections::BTreeMap;

use proto::{
    control::{Event as Said, What},
    livekit::{SignalResponse, signal_response::Message},
};

use crate::{
    Act, Fault, Heard, Joined, PersonId, Plan, Random, Recording, RoomId, Sent,
    client::{Client, Effect, Side},
    clock::Time,
    network::Way,
    shell::{Asked, End, Shell},
    voice::Voice,
};
use links::Links;
pub(crate) use places::UNHEARD_MAX;
use places::{Place, Places, SignalingId};
use sockets::{Frame, Sockets};

/// How long a client waits before it opens another socket after the server closed one.
const RETRY: Time = Time::from_millis(400);
/// A packet's worth of voice.
const TICK: Time = Time::from_millis(20);

/// Plays a story with that many shards on each node.
pub fn play(plan: &Plan, shards: u16) -> Recording {
    let mut world = World::new(plan, shards);
    while let Some(at) = world.next_event().filter(|at| *at <= plan.length) {
        world.now = at;
        world.handle_due();
    }
    world.finish()
}

struct World<'p> {
    plan: &'p Plan,
    now: Time,
    clients: BTreeMap<PersonId, Client>,
    /// The shards of the first node, then those of the next.
    shells: Vec<Shell>,
    /// Of each node.
    shards: usize,
    places: Places,
    /// Where those who joined anew were taken to, by person and life.
    homes: BTreeMap<(PersonId, u32), Place>,
    sockets: Sockets,
    links: Links,
    ways: BTreeMap<(End, Heading), Way>,
    /// The same for data channels, which lose nothing.
    channels: BTreeMap<(End, Heading), Way>,
    events: BTreeMap<(Time, u64), Event>,
    scheduled: u64,
    /// Until when people are without a network.
    dark: BTreeMap<PersonId, Time>,
    /// When those who lost their socket come back.
    returns: BTreeMap<PersonId, Time>,
    recording: Recording,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heading {
    ToServer,
    ToClient,
}

enum Event {
    Step(Act, PersonId),
    Return(PersonId),
    Tick(PersonId),
    Frame(proto::ids::SessionId, Frame),
    Response(proto::ids::SessionId, Box<SignalResponse>),
    Closed(proto::ids::SessionId),
    Datagram(End, Datagram),
    Granted(SignalingId, RoomId, Place),
    OpenLink(RoomId, Place),
    CloseLink(u64),
}

#[derive(Clone, Debug)]
enum Datagram {
    Check { room: RoomId, ufrag: String },
    CheckAnswer { ufrag: String },
    VoiceUp { room: RoomId, packet: Vec<u8> },
    VoiceDown { packet: Vec<u8> },
    Report { room: RoomId, packet: Vec<u8> },
    DataUp { room: RoomId, payload: Vec<u8> },
    DataDown { payload: Vec<u8> },
}

impl<'p> World<'p> {
    fn new(plan: &'p Plan, shards: u16) -> Self {
        let people = plan.ids().zip(&plan.people);
        let clients = people.map(|(id, persona)| (id, Client::new(id, *persona, plan.seed)));
        let indices = (0..plan.nodes()).flat_map(|node| (0..shards).map(move |_| node)).zip(0..);
        let mut world = Self {
            plan,
            now: Time::ZERO,
            clients: clients.collect(),
            shells: indices.map(|(node, index)| Shell::new(node, index, plan.seed)).collect(),
            shards: usize::from(shards).max(1),
            places: Places::default(),
            homes: BTreeMap::new(),
            sockets: Sockets::default(),
            links: Links::default(),
            ways: BTreeMap::new(),
            channels: BTreeMap::new(),
            events: BTreeMap::new(),
            scheduled: 0,
            dark: BTreeMap::new(),
            returns: BTreeMap::new(),
            recording: Recording::default(),
        };
        for step in &plan.steps {
            world.schedule(step.at, Event::Step(step.act, step.who));
        }
        for id in plan.ids() {
            world.schedule(Time::from_micros(u64::from(id.0) * 2_700), Event::Tick(id));
        }
        world.schedule_grants();
        world
    }

    fn schedule(&mut self, at: Time, event: Event) {
        self.scheduled += 1;
        self.events.insert((at, self.scheduled), event);
    }

    fn next_event(&self) -> Option<Time> {
        let event = self.events.keys().next().map(|(at, _)| *at);
        let shard = self.shells.iter().filter_map(Shell::deadline).min();
        event.into_iter().chain(shard).min().map(|at| at.max(self.now))
    }

    fn handle_due(&mut self) {
        for index in 0..self.shells.len() {
            let now = self.now;
            let due = self
                .shells
                .get_mut(index)
                .filter(|shell| shell.deadline().is_some_and(|deadline| deadline <= now));
            if let Some(shell) = due {
                shell.wake(now);
            }
            self.collect(index);
        }
        let due = self.events.first_entry().filter(|event| event.key().0 <= self.now);
        if let Some(event) = due.map(|event| event.remove()) {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Step(act, who) => self.on_step(act, who),
            Event::Return(who) => self.on_return(who),
            Event::Tick(who) => {
                self.schedule(self.now + TICK, Event::Tick(who));
                self.with_client(who, Client::tick);
            }
            Event::Frame(session, frame) => self.on_frame(session, frame),
            Event::Response(session, response) => self.on_response(session, *response),
            Event::Closed(session) => {
                if let Some(who) = self.sockets.live_owner(session) {
                    self.with_client(who, |client| client.on_closed(session));
                }
            }
            Event::Datagram(end, datagram) => self.on_datagram(end, datagram),
            Event::Granted(signaling, room, place) => self.on_granted(signaling, room, place),
            Event::OpenLink(room, place) => self.on_open_link(room, place),
            Event::CloseLink(link) => self.on_close_link(link),
        }
    }

    fn on_step(&mut self, act: Act, who: PersonId) {
        if let Act::Vanish { down } = act {
            self.dark.insert(who, self.now + down);
        }
        if let Act::Drop { down } | Act::Vanish { down } = act {
            self.returns.insert(who, self.now + down);
            self.schedule(self.now + down, Event::Return(who));
            let session = self.clients.get(&who).and_then(Client::session);
            let noticed =
                session.and_then(|session| Some((self.sockets.cut(session, self.now)?, session)));
            if let Some((at, session)) = noticed {
                self.schedule(at, Event::Frame(session, Frame::Lost));
            }
        } else {
            self.returns.remove(&who);
        }
        self.with_client(who, |client| client.act(act));
    }

    fn on_return(&mut self, who: PersonId) {
        if self.returns.get(&who).is_some_and(|at| *at <= self.now) {
            self.returns.remove(&who);
            self.with_client(who, Client::come_back);
        }
    }

    /// Lets a client do something, then does what it wants done.
    fn with_client(&mut self, who: PersonId, what: impl FnOnce(&mut Client)) {
        let Some(client) = self.clients.get_mut(&who) else { return };
        what(client);
        let effects = std::mem::take(&mut client.effects);
        let (life, room) = (client.life, client.room);
        let waits = client.is_cut_off() && !self.returns.contains_key(&who);
        for effect in effects {
            self.on_effect(who, life, room, effect);
        }
        if waits {
            self.returns.insert(who, self.now + RETRY);
            self.schedule(self.now + RETRY, Event::Return(who));
        }
    }

    fn on_effect(&mut self, who: PersonId, life: u32, room: Option<RoomId>, effect: Effect) {
        let end = |side| End { person: who, life, side };
        match (effect, room) {
            (Effect::Connect(join), Some(room)) => {
                if join.resume.is_none() {
                    self.recording.joins.push(Joined { at: self.now, who });
                }
                let quality = self.persona(who).map(|persona| persona.signal).unwrap_or_default();
                self.sockets.open(join.session, (who, life), room, quality, self.plan.seed);
                self.send(join.session, Frame::Join(join));
            }
            (Effect::Disconnect(session), _) => self.send(session, Frame::Closed),
            (Effect::Signal(session, request), _) => self.send(session, Frame::request(*request)),
            (Effect::Check { side, ufrag }, Some(room)) => {
                self.up(end(side), Datagram::Check { room, ufrag });
            }
            (Effect::Rtp { side, packet }, Some(room)) => {
                self.up(end(side), Datagram::VoiceUp { room, packet });
            }
            (Effect::Rtcp { side, packet }, Some(room)) => {
                self.up(end(side), Datagram::Report { room, packet });
            }
            (Effect::Data { side, count, payload }, Some(room)) => {
                self.say(end(side), room, count, payload);
            }
            (Effect::Fault(what), _) => self.fault(Some(who), what),
            (_, None) => {}
        }
    }

    fn persona(&self, who: PersonId) -> Option<&crate::Persona> {
        self.plan.people.get(usize::from(who.0))
    }

    fn send(&mut self, session: proto::ids::SessionId, frame: Frame) {
        if let Some(at) = self.sockets.arrival_up(session, self.now) {
            self.schedule(at, Event::Frame(session, frame));
        }
    }

    fn up(&mut self, end: End, datagram: Datagram) {
        self.post(end, Heading::ToServer, datagram);
    }

    fn post(&mut self, end: End, heading: Heading, datagram: Datagram) {
        let quality = self.persona(end.person).map(|persona| persona.media).unwrap_or_default();
        let seed = self.plan.seed;
        let name = [3, u64::from(end.person.0), u64::from(end.life), number_of(end.side, heading)];
        let way = self.ways.entry((end, heading));
        let way = way.or_insert_with(|| Way::new(quality, Random::named(seed, &name)));
        let arrivals = way.arrivals(self.now);
        if self.lights_on(end.person) > self.now {
            return;
        }
        for at in arrivals {
            self.schedule(at, Event::Datagram(end, datagram.clone()));
        }
    }

    /// When a person's network carries again, which may be past.
    fn lights_on(&self, who: PersonId) -> Time {
        self.dark.get(&who).copied().unwrap_or_default()
    }

    fn on_frame(&mut self, session: proto::ids::SessionId, frame: Frame) {
        if let Some(command) = self.sockets.deliver(session, frame, self.now, &self.places) {
            self.command(command);
        }
    }

    fn on_response(&mut self, session: proto::ids::SessionId, response: SignalResponse) {
        let Some(who) = self.sockets.live_owner(session) else { return };
        match response.message {
            Some(message) => {
                self.with_client(who, |client| client.on_response(session, message));
            }
            None => self.fault(Some(who), "a frame without a message"),
        }
    }

    fn on_datagram(&mut self, end: End, datagram: Datagram) {
        let now = self.now;
        match datagram {
            Datagram::Check { room, ufrag } => {
                let Some(index) = self.shard_at(end, room) else { return };
                let shell = self.shells.get_mut(index);
                if shell.is_some_and(|shell| shell.check(end, &ufrag, now)) {
                    self.post(end, Heading::ToClient, Datagram::CheckAnswer { ufrag });
                }
                self.collect(index);
            }
            Datagram::VoiceUp { room, packet } => {
                let Some(index) = self.shard_at(end, room) else { return };
                if let Some(shell) = self.shells.get_mut(index) {
                    shell.rtp(end, &packet, now);
                }
                self.collect(index);
            }
            Datagram::Report { room, packet } => {
                let Some(index) = self.shard_at(end, room) else { return };
                if let Some(shell) = self.shells.get_mut(index) {
                    shell.rtcp(end, &packet, now);
                }
                self.collect(index);
            }
            Datagram::CheckAnswer { ufrag } => {
                if self.is_alive(end) {
                    self.with_client(end.person, |client| {
                        client.on_check_answered(end.side, &ufrag);
                    });
                }
            }
            Datagram::VoiceDown { packet } => self.on_voice(end, &packet),
            Datagram::DataUp { room, payload } => self.on_data_up(end, room, &payload),
            Datagram::DataDown { payload } => self.on_data_down(end, &payload),
        }
    }

    fn is_alive(&self, end: End) -> bool {
        let client = self.clients.get(&end.person);
        client.is_some_and(|client| client.life == end.life && client.room.is_some())
    }

    fn on_voice(&mut self, end: End, packet: &[u8]) {
        if !self.is_alive(end) {
            return;
        }
        let Some(client) = self.clients.get(&end.person) else { return };
        let (Some(room), Some(listened)) = (client.room, client.listen(packet)) else {
            return self.fault(Some(end.person), "a packet that isn't voice");
        };
        let Voice { room: talker_room, talker, count } = listened.voice;
        self.recording.heard.push(Heard {
            at: self.now,
            listener: end.person,
            room,
            talker,
            talker_room,
            count,
            taken_for: listened.taken_for,
        });
    }

    /// Does what a shard asked for.
    fn collect(&mut self, index: usize) {
        let Some(shell) = self.shells.get_mut(index) else { return };
        for asked in std::mem::take(&mut shell.asked) {
            match asked {
                Asked::Event(event) => self.on_said(index, event),
                Asked::Copy { copy, from, end, packet } => {
                    self.record(&copy, from, end, &packet);
                    if let Some(end) = end {
                        self.post(end, Heading::ToClient, Datagram::VoiceDown { packet });
                    }
                }
                Asked::Data(end, payload) => {
                    self.post_in_order(end, Heading::ToClient, Datagram::DataDown { payload });
                }
                Asked::Link(link, frame) => self.on_link(link, frame),
                Asked::Noted(event) => self.recording.links.push(event),
                Asked::Fault(what) => self.fault(None, what),
            }
        }
    }

    fn record(
        &mut self,
        copy: &crate::shell::Copy,
        from: Option<End>,
        end: Option<End>,
        packet: &[u8],
    ) {
        let Ok(packet) = proto::rtp::Packet::parse(packet) else {
            return self.fault(None, "a copy that is no packet");
        };
        let voice = Voice::read(packet.payload).or_else(|| Voice::read_red(packet.payload));
        let Some(Voice { talker, room, count }) = voice else {
            return self.fault(None, "a copy that isn't voice");
        };
        let home = |end: Option<End>| end.and_then(|end| self.home_of(end));
        let (Some(talkers), Some(listeners)) = (home(from), home(end)) else {
            return self.fault(None, "a copy from or for nobody who joined");
        };
        self.recording.sent.push(Sent {
            at: self.now,
            to: copy.to,
            ssrc: copy.ssrc,
            index: copy.index,
            node: talkers.node,
            room,
            epochs: (talkers.epoch, listeners.epoch),
            talker,
            count,
            open: copy.open,
        });
    }

    fn on_said(&mut self, index: usize, said: Said) {
        let node = u16::try_from(index / self.shards).unwrap_or_default();
        match said {
            Said::Signal { session, response } => {
                if matches!(response.message, Some(Message::Join(_))) {
                    self.on_admitted(session);
                }
                if let Some(at) = self.sockets.arrival_down(session, self.now) {
                    self.schedule(at, Event::Response(session, response));
                }
            }
            Said::Close { session } => {
                if let Some(at) = self.sockets.close(session, self.now) {
                    self.schedule(at, Event::Closed(session));
                }
            }
            Said::StaleEpoch { session, current, .. } => self.on_stale(node, session, current),
            Said::Happened(happening) => {
                if matches!(happening.what, What::RoomStarted) {
                    let place = Place { node, epoch: happening.epoch };
                    self.on_room_started(happening.room.as_str(), place);
                }
            }
            Said::RefreshToken { .. }
            | Said::Reached { .. }
            | Said::Reply { .. }
            | Said::Rooms { .. } => {}
        }
    }

    fn fault(&mut self, who: Option<PersonId>, what: &'static str) {
        self.recording.faults.push(Fault { at: self.now, who, what });
    }

    fn finish(mut self) -> Recording {
        if self.shells.iter().any(|shell| shell.invariants_broken() > 0) {
            self.fault(None, "a shard noticed a bug of its own");
        }
        let digests = self.shells.iter().map(Shell::digest);
        self.recording.digest = digests.fold(0, |sum, digest| sum.rotate_left(1) ^ digest);
        self.recording
    }
}

fn number_of(side: Side, heading: Heading) -> u64 {
    match (side, heading) {
        (Side::Up, Heading::ToServer) => 0,
        (Side::Up, Heading::ToClient) => 1,
        (Side::Down, Heading::ToServer) => 2,
        (Side::Down, Heading::ToClient) => 3,
    }
}
