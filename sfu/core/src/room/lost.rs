//! Connections that are beyond repair, and what becomes of their participants.

use proto::{
    control::ConnectionFailure,
    ids::ParticipantSid,
    livekit::{DisconnectReason, leave_request::Action},
};

use crate::{
    TransportId,
    context::Context,
    limits::MEDIA_LOST_GRACE,
    room::{Room, connection::State, leave::Farewell},
    timers::Timer,
};

impl Room {
    /// A connection has failed. Nothing goes out on it from here on.
    pub(super) fn on_failed(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        cause: ConnectionFailure,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = participant.connections.find_mut(id) else { return };
        let before = std::mem::replace(&mut connection.state, State::Dead);
        participant.presence.failure.get_or_insert(cause);
        self.open_listeners(sid, cx);
        match before {
            State::Opening => self.on_never_connected(sid, cause, cx),
            State::Connected => self.on_media_lost(sid, cx),
            State::Dead => {}
        }
    }

    /// A handshake that was refused won't do better. A network that let nothing through might,
    /// so the rest of the time for joining is the client's.
    fn on_never_connected(
        &mut self,
        sid: ParticipantSid,
        cause: ConnectionFailure,
        cx: &mut Context,
    ) {
        match cause {
            ConnectionFailure::DtlsFingerprint | ConnectionFailure::DtlsFailed => {
                self.happened_failed(sid, cause, cx);
                self.dismiss(sid, Farewell::because(DisconnectReason::JoinFailure), cx);
            }
            ConnectionFailure::NoStunReceived
            | ConnectionFailure::StunUnauthenticated
            | ConnectionFailure::DtlsTimeout
            | ConnectionFailure::ConsentExpired => {}
        }
    }

    /// A client that goes closes its connection and its WebSocket, in either order: whoever has a
    /// WebSocket is given a moment to say that it is leaving.
    fn on_media_lost(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        if participant.presence.session.is_some() {
            cx.set_timer(cx.now + MEDIA_LOST_GRACE, Timer::MediaLost(self.id, sid));
        } else {
            self.end_lost(sid, cx);
        }
    }

    /// It didn't leave, so it may not even know: it is told to start over.
    pub(super) fn end_lost(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let cause = participant.presence.failure.unwrap_or(ConnectionFailure::ConsentExpired);
        self.happened_failed(sid, cause, cx);
        let farewell = Farewell::because(DisconnectReason::ConnectionTimeout);
        self.dismiss(sid, farewell.then(Action::Reconnect), cx);
    }
}
