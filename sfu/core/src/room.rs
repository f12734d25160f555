//! One room, for one life of it: who is there, what they publish, who hears whom.
//!
//! A room belongs to one shard under one [`Epoch`]. Signalling, moderators and clocks change what
//! participants should hear; packets take the way that was precomputed. It keeps no socket.

mod admin;
mod announce;
mod audience;
mod budget;
mod connect;
mod connection;
mod data;
mod describe;
mod dual;
mod echo;
mod intake;
mod join;
pub(crate) mod leave;
mod links;
mod listener;
mod lost;
mod metadata;
mod mute;
mod offer;
mod participant;
mod pending;
mod permissions;
mod publish;
mod quality;
mod resume;
mod rtcp;
mod sender_clock;
mod signal;
mod simulate;
mod single;
mod slots;
mod speakers;
mod speech;
mod stream;
mod subscribe;
mod track;
pub(crate) mod tracks;
mod trickle;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    control::{MediaStage, RoomAction, What},
    ids::{Epoch, Identity, ParticipantSid, RoomName, RoomSid, SessionId},
    livekit::{self, CreateRoomRequest},
    rtp::Packet,
};

use crate::{
    Delivery, Stats,
    context::Context,
    limits::{DEPARTURE_TIMEOUT_SECS, EMPTY_TIMEOUT_SECS},
    room::{
        echo::Echo, links::Links, participant::Participant, quality::Pulse, speakers::Speakers,
        tracks::Tracks,
    },
    rooms::RoomId,
    timers::Timer,
};
use tracks::TrackKey;

#[derive(Debug)]
pub(crate) struct Room {
    id: RoomId,
    name: RoomName,
    epoch: Epoch,
    sid: RoomSid,
    settings: Settings,
    created_at: Instant,
    created_unix_micros: i64,
    participants: BTreeMap<ParticipantSid, Participant>,
    identities: BTreeMap<Identity, ParticipantSid>,
    sessions: BTreeMap<SessionId, ParticipantSid>,
    tracks: Tracks,
    links: Links,
    speakers: Speakers,
    pulse: Pulse,
    echo: Option<Echo>,
    vacancy: Vacancy,
    is_over: bool,
}

/// What a room's creator decides.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long the room waits for its first participant.
    empty_timeout_secs: u32,
    /// How long it outlives its last.
    departure_timeout_secs: u32,
    /// Zero for as many as we take.
    participants_max: u32,
    metadata: String,
}

/// Whether anybody is there, or was.
#[derive(Clone, Copy, Debug)]
struct Vacancy {
    since: Option<Instant>,
    was_used: bool,
}

impl Room {
    pub(crate) fn new(
        id: RoomId,
        name: RoomName,
        epoch: Epoch,
        settings: Settings,
        cx: &mut Context,
    ) -> Self {
        let room = Self {
            id,
            name,
            epoch,
            sid: RoomSid::from_random(cx.random.bits128()),
            settings,
            created_at: cx.now,
            created_unix_micros: cx.unix_micros(),
            participants: BTreeMap::new(),
            identities: BTreeMap::new(),
            sessions: BTreeMap::new(),
            tracks: Tracks::default(),
            links: Links::default(),
            speakers: Speakers::default(),
            pulse: Pulse::default(),
            echo: None,
            vacancy: Vacancy { since: Some(cx.now), was_used: false },
            is_over: false,
        };
        cx.set_timer(cx.now + room.vacancy_timeout(), Timer::Vacancy(id));
        room.happened(What::RoomStarted, cx);
        room
    }

    pub(crate) fn handle(&mut self, action: RoomAction, cx: &mut Context) {
        match action {
            RoomAction::Join(join) => self.on_join(*join, cx),
            RoomAction::Signal { session, request } => self.on_signal(session, *request, cx),
            RoomAction::Disconnected { session } => self.on_disconnected(session, cx),
            RoomAction::Admin { request, operation } => self.on_admin(request, *operation, cx),
            RoomAction::CallEcho { request } => self.on_call_echo(request, cx),
        }
    }

