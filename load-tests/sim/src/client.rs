//! A simulated LiveKit client: what an SDK does, without a network of its own.
//!
//! It is told what its person wants and what arrives, and says what it would send. Wishes are
//! kept until they can be granted: a microphone asked for before the room answered is published
//! once it has.

mod describe;
mod media;
mod negotiate;
mod roster;

use std::collections::BTreeSet;

use proto::{
    control::{Join, Resume, SignalPath},
    grants::{Grants, VideoGrant},
    ids::SessionId,
    livekit::{
        self, LeaveRequest, MuteTrackRequest, SyncState, UpdateSubscription, leave_request::Action,
        signal_request::Message as Request, signal_response::Message as Response,
    },
};

use crate::{Act, PersonId, Persona, Random, RoomId};
pub(crate) use describe::fingerprint_of;
use media::Media;
use negotiate::Negotiation;
use roster::Roster;

/// Which of its peer connections. With one, that is `Up`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Up,
    Down,
}

/// What a client does to the world.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Opens a WebSocket.
    Connect(Box<Join>),
    /// Closes it.
    Disconnect(SessionId),
    Signal(SessionId, Box<Request>),
    /// An ICE check for the connection of that name, standing for the DTLS handshake too.
    Check {
        side: Side,
        ufrag: String,
    },
    Rtp {
        side: Side,
        packet: Vec<u8>,
    },
    Rtcp {
        side: Side,
        packet: Vec<u8>,
    },
    /// A data message.
    Data {
        side: Side,
        count: u32,
        payload: Vec<u8>,
    },
    Fault(&'static str),
}

pub(crate) struct Client {
    pub(crate) me: PersonId,
    pub(crate) persona: Persona,
    random: Random,
    pub(crate) effects: Vec<Effect>,
    /// Where it is, or is about to be.
    pub(crate) room: Option<RoomId>,
    /// Counts full joins: connections of an earlier life are gone.
    pub(crate) life: u32,
    session: Option<SessionId>,
    /// Since `join`. Until then a lost socket means joining anew.
    sid: Option<String>,
    /// The new socket has not been answered yet.
    resuming: bool,
    wants_voice: bool,
    muted: bool,
    ignores: BTreeSet<PersonId>,
    /// Tracks that the server was told not to send.
    unsubscribed: BTreeSet<String>,
    roster: Roster,
    negotiation: Negotiation,
    media: Media,
}

