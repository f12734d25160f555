//! The task that owns the hub's tables.

use std::collections::BTreeMap;

use proto::{
    control::{Command, Event, Happening, RequestId, What},
    ids::{Epoch, RoomName, SessionId},
    livekit::{self, signal_response},
};
use service::health::Health;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot,
    },
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, error, warn};

use super::{Answer, Cut, Hub, Message, Outgoing, Question, Seat, rooms::Rooms};
use crate::{
    config::SfuLink,
    events,
    keeper::Keeper,
    limits::{HUB_MESSAGES_MAX, REQUESTS_MAX, SWEEP_INTERVAL},
    metrics::Metrics,
};

/// Owns the tables. Made together with the [`Hub`]s that lead to it.
pub(crate) struct Dispatcher {
    messages: mpsc::Receiver<Message>,
    events: mpsc::Receiver<Event>,
    sessions: BTreeMap<SessionId, Seated>,
    requests: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    next_request: u64,
    rooms: Rooms,
    emptied: Vec<oneshot::Sender<()>>,
    phase: Phase,
    keeper: Keeper,
    metrics: Metrics,
    health: Health,
}

/// A registered session. Without a seat it has been told to end and is about to.
#[derive(Debug)]
struct Seated(Option<Seat>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
}

impl Dispatcher {
    pub(crate) fn new(
        link: SfuLink,
        keeper: Keeper,
        metrics: Metrics,
        health: Health,
    ) -> (Hub, Self) {
        let (sender, messages) = mpsc::channel(HUB_MESSAGES_MAX);
        let commands: mpsc::Sender<Command> = link.commands;
        let dispatcher = Self {
            messages,
            events: link.events,
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            next_request: 0,
            rooms: Rooms::default(),
            emptied: Vec::new(),
            phase: Phase::Running,
            keeper,
            metrics,
            health,
        };
        (Hub { messages: sender, commands }, dispatcher)
    }

