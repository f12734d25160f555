//! A new participant: admitted, told who is there, connected.

use proto::{
    control::{Join, SignalPath},
    ids::{Identity, ParticipantSid, SessionId},
    livekit::{
        Codec, DisconnectReason, JoinResponse, ServerInfo, leave_request::Action,
        server_info::Edition, signal_response::Message,
    },
};

use crate::{
    context::Context,
    limits::{
        JOIN_TIMEOUT, PARTICIPANTS_MAX, PING_INTERVAL_SECS, PING_TIMEOUT_SECS,
        TOKEN_REFRESH_INTERVAL,
    },
    room::{
        Room, Vacancy,
        leave::{Farewell, turn_away},
        participant::{Participant, Profile},
    },
    timers::Timer,
};

/// The version of LiveKit's protocol whose messages we speak.
const PROTOCOL: i32 = 17;
/// The LiveKit server that we behave like. SDKs go by it: below 1.8.0 they make no remote
/// procedure calls.
const COMPATIBLE_VERSION: &str = "1.13.3";

impl Room {
    pub(super) fn on_join(&mut self, join: Join, cx: &mut Context) {
        if self.sessions.contains_key(&join.session) {
            return;
        }
        match &join.resume {
            Some(_) => self.on_resume(join, cx),
            None => self.admit(join, cx),
        }
    }

    fn admit(&mut self, join: Join, cx: &mut Context) {
        let predecessor = self.identities.get(&join.identity).copied();
        if predecessor.is_none() && self.is_full() {
            cx.stats.joins_refused += 1;
            return turn_away(join.session, Farewell::because(DisconnectReason::JoinFailure), cx);
        }
        let sid = ParticipantSid::from_random(cx.random.bits128());
        self.enter(sid, &join, cx);
        self.send_join(sid, &join.identity, cx);
        if let Some(predecessor) = predecessor {
            self.replace(predecessor, cx);
        }
        self.refresh_token(sid, cx);
        self.want_present_tracks(sid);
        self.start_media(sid, join, cx);
        self.tell_speakers(sid, cx);
    }

    fn is_full(&self) -> bool {
        let wanted = usize::try_from(self.settings.participants_max).unwrap_or_default();
        let max = if wanted == 0 { PARTICIPANTS_MAX } else { wanted.min(PARTICIPANTS_MAX) };
        self.participants.len() >= max
    }

    fn enter(&mut self, sid: ParticipantSid, join: &Join, cx: &mut Context) {
        let joined = (cx.now, cx.unix_micros());
        let (identity, grants) = (join.identity.clone(), join.grants.clone());
        let software = (join.client.clone(), join.user_agent.as_str());
        let profile = Profile::new(sid, identity, grants, software, joined);
        let mut participant = Participant::new(profile, join.protocol, Some(join.session));
        participant.hearing.automatic = join.auto_subscribe;
        self.participants.insert(sid, participant);
        self.sessions.insert(join.session, sid);
        self.identities.insert(join.identity.clone(), sid);
        cx.set_timer(cx.now + JOIN_TIMEOUT, Timer::Join(self.id, sid));
        cx.set_timer(cx.now + TOKEN_REFRESH_INTERVAL, Timer::Token(self.id, sid));
        self.vacancy = Vacancy { since: None, was_used: true };
        self.start_pulse(cx);
    }

    /// The newcomer has its answer; only then is whom it replaces sent away.
    fn replace(&mut self, predecessor: ParticipantSid, cx: &mut Context) {
        let farewell = Farewell::because(DisconnectReason::DuplicateIdentity);
        self.dismiss(predecessor, farewell, cx);
    }

    fn start_media(&mut self, sid: ParticipantSid, join: Join, cx: &mut Context) {
        join.add_tracks.into_iter().for_each(|request| self.on_add_track(sid, request, cx));
        if join.protocol == SignalPath::TwoConnections {
            self.open_subscriber(sid, cx);
        }
        if let Some(state) = join.sync_state {
            self.on_sync_state(sid, *state, cx);
        }
        self.reconcile(sid, cx);
        if let Some(offer) = join.publisher_offer {
            self.on_offer(sid, offer, cx);
        }
    }

    fn send_join(&self, sid: ParticipantSid, identity: &Identity, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let mut others = self.others(sid);
        others.retain(|other| other.identity != identity.as_str());
        let response = JoinResponse {
            room: Some(self.info()),
            participant: self.info_of(sid),
            other_participants: others,
            server_version: COMPATIBLE_VERSION.to_owned(),
            ice_servers: cx.config.ice_servers.clone(),
            subscriber_primary: participant.connections.path == SignalPath::TwoConnections,
            server_region: cx.config.region.clone(),
            ping_timeout: PING_TIMEOUT_SECS,
            ping_interval: PING_INTERVAL_SECS,
            server_info: Some(server_info(cx)),
            enabled_publish_codecs: codecs(),
            fast_publish: participant.profile.permission.can_publish,
            ..JoinResponse::default()
        };
        self.tell(sid, Message::Join(response), cx);
    }

    /// Sixty seconds after joining: did media come?
    pub(super) fn on_join_timeout(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        if participant.is_active() {
            return;
        }
        use proto::control::ConnectionFailure;
        let cause = participant.presence.failure.unwrap_or(ConnectionFailure::NoStunReceived);
        self.happened_failed(sid, cause, cx);
        self.dismiss(sid, Farewell::because(DisconnectReason::JoinFailure), cx);
    }

    pub(super) fn on_token_age(&mut self, sid: ParticipantSid, cx: &mut Context) {
        if self.participants.contains_key(&sid) {
            self.refresh_token(sid, cx);
            cx.set_timer(cx.now + TOKEN_REFRESH_INTERVAL, Timer::Token(self.id, sid));
        }
    }
}

/// Sends a client to start over: what it wants to go on with isn't here.
pub(super) fn send_to_start_over(session: SessionId, cx: &mut Context) {
    let farewell = Farewell::because(DisconnectReason::StateMismatch);
    turn_away(session, farewell.then(Action::Reconnect), cx);
}

pub(super) fn server_info(cx: &Context) -> ServerInfo {
    ServerInfo {
        edition: Edition::Standard.into(),
        version: COMPATIBLE_VERSION.to_owned(),
        debug_info: format!("adda {}", cx.config.version),
        protocol: PROTOCOL,
        region: cx.config.region.clone(),
        node_id: cx.config.node_id.clone(),
        ..ServerInfo::default()
    }
}

pub(super) fn codecs() -> Vec<Codec> {
    let codec = |mime: &str| Codec { mime: mime.to_owned(), fmtp_line: String::new() };
    vec![codec("audio/opus"), codec("audio/red")]
}
