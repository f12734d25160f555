//! RoomService calls, carried out as LiveKit does.

use proto::{
    control::{Event, Operation, OperationError, Reply, RequestId},
    ids::ParticipantSid,
    livekit::{
        DisconnectReason, MuteTrackRequest, ParticipantPermission, UpdateParticipantRequest,
        UpdateSubscription, UpdateSubscriptionsRequest, signal_response::Message,
    },
};

use crate::{
    context::Context,
    limits::METADATA_BYTES_MAX,
    room::{Room, leave::Farewell, metadata::Change, permissions},
};

impl Room {
    pub(super) fn on_admin(&mut self, request: RequestId, operation: Operation, cx: &mut Context) {
        let result = self.carry_out(operation, cx);
        cx.event(Event::Reply { request, result });
    }

    fn carry_out(
        &mut self,
        operation: Operation,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        match operation {
            // The settings of a room that was there already stay as they are.
            Operation::Create(_) => Ok(Reply::Room(Box::new(self.info()))),
            Operation::Delete => self.on_delete(cx),
            Operation::ListParticipants => Ok(Reply::Participants(self.everybody())),
            Operation::GetParticipant { identity } => self.on_get(&identity),
            Operation::Remove { identity } => self.on_remove(&identity, cx),
            Operation::MuteTrack { identity, track_sid, muted } => {
                self.on_moderator_mute(&identity, track_sid, muted, cx)
            }
            Operation::UpdateParticipant(request) => self.on_update_participant(request, cx),
            Operation::UpdateSubscriptions(request) => self.on_update_subscriptions(request, cx),
            Operation::SendData(request) => self.on_send_data(request, cx),
            Operation::UpdateMetadata { metadata } => self.on_room_metadata(metadata, cx),
        }
    }

    fn on_delete(&mut self, cx: &mut Context) -> Result<Reply, OperationError> {
        self.end(Farewell::because(DisconnectReason::RoomDeleted), cx);
        Ok(Reply::Done)
    }

    fn on_get(&self, identity: &str) -> Result<Reply, OperationError> {
        let info = self.info_of(self.find(identity)?).ok_or(OperationError::NoSuchParticipant)?;
        Ok(Reply::Participant(Box::new(info)))
    }

    fn on_remove(&mut self, identity: &str, cx: &mut Context) -> Result<Reply, OperationError> {
        let sid = self.find(identity)?;
        self.dismiss(sid, Farewell::because(DisconnectReason::ParticipantRemoved), cx);
        Ok(Reply::Done)
    }

    fn on_moderator_mute(
        &mut self,
        identity: &str,
        track_sid: String,
        muted: bool,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        let sid = self.find(identity)?;
        // Nobody opens another's microphone.
        if !muted {
            return Err(OperationError::RemoteUnmute);
        }
        let Some(track) = self.own_track(sid, &track_sid) else { return Ok(Reply::Track(None)) };
        self.tell(sid, Message::Mute(MuteTrackRequest { sid: track_sid, muted }), cx);
        self.set_muted(track, muted, cx);
        let info = self.tracks.get(track).map(|track| Box::new(track.info.clone()));
        Ok(Reply::Track(info))
    }

    fn on_update_participant(
        &mut self,
        request: UpdateParticipantRequest,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        let sid = self.find(&request.identity)?;
        let participant =
            self.participants.get_mut(&sid).ok_or(OperationError::NoSuchParticipant)?;
        let change = Change {
            name: &request.name,
            metadata: &request.metadata,
            attributes: &request.attributes,
        };
        let applied = change.apply(&mut participant.profile.grants);
        applied.map_err(|_| OperationError::Invalid("metadata exceeds the size limit".into()))?;
        match request.permission {
            Some(permission) => self.set_permission(sid, permission, cx),
            None => self.announce(sid, cx),
        }
        self.refresh_token(sid, cx);
        let info = self.info_of(sid).ok_or(OperationError::NoSuchParticipant)?;
        Ok(Reply::Participant(Box::new(info)))
    }

    /// What is not permitted any more stops before this returns.
    fn set_permission(
        &mut self,
        sid: ParticipantSid,
        permission: ParticipantPermission,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        permissions::grant(&mut participant.profile.grants, &permission);
        participant.profile.permission = permission;
        self.revoke_tracks(sid, cx);
        self.announce(sid, cx);
        self.reconcile(sid, cx);
    }

    fn on_update_subscriptions(
        &mut self,
        request: UpdateSubscriptionsRequest,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        let sid = self.find(&request.identity)?;
        let UpdateSubscriptionsRequest { track_sids, subscribe, participant_tracks, .. } = request;
        let update = UpdateSubscription { track_sids, subscribe, participant_tracks };
        self.on_subscription(sid, update, cx);
        Ok(Reply::Done)
    }

    fn on_room_metadata(
        &mut self,
        metadata: String,
        cx: &mut Context,
    ) -> Result<Reply, OperationError> {
        if metadata.len() > METADATA_BYTES_MAX {
            return Err(OperationError::Invalid("metadata exceeds the size limit".into()));
        }
        self.settings.metadata = metadata;
        self.tell_room(cx);
        Ok(Reply::Room(Box::new(self.info())))
    }

    fn find(&self, identity: &str) -> Result<ParticipantSid, OperationError> {
        let known = identity.parse().ok().and_then(|identity| self.identities.get(&identity));
        known.copied().ok_or(OperationError::NoSuchParticipant)
    }

    fn everybody(&self) -> Vec<proto::livekit::ParticipantInfo> {
        self.participants.keys().filter_map(|sid| self.info_of(*sid)).collect()
    }
}
