//! Telling clients, one or all, and telling the node what happened.

use proto::{
    control::{ConnectionFailure, Event, Happening, What},
    ids::{ParticipantSid, TrackSid},
    livekit::{
        DisconnectReason, ParticipantInfo, ParticipantUpdate, RoomUpdate, signal_response::Message,
    },
};

use crate::{context::Context, room::Room};

impl Room {
    pub(super) fn tell(&self, sid: ParticipantSid, message: Message, cx: &mut Context) {
        if let Some(participant) = self.participants.get(&sid) {
            cx.signal(participant.presence.session, message);
        }
    }

    pub(super) fn tell_all(&self, message: &Message, cx: &mut Context) {
        for participant in self.participants.values() {
            cx.signal(participant.presence.session, message.clone());
        }
    }

    /// Tells everybody of a change in a participant: itself too, and nobody else if it is hidden.
    pub(super) fn announce(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.presence.version += 1;
        let is_public = participant.presence.is_announced && !participant.is_hidden();
        let Some(info) = self.info_of(sid) else { return };
        let update = Message::Update(ParticipantUpdate { participants: vec![info] });
        if is_public {
            self.tell_all(&update, cx);
        } else {
            self.tell(sid, update, cx);
        }
    }

    pub(super) fn info_of(&self, sid: ParticipantSid) -> Option<ParticipantInfo> {
        let participant = self.participants.get(&sid)?;
        let mut info = participant.info();
        let tracks = participant.publishing.tracks.iter();
        info.tracks =
            tracks.filter_map(|track| Some(self.tracks.get(*track)?.info.clone())).collect();
        Some(info)
    }

    /// Everybody whom `sid` may know of, but itself.
    pub(super) fn others(&self, sid: ParticipantSid) -> Vec<ParticipantInfo> {
        let known = self.participants.values().filter(|other| {
            other.profile.sid != sid && other.presence.is_announced && !other.is_hidden()
        });
        known.filter_map(|other| self.info_of(other.profile.sid)).collect()
    }

    pub(super) fn tell_room(&mut self, cx: &mut Context) {
        let room = self.info();
        self.pulse.told_counts = (room.num_participants, room.num_publishers);
        self.tell_all(&Message::RoomUpdate(RoomUpdate { room: Some(room) }), cx);
    }

    pub(super) fn tell_room_to(&self, sid: ParticipantSid, cx: &mut Context) {
        self.tell(sid, Message::RoomUpdate(RoomUpdate { room: Some(self.info()) }), cx);
    }

    /// Has a fresh token sent that says what the participant may do as of now.
    pub(super) fn refresh_token(&self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(session) = participant.presence.session else { return };
        let grants = Box::new(participant.profile.grants.clone());
        cx.event(Event::RefreshToken { session, grants });
    }

    pub(super) fn happened(&self, what: What, cx: &mut Context) {
        let happening =
            Happening { room: self.name.clone(), epoch: self.epoch, info: self.info(), what };
        cx.event(Event::Happened(Box::new(happening)));
    }

    pub(super) fn happened_joined(&self, sid: ParticipantSid, cx: &mut Context) {
        if let Some(info) = self.info_of(sid) {
            self.happened(What::ParticipantJoined { participant: Box::new(info) }, cx);
        }
    }

    pub(super) fn happened_left(
        &self,
        participant: ParticipantInfo,
        reason: DisconnectReason,
        session_seconds: u64,
        cx: &mut Context,
    ) {
        let participant = Box::new(participant);
        self.happened(What::ParticipantLeft { participant, reason, session_seconds }, cx);
    }

    pub(super) fn happened_failed(
        &self,
        sid: ParticipantSid,
        cause: ConnectionFailure,
        cx: &mut Context,
    ) {
        if let Some(info) = self.info_of(sid) {
            self.happened(What::ConnectionFailed { participant: Box::new(info), cause }, cx);
        }
    }

    pub(super) fn happened_published(&self, track: TrackSid, cx: &mut Context) {
        let Some(track) = self.tracks.get(track) else { return };
        let Some(info) = self.info_of(track.owner) else { return };
        let (participant, track) = (Box::new(info), Box::new(track.info.clone()));
        self.happened(What::TrackPublished { participant, track }, cx);
    }

    pub(super) fn happened_unpublished(&self, track: TrackSid, cx: &mut Context) {
        let Some(track) = self.tracks.get(track) else { return };
        let Some(info) = self.info_of(track.owner) else { return };
        let (participant, track) = (Box::new(info), Box::new(track.info.clone()));
        self.happened(What::TrackUnpublished { participant, track }, cx);
    }
}
