//! What a client asks over its WebSocket, handed to whom it concerns.

use proto::{
    ids::{ParticipantSid, SessionId},
    livekit::{
        DisconnectReason, Ping, Pong, PublishDataTrackRequest, RequestResponse, SignalRequest,
        SubscriptionPermission, SyncState, UnpublishDataTrackRequest, UpdateTrackSettings,
        request_response, signal_request::Message as Request, signal_response::Message,
    },
};

use crate::{
    context::Context,
    limits::{SIGNAL_BURST_MAX, SIGNAL_BYTES_PER_COST},
    room::{Room, audience::Audience, leave::Farewell},
};

impl Room {
    pub(super) fn on_signal(
        &mut self,
        session: SessionId,
        request: SignalRequest,
        cx: &mut Context,
    ) {
        let Some(sid) = self.sessions.get(&session).copied() else { return };
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        // A member of a later protocol reads as none, and is none of ours.
        let Some(message) = request.message else { return };
        if !participant.budget.spend(cost_of(&message), cx.now) {
            cx.stats.signals_refused += 1;
            return;
        }
        self.on_request(sid, message, cx);
    }

    fn on_request(&mut self, sid: ParticipantSid, message: Request, cx: &mut Context) {
        match message {
            Request::Offer(offer) => self.on_offer(sid, offer, cx),
            Request::Answer(answer) => self.on_answer(sid, &answer, cx),
            Request::AddTrack(request) => self.on_add_track(sid, request, cx),
            Request::Mute(request) => self.on_mute(sid, &request, cx),
            Request::Subscription(request) => self.on_subscription(sid, request, cx),
            Request::TrackSetting(request) => self.on_track_setting(sid, &request, cx),
            Request::SubscriptionPermission(request) => self.on_audience(sid, request, cx),
            Request::UpdateMetadata(request) => self.on_update_metadata(sid, request, cx),
            Request::UpdateAudioTrack(request) => self.on_update_audio_track(sid, request, cx),
            Request::Simulate(scenario) => self.on_simulate(sid, &scenario, cx),
            Request::Ping(_) => self.on_ping(sid, cx),
            Request::PingReq(ping) => self.on_ping_request(sid, ping, cx),
            Request::Leave(_) => self.on_leave(sid, cx),
            Request::PublishDataTrackRequest(it) => self.refuse_data_track(sid, it, cx),
            Request::UnpublishDataTrackRequest(it) => self.refuse_end_of_data_track(sid, it, cx),
            Request::StoreDataBlobRequest(_) | Request::GetDataBlobRequest(_) => {
                self.refuse_type(sid, None, cx);
            }
            // ICE-lite: the client's checks tell its address, its candidates don't matter.
            Request::Trickle(_) => {}
            Request::SyncState(state) => self.on_sync_state(sid, state, cx),
            // Video, and what follows from refusing data tracks.
            Request::UpdateLayers(_)
            | Request::UpdateVideoTrack(_)
            | Request::UpdateDataSubscription(_) => {}
        }
    }

    /// What a resuming client believes. Of all it says only its wishes may be news: one that was
    /// lost with the old socket counts from here on.
    pub(super) fn on_sync_state(
        &mut self,
        sid: ParticipantSid,
        state: SyncState,
        cx: &mut Context,
    ) {
        if let Some(subscription) = state.subscription {
            self.on_subscription(sid, subscription, cx);
        }
        let paused = UpdateTrackSettings {
            track_sids: state.track_sids_disabled,
            disabled: true,
            ..UpdateTrackSettings::default()
        };
        self.on_track_setting(sid, &paused, cx);
    }

    fn on_audience(
        &mut self,
        sid: ParticipantSid,
        request: SubscriptionPermission,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.publishing.audience = Audience::from_request(request);
        if participant.publishing.tracks.is_empty() {
            return;
        }
        self.relink_tracks(sid, cx);
        let listeners: Vec<ParticipantSid> =
            self.participants.keys().copied().filter(|listener| *listener != sid).collect();
        listeners.into_iter().for_each(|listener| self.reconcile(listener, cx));
    }

    fn on_ping(&self, sid: ParticipantSid, cx: &mut Context) {
        let unix_ms = cx.unix_micros() / 1_000;
        self.tell(sid, Message::Pong(unix_ms), cx);
    }

    fn on_ping_request(&self, sid: ParticipantSid, ping: Ping, cx: &mut Context) {
        let timestamp = cx.unix_micros() / 1_000;
        let pong = Pong { last_ping_timestamp: ping.timestamp, timestamp };
        self.tell(sid, Message::PongResp(pong), cx);
    }

    fn on_leave(&mut self, sid: ParticipantSid, cx: &mut Context) {
        self.dismiss(sid, Farewell::because(DisconnectReason::ClientInitiated), cx);
    }

    fn refuse_data_track(
        &self,
        sid: ParticipantSid,
        request: PublishDataTrackRequest,
        cx: &mut Context,
    ) {
        self.refuse_type(sid, Some(request_response::Value::PublishDataTrack(request)), cx);
    }

    fn refuse_end_of_data_track(
        &self,
        sid: ParticipantSid,
        request: UnpublishDataTrackRequest,
        cx: &mut Context,
    ) {
        self.refuse_type(sid, Some(request_response::Value::UnpublishDataTrack(request)), cx);
    }

    fn refuse_type(
        &self,
        sid: ParticipantSid,
        value: Option<request_response::Value>,
        cx: &mut Context,
    ) {
        cx.stats.signals_refused += 1;
        let response = RequestResponse {
            reason: request_response::Reason::UnsupportedType.into(),
            message: "not supported by this server".to_owned(),
            value,
            ..RequestResponse::default()
        };
        self.tell(sid, Message::RequestResponse(response), cx);
    }
}

/// What goes to everybody, or takes long to read, costs more.
fn cost_of(message: &Request) -> u32 {
    let bytes = if let Request::UpdateMetadata(update) = message {
        let attributes = update.attributes.iter().map(|(key, value)| key.len() + value.len());
        update.metadata.len() + attributes.sum::<usize>()
    } else if let Request::Offer(description) | Request::Answer(description) = message {
        description.sdp.len() / 8
    } else {
        0
    };
    let cost = u32::try_from(bytes / SIGNAL_BYTES_PER_COST).unwrap_or(u32::MAX);
    1 + cost.min(SIGNAL_BURST_MAX / 2)
}
