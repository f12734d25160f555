//! A shard in virtual time, with everything it asks for kept where a test can look.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    control::{
        Command, Event, Happening, MediaStage, Operation, OperationError, Reply, RequestId,
        RoomAction, RoomCommand, What,
    },
    data::Channel,
    grants::Grants,
    ids::{Epoch, SessionId},
    link::{LinkFrame, LinkPurpose, LinkRequest},
    livekit::{self, signal_request, signal_response::Message},
};
use sfu_core::{
    Config, Forward, Input, LinkAction, LinkId, Output, Shard, Stats, Tap, TransportAction,
    TransportEvent, TransportId,
};

pub(crate) const ROOM: &str = "demo";
pub(crate) const CANDIDATE: &str = "192.0.2.1:7882";
pub(crate) const FINGERPRINT: [u8; 32] = [0xab; 32];

pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) now: Instant,
    pub(crate) epoch: Epoch,
    pub(crate) inboxes: BTreeMap<SessionId, VecDeque<Message>>,
    pub(crate) closed: BTreeSet<SessionId>,
    /// How far media came, as signaling was told.
    pub(crate) reached: Vec<(SessionId, MediaStage)>,
    pub(crate) refreshed: Vec<(SessionId, Grants)>,
    pub(crate) stale: Vec<Option<SessionId>>,
    pub(crate) happened: Vec<Happening>,
    pub(crate) replies: BTreeMap<RequestId, Result<Reply, OperationError>>,
    pub(crate) rooms: Vec<livekit::Room>,
    /// Everything asked of each connection, in order.
    pub(crate) transports: BTreeMap<TransportId, Vec<TransportAction>>,
    pub(crate) data: Vec<(TransportId, Channel, Bytes)>,
    pub(crate) rtcp: Vec<(TransportId, Vec<u8>)>,
    pub(crate) voice: Vec<(Instant, Vec<Forward>, Bytes)>,
    /// What each link was told, and what has been tapped for all of them.
    pub(crate) links: BTreeMap<LinkId, Vec<LinkFrame>>,
    pub(crate) taps: Vec<Tap>,
    closed_links: BTreeSet<LinkId>,
    deadline: Option<Instant>,
    next_session: u128,
    next_request: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_seed(7)
    }

    #[expect(clippy::disallowed_methods, reason = "the one instant that virtual time starts from")]
    pub(crate) fn with_seed(seed: u8) -> Self {
        let now = Instant::now();
        Self {
            shard: Shard::new(config(now), [seed; 32], now),
            now,
            epoch: Epoch(1),
            inboxes: BTreeMap::new(),
            closed: BTreeSet::new(),
            reached: Vec::new(),
            refreshed: Vec::new(),
            stale: Vec::new(),
            happened: Vec::new(),
            replies: BTreeMap::new(),
            rooms: Vec::new(),
            transports: BTreeMap::new(),
            data: Vec::new(),
            rtcp: Vec::new(),
            voice: Vec::new(),
            links: BTreeMap::new(),
            taps: Vec::new(),
            closed_links: BTreeSet::new(),
            deadline: None,
            next_session: 0,
            next_request: 0,
        }
    }

    pub(crate) fn new_session(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId(self.next_session)
    }

    pub(crate) fn act(&mut self, action: RoomAction) {
        self.act_in(ROOM, action);
    }

    pub(crate) fn act_in(&mut self, room: &str, action: RoomAction) {
        let room = room.parse().unwrap();
        let command = RoomCommand { room, epoch: self.epoch, action };
        self.command(Command::Room(Box::new(command)));
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.shard.handle_input(Input::Command(command), self.now);
        self.drain();
    }

    pub(crate) fn signal(&mut self, session: SessionId, message: signal_request::Message) {
        let request = Box::new(livekit::SignalRequest { message: Some(message) });
        self.act(RoomAction::Signal { session, request });
    }

    pub(crate) fn disconnect(&mut self, session: SessionId) {
        self.act(RoomAction::Disconnected { session });
    }

    pub(crate) fn admin(&mut self, operation: Operation) -> Result<Reply, OperationError> {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.act(RoomAction::Admin { request, operation: Box::new(operation) });
        self.replies.remove(&request).expect("every operation is answered")
    }

    pub(crate) fn call_echo(&mut self) -> Result<Reply, OperationError> {
        self.next_request += 1;
        let request = RequestId(self.next_request);
        self.act(RoomAction::CallEcho { request });
        self.replies.remove(&request).expect("every call is answered")
    }

    pub(crate) fn list_rooms(&mut self) -> Vec<livekit::Room> {
        self.command(Command::ListRooms { request: RequestId(0), names: Vec::new() });
        std::mem::take(&mut self.rooms)
    }

    pub(crate) fn transport(&mut self, id: TransportId, event: TransportEvent) {
        self.shard.handle_input(Input::Transport { id, event }, self.now);
        self.drain();
    }

    pub(crate) fn data(&mut self, id: TransportId, channel: Channel, payload: &[u8]) {
        self.shard.handle_input(Input::Data { id, channel, payload }, self.now);
        self.drain();
    }

    pub(crate) fn rtcp(&mut self, id: TransportId, packet: &[u8]) {
        self.shard.handle_input(Input::Rtcp { id, packet }, self.now);
        self.drain();
    }

    pub(crate) fn forward(&mut self, from: TransportId, packet: &[u8]) -> Vec<Forward> {
        let packet = proto::rtp::Packet::parse(packet).unwrap();
        let delivery = self.shard.forward(from, &packet, self.now);
        self.taps.extend(&delivery.taps);
        let copies = delivery.copies.clone();
        for copy in &copies {
            assert_ne!(self.transports[&copy.to].last(), Some(&TransportAction::Close));
        }
        self.drain();
        copies
    }

    pub(crate) fn open_link(&mut self, purpose: LinkPurpose) -> LinkId {
        let id = LinkId(u64::try_from(self.links.len()).unwrap());
        self.links.insert(id, Vec::new());
        let room = ROOM.parse().unwrap();
        let request = LinkRequest { room, epoch: self.epoch, purpose };
        self.link(id, LinkAction::Open(request));
        id
    }

    pub(crate) fn close_link(&mut self, id: LinkId) {
        self.link(id, LinkAction::Close);
        self.closed_links.insert(id);
    }

    fn link(&mut self, id: LinkId, action: LinkAction) {
        self.shard.handle_input(Input::Link { id, action }, self.now);
        self.drain();
    }

    /// Takes what a link was told since.
    pub(crate) fn link_frames(&mut self, id: LinkId) -> Vec<LinkFrame> {
        std::mem::take(self.links.get_mut(&id).unwrap())
    }

    /// Lets time pass, waking the shard exactly when it asks to be.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.shard.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn stats(&self) -> Stats {
        self.shard.stats()
    }

    /// Takes the messages a client has received since.
    pub(crate) fn inbox(&mut self, session: SessionId) -> Vec<Message> {
        self.inboxes.entry(session).or_default().drain(..).collect()
    }

    pub(crate) fn whats(&self) -> Vec<&What> {
        self.happened.iter().map(|happening| &happening.what).collect()
    }

    /// The connection whose current or earlier credentials have this name.
    pub(crate) fn transport_named(&self, ufrag: &str) -> TransportId {
        let knows = |action: &TransportAction| match action {
            TransportAction::Open { local, .. } | TransportAction::RestartIce { local } => {
                local.ufrag == ufrag
            }
            TransportAction::SetRemote { .. } | TransportAction::Close => false,
        };
        let mut transports = self.transports.iter();
        *transports.find(|(_, actions)| actions.iter().any(knows)).expect("a known ufrag").0
    }

    fn drain(&mut self) {
        loop {
            match self.shard.poll_output() {
                Output::Event(event) => self.on_event(event),
                Output::Transport { id, action } => self.on_action(id, action),
                Output::Data { to, channel, payload } => {
                    self.assert_open(to);
                    self.data.push((to, channel, payload));
                }
                Output::Rtcp { to, packet } => {
                    self.assert_open(to);
                    self.rtcp.push((to, packet));
                }
                Output::Link { id, frame } => {
                    let frames = self.links.get_mut(&id).expect("a link that was asked for");
                    assert!(!self.closed_links.contains(&id), "nothing follows the end of a link");
                    if matches!(frame, LinkFrame::Closed(_)) {
                        self.closed_links.insert(id);
                    }
                    frames.push(frame);
                }
                Output::Voice { to, payload } => self.voice.push((self.now, to, payload)),
                Output::Idle(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Signal { session, response } => {
                assert!(!self.closed.contains(&session), "nothing follows the end of a session");
                let message = response.message.expect("a member of our schema");
                self.inboxes.entry(session).or_default().push_back(message);
            }
            Event::RefreshToken { session, grants } => self.refreshed.push((session, *grants)),
            Event::Reached { session, stage } => self.reached.push((session, stage)),
            Event::Close { session } => assert!(self.closed.insert(session), "closed twice"),
            Event::Reply { request, result } => {
                self.replies.insert(request, result);
            }
            Event::Rooms { rooms, .. } => self.rooms = rooms,
            Event::StaleEpoch { session, .. } => self.stale.push(session),
            Event::Happened(happening) => self.happened.push(*happening),
        }
    }

    fn on_action(&mut self, id: TransportId, action: TransportAction) {
        let actions = self.transports.entry(id).or_default();
        assert_eq!(actions.is_empty(), matches!(action, TransportAction::Open { .. }));
        assert_ne!(actions.last(), Some(&TransportAction::Close), "nothing follows a close");
        actions.push(action);
    }

    fn assert_open(&self, id: TransportId) {
        assert_ne!(self.transports[&id].last(), Some(&TransportAction::Close));
    }
}

fn config(now: Instant) -> Config {
    let candidate: SocketAddr = CANDIDATE.parse().unwrap();
    Config {
        node_id: "node".to_owned(),
        region: "region".to_owned(),
        version: "0.1.0",
        candidates: vec![candidate],
        fingerprint: FINGERPRINT,
        started: now,
        started_unix_micros: 1_800_000_000_000_000,
        ice_servers: Vec::new(),
        greeting: (0..25).map(|n| Bytes::from(vec![n; 40])).collect(),
    }
}