    /// Runs until every [`Hub`] is gone.
    pub(crate) async fn run(mut self) {
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut linked = true;
        loop {
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.on_message(message),
                    None => return,
                },
                event = self.events.recv(), if linked => match event {
                    Some(event) => self.on_event(event),
                    None => {
                        linked = false;
                        self.on_link_lost();
                    }
                },
                _ = sweep.tick() => self.on_sweep(),
            }
        }
    }

    fn on_message(&mut self, message: Message) {
        match message {
            // An asker that is gone needs no answer.
            Message::Find { room, reply } => _ = reply.send(self.rooms.find(&room)),
            Message::Learn { room, epoch, reply } => {
                _ = reply.send(self.rooms.learn(&room, epoch));
            }
            Message::Register { session, seat, reply } => {
                self.sessions.insert(session, Seated(Some(seat)));
                _ = reply.send(());
            }
            Message::Unregister { session } => self.on_unregister(session),
            Message::Ask { reply } => _ = reply.send(self.question()),
            Message::Stop => self.phase = Phase::Stopping,
            Message::CutAll(cut) => self.cut_all(cut),
            Message::WhenEmpty { reply } => {
                self.emptied.push(reply);
                self.announce_if_empty();
            }
        }
    }

    fn on_unregister(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        self.announce_if_empty();
    }

    fn announce_if_empty(&mut self) {
        if self.sessions.is_empty() {
            for waiting in self.emptied.drain(..) {
                _ = waiting.send(());
            }
        }
    }

    fn question(&mut self) -> Option<Question> {
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.retain(|_, asker| !asker.is_closed());
        }
        if self.requests.len() >= REQUESTS_MAX {
            return None;
        }
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        let (asker, answer) = oneshot::channel();
        self.requests.insert(id, asker);
        Some(Question { id, answer })
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Signal { session, response } => self.on_signal(session, response),
            Event::RefreshToken { session, grants } => {
                self.deliver(session, Outgoing::Refresh(grants));
            }
            Event::Close { session } => {
                self.deliver(session, Outgoing::Close);
                self.unseat(session);
            }
            Event::Reply { request, result } => self.answer(request, Answer::Reply(result)),
            Event::Rooms { request, rooms } => self.answer(request, Answer::Rooms(rooms)),
            Event::StaleEpoch { room, session, request, current } => {
                // An asker without an answer is told to try again, and finds the owner then.
                _ = request.and_then(|request| self.requests.remove(&request));
                self.on_stale_epoch(&room, session, current);
            }
            Event::Happened(happening) => self.on_happened(&happening),
        }
    }

    fn on_signal(&mut self, session: SessionId, response: Box<livekit::SignalResponse>) {
        if let Some(signal_response::Message::Join(join)) = &response.message {
            let sid = join.participant.as_ref().map_or("", |participant| &participant.sid);
            if let Some(Seated(Some(seat))) = self.sessions.get(&session) {
                self.rooms.seated(&seat.room, sid, session);
            }
        }
        self.deliver(session, Outgoing::Frame(response));
    }

    /// Queues `outgoing`, or ends the session if its queue is full. Never waits.
    fn deliver(&mut self, session: SessionId, outgoing: Outgoing) {
        let Some(Seated(Some(seat))) = self.sessions.get(&session) else {
            return debug!(?session, "message came for a session that has ended");
        };
        match seat.frames.try_send(outgoing) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.cut(session, Cut::TooSlow),
            Err(TrySendError::Closed(_)) => drop(self.unseat(session)),
        }
    }

    fn answer(&mut self, request: RequestId, answer: Answer) {
        if let Some(asker) = self.requests.remove(&request) {
            // An asker that is gone has timed out.
            _ = asker.send(answer);
        }
    }

    fn on_stale_epoch(&mut self, room: &RoomName, session: Option<SessionId>, current: Epoch) {
        warn!(room = room.as_str(), current = current.0, "room is owned under a higher epoch");
        self.rooms.superseded(room, current);
        if let Some(session) = session {
            self.cut(session, Cut::Misplaced);
        }
    }

    fn on_happened(&mut self, happening: &Happening) {
        let Happening { room, epoch, info: _, what } = happening;
        let participant = participant_of(what);
        let session = participant.and_then(|who| self.rooms.session_of(room, &who.sid));
        events::log(happening, session);
        match what {
            What::RoomStarted => self.rooms.started(room, *epoch),
            What::RoomFinished => self.on_room_finished(room, *epoch),
            What::ParticipantLeft { participant, .. } => self.rooms.left(room, &participant.sid),
            What::ConnectionFailed { cause, .. } => self.metrics.connection_failed(*cause),
            What::ParticipantJoined { .. }
            | What::TrackPublished { .. }
            | What::TrackUnpublished { .. } => {}
        }
    }

    fn on_room_finished(&mut self, room: &RoomName, epoch: Epoch) {
        self.rooms.finished(room, epoch);
        // A room that ends because we stop is to be found again.
        if self.phase == Phase::Running {
            self.keeper.forget(room, epoch);
        }
    }

    fn on_sweep(&mut self) {
        self.requests.retain(|_, asker| !asker.is_closed());
        let given_up = self.rooms.sweep();
        if self.phase == Phase::Running {
            for (room, epoch) in given_up {
                self.keeper.release(&room, epoch);
            }
        }
    }

    fn on_link_lost(&mut self) {
        if self.phase == Phase::Running {
            error!("SFU ended");
            self.health.unready("sfu", "no SFU is running");
        }
        self.cut_all(Cut::Misplaced);
    }

    fn cut_all(&mut self, cut: Cut) {
        let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.cut(session, cut);
        }
    }

    fn cut(&mut self, session: SessionId, cut: Cut) {
        if let Some(seat) = self.unseat(session) {
            // A session that is gone needs no cutting.
            _ = seat.cut.try_send(cut);
        }
    }

    fn unseat(&mut self, session: SessionId) -> Option<Seat> {
        self.sessions.get_mut(&session).and_then(|seated| seated.0.take())
    }
}

fn participant_of(what: &What) -> Option<&livekit::ParticipantInfo> {
    match what {
        What::RoomStarted | What::RoomFinished => None,
        What::ParticipantJoined { participant }
        | What::ParticipantLeft { participant, .. }
        | What::ConnectionFailed { participant, .. }
        | What::TrackPublished { participant, .. }
        | What::TrackUnpublished { participant, .. } => Some(participant),
    }
}
