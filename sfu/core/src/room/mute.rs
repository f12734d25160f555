//! Muting, and what else changes about a published track.

use proto::{
    ids::{ParticipantSid, TrackSid},
    livekit::{MuteTrackRequest, UpdateLocalAudioTrack},
};

use crate::{context::Context, limits::AUDIO_FEATURES_MAX, room::Room};

impl Room {
    /// The publisher's own button.
    pub(super) fn on_mute(
        &mut self,
        sid: ParticipantSid,
        request: &MuteTrackRequest,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let pending = &mut participant.publishing.pending;
        if let Some(pending) = pending.iter_mut().find(|it| it.info.sid == request.sid) {
            pending.info.muted = request.muted;
        } else if let Some(track) = self.own_track(sid, &request.sid) {
            self.set_muted(track, request.muted, cx);
        }
    }

    /// Mutes or unmutes, and tells everybody if that is news.
    pub(super) fn set_muted(&mut self, sid: TrackSid, muted: bool, cx: &mut Context) {
        let Some(track) = self.tracks.get_mut(sid) else { return };
        if track.info.muted != muted {
            track.set_muted(muted);
            let owner = track.owner;
            self.tell_links_muted(sid, cx);
            self.announce(owner, cx);
            if muted {
                self.silence(owner, cx);
            }
        }
    }

    pub(super) fn on_update_audio_track(
        &mut self,
        sid: ParticipantSid,
        request: UpdateLocalAudioTrack,
        cx: &mut Context,
    ) {
        if request.features.len() > AUDIO_FEATURES_MAX {
            cx.stats.signals_refused += 1;
            return;
        }
        let Some(track) = self.own_track(sid, &request.track_sid) else { return };
        if let Some(track) = self.tracks.get_mut(track) {
            track.info.audio_features = request.features;
            self.announce(sid, cx);
        }
    }

    pub(super) fn own_track(&self, sid: ParticipantSid, name: &str) -> Option<TrackSid> {
        let track = name.parse().ok()?;
        self.tracks.get(track).filter(|track| track.owner == sid)?;
        Some(track)
    }
}
