//! The task that owns the hub's tables.

use std::collections::BTreeMap;

use proto::{
    control::{Command, Event, Happening, RequestId, What},
    ids::{Epoch, RoomName, SessionId},
    livekit::{self, signal_response},
    pool::{NodeRecord, Owner, Placement, Role},
};
use service::{clock, health::Health, random};
use signaling_core::{Decision, Input, Pool};
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        oneshot, watch,
    },
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

use super::{
    Addressed, Answer, Cut, Hub, LinkId, LinkNews, Liveness, Message, Observed, Outgoing, Question,
    Seat, Seen, Verdict,
    links::Links,
    rooms::{Hold, Rooms},
};
use crate::{
    events,
    keeper::Keeper,
    limits::{HUB_EVENTS_MAX, HUB_MESSAGES_MAX, REQUESTS_MAX, SWEEP_INTERVAL},
    metrics::Metrics,
};

const NO_RECORDER: &str =
    "none is ready, so no room can be recorded: `adda serve --role recorder` starts one";

/// Owns the tables. Made together with the [`Hub`]s that lead to it.
pub(crate) struct Dispatcher {
    messages: mpsc::Receiver<Message>,
    link_news: mpsc::Receiver<LinkNews>,
    news: watch::Sender<()>,
    pool: Pool,
    links: Links,
    sessions: BTreeMap<SessionId, Seated>,
    requests: BTreeMap<RequestId, Asker>,
    next_request: u64,
    rooms: Rooms,
    emptied: Vec<oneshot::Sender<()>>,
    phase: Phase,
    keeper: Keeper,
    metrics: Metrics,
    health: Health,
}

/// A registered session.
#[derive(Debug)]
struct Seated {
    /// Keeps its room in the table.
    hold: Hold,
    /// `None` once it has been told to end and is about to.
    seat: Option<Seat>,
}

#[derive(Debug)]
struct Asker {
    link: LinkId,
    answer: oneshot::Sender<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
}