impl Client {
    pub(crate) fn new(me: PersonId, persona: Persona, seed: u64) -> Self {
        let mut random = Random::named(seed, &[1, u64::from(me.0)]);
        Self {
            me,
            persona,
            effects: Vec::new(),
            room: None,
            life: 0,
            session: None,
            sid: None,
            resuming: false,
            wants_voice: false,
            muted: false,
            ignores: BTreeSet::new(),
            unsubscribed: BTreeSet::new(),
            roster: Roster::default(),
            negotiation: Negotiation::new(persona.path),
            media: Media::new(&mut random),
            random,
        }
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Enter(room) => {
                self.leave();
                self.enter(room);
            }
            Act::Leave => self.leave(),
            Act::Publish => self.wants_voice = true,
            Act::Mute => self.set_muted(true),
            Act::Unmute => self.set_muted(false),
            Act::Ignore(whom) => drop(self.ignores.insert(whom)),
            Act::Heed(whom) => drop(self.ignores.remove(&whom)),
            Act::Drop { .. } | Act::Vanish { .. } => self.session = None,
            Act::Return => {}
        }
        self.pursue();
    }

    /// The person's way back after a [`Act::Drop`] or an [`Act::Vanish`], or after the server
    /// closed the socket.
    pub(crate) fn come_back(&mut self) {
        if self.room.is_none() || self.session.is_some() {
            return;
        }
        match self.sid.as_deref().map(str::parse) {
            Some(Ok(participant)) => {
                self.resuming = true;
                let resume = Resume { participant: Some(participant), reason: 1 };
                self.connect(Some(resume), None);
            }
            _ => self.join(),
        }
    }

    fn enter(&mut self, room: RoomId) {
        self.room = Some(room);
        self.join();
    }

    /// Joins with nothing kept of what was before.
    fn join(&mut self) {
        self.life += 1;
        self.sid = None;
        self.resuming = false;
        self.unsubscribed.clear();
        self.roster = Roster::default();
        self.media.begin_life();
        self.negotiation = Negotiation::new(self.persona.path);
        self.negotiation.rename(&mut self.random);
        let offer = (self.persona.path == SignalPath::OneConnection && self.random.happens(700))
            .then(|| self.next_offer());
        self.connect(None, offer);
    }

    fn connect(&mut self, resume: Option<Resume>, offer: Option<livekit::SessionDescription>) {
        let (Some(room), Ok(identity)) = (self.room, identity_of(self.me).parse()) else { return };
        let session = SessionId(u128::from(self.random.bits()));
        self.session = Some(session);
        let video = VideoGrant {
            room: format!("room{}", room.0),
            room_join: true,
            ..VideoGrant::default()
        };
        self.effects.push(Effect::Connect(Box::new(Join {
            session,
            grants: Grants {
                identity: identity_of(self.me),
                video: Some(video),
                ..Grants::default()
            },
            identity,
            client: livekit::ClientInfo { protocol: 16, ..livekit::ClientInfo::default() },
            user_agent: String::new(),
            protocol: self.persona.path,
            auto_subscribe: true,
            resume,
            publisher_offer: offer,
            add_tracks: Vec::new(),
            sync_state: None,
        })));
    }

    fn leave(&mut self) {
        self.signal(Request::Leave(LeaveRequest {
            reason: livekit::DisconnectReason::ClientInitiated.into(),
            ..LeaveRequest::default()
        }));
        if let Some(session) = self.session.take() {
            self.effects.push(Effect::Disconnect(session));
        }
        self.room = None;
        self.sid = None;
        self.life += 1;
        self.wants_voice = false;
        self.muted = false;
        self.ignores.clear();
    }

    fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if let Some(sid) = self.media.track_sid() {
            self.signal(Request::Mute(MuteTrackRequest { sid, muted }));
        }
    }

    fn signal(&mut self, request: Request) {
        if let Some(session) = self.session {
            self.effects.push(Effect::Signal(session, Box::new(request)));
        }
    }

    fn fault(&mut self, what: &'static str) {
        self.effects.push(Effect::Fault(what));
    }

    /// The socket it has, if any.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Whether it is in a room and has no socket.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.room.is_some() && self.session.is_none()
    }

    /// Whether it has been let in, and can be talked to.
    fn is_joined(&self) -> bool {
        self.session.is_some() && self.sid.is_some() && !self.resuming
    }

    /// Takes a frame. Those of sockets it has given up are not for it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "an SDK skips what it has no use for")]
    pub(crate) fn on_response(&mut self, session: SessionId, response: Response) {
        if self.session != Some(session) {
            return;
        }
        match response {
            Response::Join(join) => self.on_join(join),
            Response::Reconnect(_) => self.on_reconnect(),
            Response::Answer(answer) => self.on_answer(&answer),
            Response::Offer(offer) => self.on_offer(&offer),
            Response::Update(update) => self.roster.update(update.participants),
            Response::TrackPublished(published) => self.on_track_published(published),
            Response::MediaSectionsRequirement(lacking) => self.on_requirement(lacking.num_audios),
            Response::Leave(leave) => self.on_leave(&leave),
            _ => {}
        }
        self.pursue();
    }

    /// The server closed a socket.
    pub(crate) fn on_closed(&mut self, session: SessionId) {
        if self.session == Some(session) {
            self.session = None;
        }
    }

    fn on_join(&mut self, join: livekit::JoinResponse) {
        let Some(participant) = join.participant else { return self.fault("join without oneself") };
        if self.sid.is_some() {
            return self.fault("join for a session that was resumed");
        }
        self.sid = Some(participant.sid);
        self.roster.update(join.other_participants);
        if !self.negotiation.has_offered() {
            self.negotiate();
        }
    }

    fn on_reconnect(&mut self) {
        if !self.resuming {
            return self.fault("reconnect for a session that joined");
        }
        self.resuming = false;
        let subscription = UpdateSubscription {
            track_sids: self.unsubscribed.iter().cloned().collect(),
            subscribe: false,
            ..UpdateSubscription::default()
        };
        self.signal(Request::SyncState(SyncState {
            subscription: Some(subscription),
            publish_tracks: self.media.published(),
            ..SyncState::default()
        }));
        // What was said while the socket was down went unheard.
        if let Some(sid) = self.media.track_sid() {
            self.signal(Request::Mute(MuteTrackRequest { sid, muted: self.muted }));
        }
        self.media.ask_again();
        self.negotiation.rename(&mut self.random);
        self.negotiate();
    }

    fn on_leave(&mut self, leave: &LeaveRequest) {
        match leave.action() {
            Action::Resume => {}
            Action::Reconnect => self.sid = None,
            Action::Disconnect if self.resuming => self.sid = None,
            Action::Disconnect => self.fault("thrown out"),
        }
        if let Some(session) = self.session.take() {
            self.effects.push(Effect::Disconnect(session));
        }
    }

    /// Does what the person wants as far as that can be done.
    fn pursue(&mut self) {
        if !self.is_joined() {
            return;
        }
        if self.wants_voice {
            self.publish();
        }
        self.subscribe();
    }

    fn subscribe(&mut self) {
        let known = self.roster.tracks();
        let unwanted = known.iter().filter(|(_, whose)| self.ignores.contains(whose));
        let unwanted: BTreeSet<String> = unwanted.map(|(sid, _)| sid.clone()).collect();
        let stop: Vec<_> = unwanted.difference(&self.unsubscribed).cloned().collect();
        let start: Vec<_> = self.unsubscribed.difference(&unwanted).cloned().collect();
        for (track_sids, subscribe) in [(stop, false), (start, true)] {
            if !track_sids.is_empty() {
                let update =
                    UpdateSubscription { track_sids, subscribe, ..UpdateSubscription::default() };
                self.signal(Request::Subscription(update));
            }
        }
        self.unsubscribed = unwanted;
    }
}

/// What a person's token calls them.
pub(crate) fn identity_of(person: PersonId) -> String {
    format!("person{}", person.0)
}

pub(crate) fn person_of(identity: &str) -> Option<PersonId> {
    identity.strip_prefix("person")?.parse().ok().map(PersonId)
}