    pub(crate) fn handle_timer(&mut self, timer: Timer, cx: &mut Context) {
        match timer {
            Timer::Join(_, sid) => self.on_join_timeout(sid, cx),
            Timer::Absence(_, sid) => self.on_absence(sid, cx),
            Timer::MediaLost(_, sid) => self.end_lost(sid, cx),
            Timer::Path(_, sid) => self.on_path(sid, cx),
            Timer::Token(_, sid) => self.on_token_age(sid, cx),
            Timer::Speakers(_) => self.on_speakers(cx),
            Timer::Pulse(_) => self.on_pulse(cx),
            Timer::Vacancy(_) => self.on_vacancy(cx),
            Timer::Echo(_) => self.on_echo(cx),
            Timer::Reports(_) => cx.invariant_broken("reports are a connection's, not a room's"),
        }
    }

    /// Hands a packet of one of our tracks to those who hear it, participants or not.
    pub(crate) fn forward(
        &mut self,
        key: TrackKey,
        packet: &Packet<'_>,
        cx: &mut Context,
        delivery: &mut Delivery,
    ) {
        let Some(track) = self.tracks.at_mut(key) else {
            return cx.invariant_broken("a stream leads to a track");
        };
        let is_first = track.intake.last_at.is_none();
        let Some(voice) = track.intake.read(packet, cx.now, &mut cx.stats) else { return };
        if is_first && let Some(owner) = self.participants.get_mut(&track.owner) {
            owner.reached(MediaStage::FirstPacket, cx);
        }
        if !track.clock.is_set() {
            track.clock.on_packet(voice.timestamp, cx.clock.ntp(cx.now));
        }
        if track.info.muted {
            cx.stats.packets_muted += 1;
            return;
        }
        track.distribute(&voice, cx.now, &mut delivery.copies);
        if let Some(linked) = track.linked.filter(|_| self.links.len() > 0) {
            self.links.tap(linked, &voice, cx.link_time(), &mut delivery.taps);
        }
        let observed = voice.level.map(|level| track.speech.observe(level, voice.payload_len));
        if observed == Some(true) {
            self.watch_speakers(cx);
        }
        if self.echo.is_some() {
            self.hold_for_echo(key, &voice, packet, cx);
        }
    }

    pub(crate) fn name(&self) -> &RoomName {
        &self.name
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether this life of the room has ended, so that nothing is left to be done in it.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn info(&self) -> livekit::Room {
        let public = self.participants.values().filter(|it| !it.is_hidden());
        let (participants, publishers) = public.fold((0, 0), |(all, publishing), it| {
            (all + 1, publishing + u32::from(!it.publishing.tracks.is_empty()))
        });
        livekit::Room {
            sid: self.sid.to_string(),
            name: self.name.to_string(),
            empty_timeout: self.settings.empty_timeout_secs,
            departure_timeout: self.settings.departure_timeout_secs,
            max_participants: self.settings.participants_max,
            creation_time: self.created_unix_micros / 1_000_000,
            creation_time_ms: self.created_unix_micros / 1_000,
            enabled_codecs: join::codecs(),
            metadata: self.settings.metadata.clone(),
            num_participants: participants,
            num_publishers: publishers,
            active_recording: self.links.is_recording(),
            ..livekit::Room::default()
        }
    }

    /// Adds what is there now to `stats`.
    pub(crate) fn count(&self, stats: &mut Stats) {
        let count = |number: usize| u64::try_from(number).unwrap_or_default();
        stats.rooms += 1;
        stats.participants += count(self.participants.len());
        stats.tracks += count(self.tracks.len());
        stats.links += count(self.links.len());
        stats.subscriptions +=
            self.tracks.iter().map(|track| count(track.listeners.len())).sum::<u64>();
    }

    fn vacancy_timeout(&self) -> Duration {
        let secs = if self.vacancy.was_used {
            self.settings.departure_timeout_secs
        } else {
            self.settings.empty_timeout_secs
        };
        Duration::from_secs(secs.into())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            empty_timeout_secs: EMPTY_TIMEOUT_SECS,
            departure_timeout_secs: DEPARTURE_TIMEOUT_SECS,
            participants_max: 0,
            metadata: String::new(),
        }
    }
}

impl Settings {
    /// What a request leaves out is as usual.
    pub(crate) fn from_request(request: &CreateRoomRequest) -> Self {
        let or = |wanted: u32, usual: u32| if wanted == 0 { usual } else { wanted };
        Self {
            empty_timeout_secs: or(request.empty_timeout, EMPTY_TIMEOUT_SECS),
            departure_timeout_secs: or(request.departure_timeout, DEPARTURE_TIMEOUT_SECS),
            participants_max: request.max_participants,
            metadata: request.metadata.clone(),
        }
    }
}
