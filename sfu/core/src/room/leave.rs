//! How participants go, and how rooms end.

use proto::{
    control::{Event, What},
    ids::{ParticipantSid, SessionId},
    link::LinkClosed,
    livekit::{
        DisconnectReason, LeaveRequest, ParticipantUpdate, leave_request::Action, participant_info,
        signal_response::Message,
    },
};

use crate::{context::Context, limits::SIGNAL_ABSENT_MAX, room::Room, timers::Timer};

/// What a client is told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub(crate) reason: DisconnectReason,
    pub(crate) action: Action,
}

impl Farewell {
    /// For good.
    pub(crate) fn because(reason: DisconnectReason) -> Self {
        Self { reason, action: Action::Disconnect }
    }

    /// What the client should do next.
    pub(crate) fn then(self, action: Action) -> Self {
        Self { action, ..self }
    }
}

/// Says goodbye to a client that is no participant.
pub(crate) fn turn_away(session: SessionId, farewell: Farewell, cx: &mut Context) {
    let leave = LeaveRequest {
        can_reconnect: farewell.action != Action::Disconnect,
        reason: farewell.reason.into(),
        action: farewell.action.into(),
        regions: None,
    };
    cx.signal(Some(session), Message::Leave(leave));
    cx.event(Event::Close { session });
}

impl Room {
    /// Ends a participation: the client is told, its media stops, the others learn of it.
    pub(crate) fn dismiss(&mut self, sid: ParticipantSid, farewell: Farewell, cx: &mut Context) {
        if let Some(session) = self.participants.get(&sid).and_then(|it| it.presence.session) {
            turn_away(session, farewell, cx);
        }
        self.remove(sid, farewell.reason, cx);
    }

    /// Ends a participation of which the client is told nothing.
    pub(super) fn remove(
        &mut self,
        sid: ParticipantSid,
        reason: DisconnectReason,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        if let Some(session) = participant.presence.session.take() {
            self.sessions.remove(&session);
        }
        let carried = participant.hearing.slots.carried().map(|(_, track)| track);
        let heard: Vec<_> = carried.collect();
        let published: Vec<_> = participant.publishing.tracks.iter().copied().collect();
        heard.into_iter().for_each(|track| self.stop_hearing(sid, track));
        published.into_iter().for_each(|track| self.unpublish(track, cx));
        let Some(mut participant) = self.participants.remove(&sid) else { return };
        let identity = participant.profile.identity.clone();
        if self.identities.get(&identity) == Some(&sid) {
            self.identities.remove(&identity);
        }
        participant.connections.iter().for_each(|connection| cx.close(connection.id));
        let was_active = participant.is_active();
        participant.presence.version += 1;
        participant.presence.state = participant_info::State::Disconnected;
        let mut info = participant.info();
        info.disconnect_reason = reason.into();
        if participant.presence.is_announced && !participant.is_hidden() {
            let update = ParticipantUpdate { participants: vec![info.clone()] };
            self.tell_all_but(identity.as_str(), &Message::Update(update), cx);
        }
        if was_active {
            let stayed = cx.now.saturating_duration_since(participant.profile.joined_at);
            self.happened_left(info, reason, stayed.as_secs(), cx);
        }
        self.on_departure(cx);
    }

    /// An SDK takes news of its own identity for news of itself, so the successor isn't told.
    fn tell_all_but(&self, identity: &str, message: &Message, cx: &mut Context) {
        let others = self.participants.values();
        for other in others.filter(|other| other.profile.identity.as_str() != identity) {
            cx.signal(other.presence.session, message.clone());
        }
    }

    fn on_departure(&mut self, cx: &mut Context) {
        self.end_echo_if_alone(cx);
        if self.participants.is_empty() && !self.is_over {
            self.vacancy.since = Some(cx.now);
            let timeout = self.vacancy_timeout();
            cx.set_timer(cx.now + timeout, Timer::Vacancy(self.id));
        }
    }

    /// The WebSocket ended without a word. Media goes on; the client may come back.
    pub(super) fn on_disconnected(&mut self, session: SessionId, cx: &mut Context) {
        let Some(sid) = self.sessions.remove(&session) else { return };
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.presence.session = None;
        if participant.is_active() && participant.connections.is_broken() {
            return self.end_lost(sid, cx);
        }
        participant.presence.absent_since = Some(cx.now);
        cx.set_timer(cx.now + SIGNAL_ABSENT_MAX, Timer::Absence(self.id, sid));
    }

    pub(super) fn on_absence(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let absent_since = participant.presence.absent_since;
        if absent_since.is_some_and(|since| since + SIGNAL_ABSENT_MAX <= cx.now) {
            self.remove(sid, DisconnectReason::SignalClose, cx);
        }
    }

    pub(super) fn on_vacancy(&mut self, cx: &mut Context) {
        let due = self.vacancy.since.is_some_and(|since| since + self.vacancy_timeout() <= cx.now);
        if due {
            self.end(Farewell::because(DisconnectReason::RoomClosed), cx);
        }
    }

    /// Ends this life of the room. Nobody stays.
    pub(crate) fn end(&mut self, farewell: Farewell, cx: &mut Context) {
        self.disperse(farewell, cx);
        self.close_links(LinkClosed::RoomEnded, cx);
        self.happened(What::RoomFinished, cx);
    }

    /// Sends everybody away. Whether the room goes on elsewhere is the caller's to say.
    pub(crate) fn disperse(&mut self, farewell: Farewell, cx: &mut Context) {
        self.is_over = true;
        self.echo = None;
        let everybody: Vec<ParticipantSid> = self.participants.keys().copied().collect();
        // All are told before any is taken out, so that nobody learns of the others' going.
        for participant in self.participants.values_mut() {
            if let Some(session) = participant.presence.session.take() {
                turn_away(session, farewell, cx);
            }
        }
        self.sessions.clear();
        everybody.into_iter().for_each(|sid| self.remove(sid, farewell.reason, cx));
    }
}
