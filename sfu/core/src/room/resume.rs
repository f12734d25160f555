//! A participant whose WebSocket was lost and who comes back on another.
//!
//! Its media never stopped, so nothing is built anew: it is told what it may have missed, and
//! its connections are helped to a new network path should the old one be gone.

use proto::{
    control::{Event, Join},
    ids::{ParticipantSid, SessionId},
    livekit::{ParticipantUpdate, ReconnectResponse, SignalTarget, signal_response::Message},
};

use crate::{
    context::Context,
    limits::PATH_SILENCE_MAX,
    room::{
        Room, connect,
        join::{send_to_start_over, server_info},
        participant::Simulated,
    },
    timers::Timer,
};

impl Room {
    pub(super) fn on_resume(&mut self, join: Join, cx: &mut Context) {
        let Some(sid) = self.who_resumes(&join) else {
            return send_to_start_over(join.session, cx);
        };
        let simulated = self.attach(sid, join.session, cx);
        if simulated == Simulated::DisconnectOnResumeSilently {
            return self.detach(sid, join.session, cx);
        }
        self.send_reconnect(sid, cx);
        self.help_subscriber(sid, cx);
        if let Some(state) = join.sync_state {
            self.on_sync_state(sid, *state, cx);
        }
        self.resend_wishes(sid, cx);
        if let Some(offer) = join.publisher_offer {
            self.on_offer(sid, offer, cx);
        }
        if simulated == Simulated::DisconnectOnResume {
            self.detach(sid, join.session, cx);
        }
    }

    /// Whom the client claims to be, if its token is that participant's, it speaks as before, and
    /// there is something to go on with.
    fn who_resumes(&self, join: &Join) -> Option<ParticipantSid> {
        let of_identity = self.identities.get(&join.identity).copied()?;
        let claimed = join.resume.and_then(|resume| resume.participant).unwrap_or(of_identity);
        let participant = self.participants.get(&of_identity)?;
        let connections = &participant.connections;
        let fits = claimed == of_identity && connections.path == join.protocol;
        (fits && !connections.is_broken()).then_some(of_identity)
    }

    fn attach(&mut self, sid: ParticipantSid, session: SessionId, cx: &mut Context) -> Simulated {
        let Some(participant) = self.participants.get_mut(&sid) else { return Simulated::Nothing };
        participant.presence.absent_since = None;
        if let Some(stale) = participant.presence.session.replace(session) {
            self.sessions.remove(&stale);
            cx.event(Event::Close { session: stale });
        }
        self.sessions.insert(session, sid);
        std::mem::take(&mut participant.presence.simulated)
    }

    fn detach(&mut self, sid: ParticipantSid, session: SessionId, cx: &mut Context) {
        debug_assert_eq!(self.sessions.get(&session), Some(&sid), "attached before");
        cx.event(Event::Close { session });
        self.on_disconnected(session, cx);
    }

    fn send_reconnect(&self, sid: ParticipantSid, cx: &mut Context) {
        let response = ReconnectResponse {
            ice_servers: cx.config.ice_servers.clone(),
            server_info: Some(server_info(cx)),
            ..ReconnectResponse::default()
        };
        self.tell(sid, Message::Reconnect(response), cx);
        let myself = self.info_of(sid);
        let participants = myself.into_iter().chain(self.others(sid)).collect();
        self.tell(sid, Message::Update(ParticipantUpdate { participants }), cx);
        self.tell_room_to(sid, cx);
        self.refresh_token(sid, cx);
        self.tell_speakers(sid, cx);
    }

    /// The client may have come back from another network, and on the subscriber connection only
    /// we can restart ICE.
    fn help_subscriber(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(connection) = &participant.connections.subscriber else { return };
        if participant.is_pion() && connection.is_heard(cx.now) {
            // Pion closes its sockets when ICE restarts, and what is under way to them is lost.
            cx.set_timer(cx.now + PATH_SILENCE_MAX, Timer::Path(self.id, sid));
            self.send_offer(sid, cx);
        } else {
            self.restart_subscriber(sid, cx);
        }
    }

    /// A path that was spared a restart: does it still lead anywhere?
    pub(super) fn on_path(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let subscriber = participant.connections.subscriber.as_ref();
        if subscriber.is_some_and(|connection| !connection.is_heard(cx.now)) {
            self.restart_subscriber(sid, cx);
        }
    }

    fn restart_subscriber(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = &mut participant.connections.subscriber else { return };
        connect::restart(connection, cx);
        self.send_offer(sid, cx);
        self.send_candidates(sid, SignalTarget::Subscriber, cx);
    }

    /// What was asked on the lost socket has to be asked again.
    fn resend_wishes(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.hearing.sections.forget_request();
        participant.hearing.subscriptions.values_mut().for_each(|wish| wish.forget_told());
        self.reconcile(sid, cx);
    }
}