impl Dispatcher {
    /// Makes the tables, the way to them, and the way by which links bring their news.
    pub(crate) fn new(
        keeper: Keeper,
        metrics: Metrics,
        health: Health,
    ) -> (Hub, mpsc::Sender<LinkNews>, Self) {
        let (sender, messages) = mpsc::channel(HUB_MESSAGES_MAX);
        let (link_sender, link_news) = mpsc::channel(HUB_EVENTS_MAX);
        let (news, receiver) = watch::channel(());
        let dispatcher = Self {
            messages,
            link_news,
            news,
            pool: Pool::new(),
            links: Links::default(),
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
        dispatcher.report();
        (Hub { messages: sender, news: receiver }, link_sender, dispatcher)
    }

    /// Runs until every [`Hub`] is gone.
    pub(crate) async fn run(mut self) {
        let mut sweep = interval(SWEEP_INTERVAL);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.messages.recv() => match message {
                    Some(message) => self.on_message(message),
                    None => return,
                },
                Some(news) = self.link_news.recv() => self.on_link_news(news),
                _ = sweep.tick() => self.on_sweep(),
            }
        }
    }

    /// Whatever is asked: an asker that is gone needs no answer.
    fn on_message(&mut self, message: Message) {
        match message {
            Message::Seek { room, seen, asked, reply } => {
                _ = reply.send(self.seek(&room, seen, asked));
            }
            Message::Learn { room, place, liveness, reply } => {
                _ = reply.send(self.learn(&room, place, liveness));
            }
            Message::Introduced { hold } => self.rooms.introduced(hold.room(), hold.epoch()),
            Message::Observe { listing, reply } => _ = reply.send(self.observe(listing)),
            Message::Records { reply } => _ = reply.send(self.pool.records().cloned().collect()),
            Message::UnheardOf { mut holders, reply } => {
                let now = clock::now();
                holders.retain(|owner| self.pool.is_unheard_of(owner, now));
                _ = reply.send(holders);
            }
            Message::Placements { reply } => {
                let live = self.rooms.live();
                _ = reply.send(live.map(|(name, at)| (name.clone(), at.clone())).collect());
            }
            Message::Register { session, hold, mailbox, reply } => {
                _ = reply.send(self.register(session, hold, mailbox));
            }
            Message::Unregister { session } => self.on_unregister(session),
            Message::Ask { link, reply } => _ = reply.send(self.question(link)),
            Message::AskAll { reply } => _ = reply.send(self.question_all()),
            Message::Stop => self.phase = Phase::Stopping,
            Message::CutAll(cut) => self.cut_all(cut),
            Message::WhenEmpty { reply } => {
                self.emptied.push(reply);
                self.announce_if_empty();
            }
        }
    }

    fn on_link_news(&mut self, news: LinkNews) {
        match news {
            LinkNews::Event { link, event } => return self.on_event(link, event),
            LinkNews::Up { link, owner, commands } => return self.link_up(link, owner, commands),
            LinkNews::Down { link } => self.on_link_down(link),
            LinkNews::Failed { owner } => {
                self.pool.handle_input(Input::LinkDown(owner), clock::now());
            }
        }
        self.report();
        self.news.send_replace(());
    }

    /// Takes a link in, of which news follow.
    pub(crate) fn link_up(&mut self, link: LinkId, owner: Owner, commands: mpsc::Sender<Command>) {
        info!(sfu = owner.node.as_str(), boot = %owner.boot, "SFU node linked");
        self.links.add(link, owner.clone(), commands);
        self.pool.handle_input(Input::LinkUp(owner), clock::now());
        self.report();
        self.news.send_replace(());
    }

    /// Whoever came by this link may find the node, or another, by connecting again.
    fn on_link_down(&mut self, link: LinkId) {
        let Some(owner) = self.links.remove(link) else { return };
        if self.phase == Phase::Running {
            warn!(sfu = owner.node.as_str(), boot = %owner.boot, "SFU node unlinked");
        }
        self.rooms.unlinked(&owner);
        self.requests.retain(|_, asker| asker.link != link);
        self.pool.handle_input(Input::LinkDown(owner), clock::now());
        let on_link = self.sessions.iter().filter(|(_, seated)| seated.hold.link() == link);
        let cut: Vec<SessionId> = on_link.map(|(session, _)| *session).collect();
        cut.into_iter().for_each(|session| self.cut(session, Cut::LinkLost));
    }

    /// Lets `/readyz` say whether a new room would find a node, and who would record it.
    fn report(&self) {
        let now = clock::now();
        match self.pool.can_place(now) {
            Ok(()) => self.health.ready("sfu"),
            Err(reason) => self.health.unready("sfu", reason.to_string()),
        }
        match self.pool.lacks(Role::Recorder, now) {
            false => self.health.ready("recorder"),
            true => self.health.degraded("recorder", NO_RECORDER),
        }
    }

    fn observe(&mut self, listing: Option<Vec<NodeRecord>>) -> Observed {
        let input = listing.map_or(Input::RegistryLost, Input::Listed);
        self.pool.handle_input(input, clock::now());
        self.report();
        self.news.send_replace(());
        let linkable = self.pool.linkable();
        Observed { linkable: linkable.map(|(node, at)| (node.clone(), at.to_owned())).collect() }
    }

    fn seek(&mut self, room: &RoomName, seen: Seen, asked: std::time::Instant) -> Verdict {
        let known = self.rooms.place(room);
        if known.is_none() && seen == Seen::NotAsked {
            return Verdict::Unknown;
        }
        let seen = match seen {
            Seen::At(place) if known.is_none_or(|known| known.epoch < place.epoch) => Some(place),
            Seen::At(_) | Seen::NotAsked | Seen::Nowhere => None,
        };
        let place = seen.as_ref().or(known);
        // Without chance, two signaling nodes may choose the same node: worse balance, no harm.
        let dice = random::bytes().map_or(0, u64::from_be_bytes);
        let now = clock::now();
        match self.pool.decide(place, asked, dice, now) {
            Decision::Use(owner) => {
                self.pool.handle_input(Input::JoinAssigned(owner), now);
                if let Some(place) = seen {
                    self.rooms.learn(room, place, Liveness::Unknown);
                }
                self.found(room).unwrap_or(Verdict::Full)
            }
            Decision::Claim { owner, above } => {
                self.pool.handle_input(Input::JoinAssigned(owner.clone()), now);
                Verdict::Claim { owner, above }
            }
            Decision::Wait { until } => Verdict::Wait { until },
            Decision::Unavailable { reason, .. } => Verdict::Unavailable { reason },
        }
    }

    fn found(&mut self, room: &RoomName) -> Option<Verdict> {
        let (hold, liveness) = self.hold(room)?;
        Some(Verdict::Found { hold, liveness })
    }

    fn hold(&mut self, room: &RoomName) -> Option<(Hold, Liveness)> {
        let link = self.links.to(&self.rooms.place(room)?.owner)?;
        self.rooms.hold(room, link)
    }

    fn learn(&mut self, room: &RoomName, place: Placement, liveness: Liveness) -> Option<Hold> {
        if !self.rooms.learn(room, place, liveness) {
            return None;
        }
        self.hold(room).map(|(hold, _)| hold)
    }

    fn register(&mut self, session: SessionId, hold: Hold, seat: Seat) -> Option<()> {
        self.links.get(hold.link())?;
        self.sessions.insert(session, Seated { hold, seat: Some(seat) });
        Some(())
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

    fn question(&mut self, link: LinkId) -> Option<Question> {
        if self.requests.len() >= REQUESTS_MAX {
            self.requests.retain(|_, asker| !asker.answer.is_closed());
        }
        if self.requests.len() >= REQUESTS_MAX || self.links.get(link).is_none() {
            return None;
        }
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        let (asker, answer) = oneshot::channel();
        self.requests.insert(id, Asker { link, answer: asker });
        Some(Question { id, answer })
    }

    /// One question for each linked node.
    fn question_all(&mut self) -> Option<Vec<Addressed>> {
        let links = self.links.iter().map(|(id, link)| (id, link.commands.clone()));
        let links: Vec<_> = links.collect();
        links.into_iter().map(|(id, commands)| Some((commands, self.question(id)?))).collect()
    }

    fn on_event(&mut self, link: LinkId, event: Event) {
        match event {
            Event::Signal { session, response } => self.on_signal(session, response),
            Event::RefreshToken { session, grants } => {
                self.deliver(session, Outgoing::Refresh(grants));
            }
            Event::Reached { session, stage } => {
                self.deliver(session, Outgoing::Reached(stage));
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
                self.on_stale_epoch(link, &room, session, current);
            }
            Event::Happened(happening) => self.on_happened(link, &happening),
        }
    }

    fn on_signal(&mut self, session: SessionId, response: Box<livekit::SignalResponse>) {
        if let Some(signal_response::Message::Join(join)) = &response.message {
            let sid = join.participant.as_ref().map_or("", |participant| &participant.sid);
            if let Some(seated) = self.sessions.get(&session) {
                self.rooms.seated(seated.hold.room(), sid, session);
            }
        }
        self.deliver(session, Outgoing::Frame(response));
    }

    /// Queues `outgoing`, or ends the session if its queue is full. Never waits.
    fn deliver(&mut self, session: SessionId, outgoing: Outgoing) {
        let seat = self.sessions.get(&session).and_then(|seated| seated.seat.as_ref());
        let Some(seat) = seat else {
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
            _ = asker.answer.send(answer);
        }
    }

    /// The node has the room under a higher epoch: whoever joins from now on does so under it.
    fn on_stale_epoch(
        &mut self,
        link: LinkId,
        room: &RoomName,
        session: Option<SessionId>,
        current: Epoch,
    ) {
        warn!(room = room.as_str(), current = current.0, "room is owned under a higher epoch");
        if let Some(place) = self.place_at(link, current) {
            self.rooms.learn(room, place, Liveness::Unknown);
        }
        if let Some(session) = session {
            self.cut(session, Cut::Misplaced);
        }
    }

    fn place_at(&self, link: LinkId, epoch: Epoch) -> Option<Placement> {
        Some(Placement { owner: self.links.get(link)?.owner.clone(), epoch })
    }

    fn on_happened(&mut self, link: LinkId, happening: &Happening) {
        let Happening { room, epoch, info: _, what } = happening;
        let participant = participant_of(what);
        let session = participant.and_then(|who| self.rooms.session_of(room, &who.sid));
        events::log(happening, session);
        match what {
            What::RoomStarted => {
                if let Some(place) = self.place_at(link, *epoch) {
                    self.rooms.started(room, place);
                }
            }
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
        self.requests.retain(|_, asker| !asker.answer.is_closed());
        let given_up = self.rooms.sweep();
        if self.phase == Phase::Running {
            for (room, epoch) in given_up {
                self.keeper.release(&room, epoch);
            }
        }
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
        self.sessions.get_mut(&session).and_then(|seated| seated.seat.take())
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
