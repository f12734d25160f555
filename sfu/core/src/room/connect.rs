//! Opening peer connections, keeping them through ICE restarts, and what becomes of them.

use proto::{
    control::MediaStage,
    data::{Channel, ChannelSide},
    ids::ParticipantSid,
    livekit::participant_info,
    sdp::{Peer, Setup},
};

use crate::{
    Output, TransportAction, TransportEvent, TransportId,
    context::Context,
    limits::REPORT_INTERVAL,
    room::{
        Room,
        connection::{Connection, State},
    },
    timers::Timer,
};

/// Whether the client knows where to send its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    Known,
    /// The connection is new, or expects checks under new credentials.
    ToTell,
}

/// Why a description can't be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inapplicable {
    /// It wants us to start the handshake, which we never do.
    Setup,
    /// It promises another certificate than the one that was verified.
    Fingerprint,
    /// We hold as many connections as we can.
    Exhausted,
    /// It is for a connection that has failed for good.
    Dead,
}

impl Room {
    pub(super) fn open_connection(
        &self,
        sid: ParticipantSid,
        channels: ChannelSide,
        cx: &mut Context,
    ) -> Option<Connection> {
        let id = cx.transports.insert(self.id, sid)?;
        let connection = Connection::new(id, &mut cx.random, cx.now);
        let local = connection.local.clone();
        cx.transport(id, TransportAction::Open { local, channels });
        cx.set_timer(cx.now + REPORT_INTERVAL, Timer::Reports(id));
        Some(connection)
    }

    /// Makes the client's own connection fit what its offer says.
    pub(super) fn follow_offer(
        &mut self,
        sid: ParticipantSid,
        peer: Peer,
        cx: &mut Context,
    ) -> Result<Candidates, Inapplicable> {
        if peer.setup == Setup::Passive {
            return Err(Inapplicable::Setup);
        }
        let is_open =
            self.participants.get(&sid).is_some_and(|it| it.connections.publisher.is_some());
        if !is_open {
            let opened = self.open_connection(sid, ChannelSide::Remote, cx);
            let opened = opened.ok_or(Inapplicable::Exhausted)?;
            let participant = self.participants.get_mut(&sid).ok_or(Inapplicable::Exhausted)?;
            participant.connections.publisher = Some(opened);
        }
        let participant = self.participants.get_mut(&sid).ok_or(Inapplicable::Exhausted)?;
        let connection = participant.connections.publisher.as_mut();
        let connection = connection.ok_or(Inapplicable::Exhausted)?;
        if connection.state == State::Dead {
            return Err(Inapplicable::Dead);
        }
        let restarts = connection.peer.as_ref().is_some_and(|known| known.ice != peer.ice);
        let known_before = connection.peer.is_some();
        if restarts {
            restart(connection, cx);
        }
        apply(connection, peer, cx)?;
        Ok(if known_before && !restarts { Candidates::Known } else { Candidates::ToTell })
    }

    /// Notes that a connection is alive.
    pub(super) fn heard_from(&mut self, sid: ParticipantSid, id: TransportId, cx: &Context) {
        let participant = self.participants.get_mut(&sid);
        if let Some(connection) = participant.and_then(|it| it.connections.find_mut(id)) {
            connection.heard_at = cx.now;
        }
    }

    pub(crate) fn on_transport(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        event: TransportEvent,
        cx: &mut Context,
    ) {
        match event {
            TransportEvent::AddressVerified => self.on_address_verified(sid, cx),
            TransportEvent::Connected => self.on_connected(sid, id, cx),
            TransportEvent::ChannelOpen(channel) => self.on_channel_open(sid, id, channel, cx),
            TransportEvent::Failed(cause) => self.on_failed(sid, id, cause, cx),
        }
    }

    fn on_address_verified(&mut self, sid: ParticipantSid, cx: &mut Context) {
        if let Some(participant) = self.participants.get_mut(&sid) {
            participant.reached(MediaStage::Ice, cx);
        }
    }

    fn on_connected(&mut self, sid: ParticipantSid, id: TransportId, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = participant.connections.find_mut(id) else { return };
        connection.state = State::Connected;
        connection.heard_at = cx.now;
        let hears = participant.connections.downstream().is_some_and(|it| it.id == id);
        participant.reached(MediaStage::Dtls, cx);
        if hears {
            self.open_listeners(sid, cx);
            self.on_active(sid, cx);
        }
    }

    /// The connection a client waits for is there: from here on it counts as present.
    fn on_active(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        if participant.is_active() {
            return;
        }
        participant.presence.state = participant_info::State::Active;
        participant.presence.is_announced = true;
        self.announce(sid, cx);
        self.happened_joined(sid, cx);
    }

    fn on_channel_open(
        &mut self,
        sid: ParticipantSid,
        id: TransportId,
        channel: Channel,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = participant.connections.find_mut(id) else { return };
        for payload in connection.on_channel_open(channel) {
            cx.outbox.push_back(Output::Data { to: id, channel, payload });
        }
    }
}

/// Expects checks under new credentials; the old stay good until the new are used.
pub(super) fn restart(connection: &mut Connection, cx: &mut Context) {
    connection.local = cx.random.credentials();
    let local = connection.local.clone();
    cx.transport(connection.id, TransportAction::RestartIce { local });
}

/// Passes on what a client's description says of its side, if it says anything new.
pub(super) fn apply(
    connection: &mut Connection,
    peer: Peer,
    cx: &mut Context,
) -> Result<(), Inapplicable> {
    let known = connection.peer.as_ref();
    if known.is_some_and(|known| known.fingerprint != peer.fingerprint) {
        return Err(Inapplicable::Fingerprint);
    }
    if known.is_none_or(|known| known.ice != peer.ice) {
        let action = TransportAction::SetRemote {
            ice: Some(peer.ice.clone()),
            fingerprint: peer.fingerprint,
        };
        cx.transport(connection.id, action);
    }
    connection.peer = Some(peer);
    Ok(())
}
