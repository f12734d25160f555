//! From `add_track` to a track that others hear, and back.
//!
//! A client asks for a track under an id of its own, then describes it. The two are matched by
//! that id, where its browser tells it the truth, else by being the one that is waiting.

use std::collections::BTreeSet;

use proto::{
    ids::{ParticipantSid, TrackSid},
    livekit::{
        AddTrackRequest, MuteTrackRequest, RequestResponse, SimulcastCodecInfo, TimedVersion,
        TrackInfo, TrackPublishedResponse, TrackType, TrackUnpublishedResponse,
        UpdateLocalAudioTrack, request_response, signal_response::Message, video_layer,
    },
    sdp::{Kind, Section, Session},
};

use crate::{
    context::Context,
    limits::{AUDIO_FEATURES_MAX, TRACK_TEXT_BYTES_MAX, TRACKS_PER_PARTICIPANT_MAX},
    room::{
        Room, describe, intake::Intake, listener::Terms, permissions, sender_clock::SenderClock,
        speech::Speech, stream::Counted, track::Track,
    },
    transports::Source,
};

/// A track that was asked for and is in no description yet.
#[derive(Clone, Debug)]
pub(super) struct PendingTrack {
    sid: TrackSid,
    /// The client's names for it: any of them may be the track's in its description.
    cids: Vec<String>,
    info: TrackInfo,
}

impl Room {
    pub(super) fn on_add_track(
        &mut self,
        sid: ParticipantSid,
        request: AddTrackRequest,
        cx: &mut Context,
    ) {
        if let Some(pending) = self.pending_under(sid, &request.cid) {
            return self.tell_published(sid, request.cid, pending.info.clone(), cx);
        }
        if let Some(reason) = self.refusal_of(sid, &request) {
            return self.refuse_track(sid, request, reason, cx);
        }
        let pending = PendingTrack::new(TrackSid::from_random(cx.random.bits128()), &request);
        let info = pending.info.clone();
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.publishing.pending.push(pending);
        self.tell_published(sid, request.cid, info, cx);
    }

    fn pending_under(&self, sid: ParticipantSid, cid: &str) -> Option<&PendingTrack> {
        let pending = &self.participants.get(&sid)?.publishing.pending;
        pending.iter().find(|pending| pending.cids.first().is_some_and(|known| known == cid))
    }

    fn refusal_of(
        &self,
        sid: ParticipantSid,
        request: &AddTrackRequest,
    ) -> Option<request_response::Reason> {
        use request_response::Reason;
        let participant = self.participants.get(&sid)?;
        let texts = [&request.cid, &request.name, &request.stream];
        let held = participant.publishing.pending.len() + participant.publishing.tracks.len();
        if request.r#type() != TrackType::Audio {
            Some(Reason::UnsupportedType)
        } else if !permissions::allow_source(&participant.profile.permission, request.source()) {
            Some(Reason::NotAllowed)
        } else if held >= TRACKS_PER_PARTICIPANT_MAX
            || request.audio_features.len() > AUDIO_FEATURES_MAX
            || request.simulcast_codecs.len() > TRACKS_PER_PARTICIPANT_MAX
            || texts.iter().any(|text| text.len() > TRACK_TEXT_BYTES_MAX)
        {
            Some(Reason::LimitExceeded)
        } else {
            None
        }
    }

    fn refuse_track(
        &self,
        sid: ParticipantSid,
        request: AddTrackRequest,
        reason: request_response::Reason,
        cx: &mut Context,
    ) {
        cx.stats.signals_refused += 1;
        let response = RequestResponse {
            reason: reason.into(),
            message: "track refused".to_owned(),
            value: Some(request_response::Value::AddTrack(request)),
            ..RequestResponse::default()
        };
        self.tell(sid, Message::RequestResponse(response), cx);
    }

    fn tell_published(&self, sid: ParticipantSid, cid: String, info: TrackInfo, cx: &mut Context) {
        let response = TrackPublishedResponse { cid, track: Some(info) };
        self.tell(sid, Message::TrackPublished(response), cx);
    }

    /// Makes the published tracks those that an offer sends. Returns the new ones.
    pub(super) fn bind_tracks(
        &mut self,
        sid: ParticipantSid,
        offer: &Session,
        cx: &mut Context,
    ) -> Vec<TrackSid> {
        let sending: Vec<&Section> =
            offer.sections.iter().filter(|section| is_sending(section)).collect();
        self.drop_unsent(sid, &sending, cx);
        let unbound: Vec<&Section> =
            sending.iter().copied().filter(|section| !self.is_bound(sid, section)).collect();
        let mut published = Vec::new();
        for by in [Match::Name, Match::Turn] {
            for section in &unbound {
                if !self.is_bound(sid, section) {
                    published.extend(self.bind(sid, section, by, cx));
                }
            }
        }
        self.route_sources(sid, &sending, cx);
        published
    }

    /// Ends the tracks whose section sends no more, or sends another track that was asked for.
    fn drop_unsent(&mut self, sid: ParticipantSid, sending: &[&Section], cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let pending = &participant.publishing.pending;
        let is_sent = |track: &Track| {
            let section = sending.iter().find(|section| section.mid == track.mid);
            section.is_some_and(|section| {
                let name = track_name(section);
                name == track.msid_track.as_deref() || !pending.iter().any(|it| it.is_named(name))
            })
        };
        let tracks = participant.publishing.tracks.iter().filter_map(|it| self.tracks.get(*it));
        let unsent: Vec<TrackSid> =
            tracks.filter(|track| !is_sent(track)).map(|track| track.sid).collect();
        if !unsent.is_empty() {
            unsent.iter().for_each(|track| self.unpublish(*track, cx));
            self.announce(sid, cx);
        }
    }

    pub(super) fn is_bound(&self, sid: ParticipantSid, section: &Section) -> bool {
        let Some(participant) = self.participants.get(&sid) else { return false };
        let mut tracks = participant.publishing.tracks.iter().filter_map(|it| self.tracks.get(*it));
        tracks.any(|track| track.mid == section.mid)
    }

    fn bind(
        &mut self,
        sid: ParticipantSid,
        section: &Section,
        by: Match,
        cx: &mut Context,
    ) -> Option<TrackSid> {
        let terms = describe::terms_of(section)?;
        let pending = &mut self.participants.get_mut(&sid)?.publishing.pending;
        let name = track_name(section);
        let place = match by {
            Match::Name => pending.iter().position(|it| it.is_named(name)),
            Match::Turn => (!pending.is_empty()).then_some(0),
        };
        let pending = pending.remove(place?);
        let is_named = pending.is_named(name);
        let PendingTrack { sid: track, mut info, .. } = pending;
        let red = terms.red.filter(|_| !info.disable_red);
        complete(&mut info, section, red.is_some(), is_named, cx.unix_micros());
        self.tracks.insert(Track {
            sid: track,
            owner: sid,
            info,
            mid: section.mid.clone(),
            msid_track: name.map(str::to_owned),
            intake: Intake::new(Terms { red, ..terms }, cx.now),
            reported: Counted::default(),
            pulsed: Counted::default(),
            clock: SenderClock::default(),
            speech: Speech::default(),
            listeners: Vec::new(),
            subscribed_told: false,
        });
        self.participants.get_mut(&sid)?.publishing.tracks.insert(track);
        Some(track)
    }

    /// Lets in what the description signals, and nothing else.
    fn route_sources(&self, sid: ParticipantSid, sending: &[&Section], cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(connection) = &participant.connections.publisher else { return };
        let Some(route) = cx.transports.get_mut(connection.id) else { return };
        let bound = participant.publishing.tracks.iter().filter_map(|sid| {
            let track = self.tracks.get(*sid)?;
            let section = sending.iter().find(|section| section.mid == track.mid)?;
            Some((*section, self.tracks.key(*sid)?))
        });
        let sources = bound.map(|(section, track)| {
            let known = route.sources.iter().find(|source| source.track == track);
            let signalled = section.sources.first().map(|source| source.ssrc);
            Source {
                mid: section.mid.clone(),
                ssrc: signalled.or(known.and_then(|source| source.ssrc)),
                mid_extension: describe::mid_extension_of(section),
                track,
            }
        });
        let sources: Vec<Source> = sources.collect();
        route.sources = sources;
    }

    /// Tells everybody of tracks that have just been published.
    pub(super) fn introduce(
        &mut self,
        sid: ParticipantSid,
        published: &[TrackSid],
        cx: &mut Context,
    ) {
        if published.is_empty() {
            return;
        }
        if let Some(participant) = self.participants.get_mut(&sid) {
            participant.presence.is_announced = true;
        }
        self.announce(sid, cx);
        for track in published {
            self.happened_published(*track, cx);
            self.offer_track(*track, cx);
        }
    }

    /// Ends a track for everybody who hears it. Its owner is announced by the caller.
    pub(super) fn unpublish(&mut self, track: TrackSid, cx: &mut Context) {
        let Some(owner) = self.tracks.get(track).map(|track| track.owner) else { return };
        self.happened_unpublished(track, cx);
        let key = self.tracks.key(track);
        self.tracks.remove(track);
        if let Some(participant) = self.participants.get_mut(&owner) {
            participant.publishing.tracks.remove(&track);
            let publisher = participant.connections.publisher.as_ref();
            if let Some(route) = publisher.and_then(|it| cx.transports.get_mut(it.id)) {
                route.sources.retain(|source| Some(source.track) != key);
            }
        }
        let listeners: Vec<ParticipantSid> = self.participants.keys().copied().collect();
        for listener in listeners {
            let Some(participant) = self.participants.get_mut(&listener) else { continue };
            if participant.hearing.subscriptions.remove(&track).is_some() {
                participant.hearing.slots.vacate(track);
                self.reconcile(listener, cx);
            }
        }
    }

    /// Takes away what a participant may publish no more, and tells it.
    pub(super) fn revoke_tracks(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let permission = participant.profile.permission.clone();
        let allows = |info: &TrackInfo| permissions::allow_source(&permission, info.source());
        participant.publishing.pending.retain(|pending| allows(&pending.info));
        let tracks: BTreeSet<TrackSid> = participant.publishing.tracks.clone();
        for track in tracks {
            if self.tracks.get(track).is_some_and(|track| !allows(&track.info)) {
                self.unpublish(track, cx);
                let response = TrackUnpublishedResponse { track_sid: track.to_string() };
                self.tell(sid, Message::TrackUnpublished(response), cx);
            }
        }
    }

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
    pub(super) fn set_muted(&mut self, track: TrackSid, muted: bool, cx: &mut Context) {
        let Some(track) = self.tracks.get_mut(track) else { return };
        if track.info.muted != muted {
            track.set_muted(muted);
            let owner = track.owner;
            self.announce(owner, cx);
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

/// How a section finds the track it was asked for.
#[derive(Clone, Copy)]
enum Match {
    /// By the name that both have.
    Name,
    /// By being the first that waits.
    Turn,
}

impl PendingTrack {
    fn new(sid: TrackSid, request: &AddTrackRequest) -> Self {
        let simulcast = request.simulcast_codecs.iter().map(|codec| codec.cid.clone());
        let cids = std::iter::once(request.cid.clone()).chain(simulcast).collect();
        let info = TrackInfo {
            sid: sid.to_string(),
            r#type: request.r#type,
            name: request.name.clone(),
            muted: request.muted,
            disable_dtx: request.disable_dtx,
            source: request.source,
            codecs: vec![SimulcastCodecInfo {
                cid: request.cid.clone(),
                video_layer_mode: video_layer::Mode::OneSpatialLayerPerStream.into(),
                ..SimulcastCodecInfo::default()
            }],
            stereo: request.stereo,
            disable_red: request.disable_red,
            encryption: request.encryption,
            stream: stream_of(request),
            audio_features: request.audio_features.clone(),
            backup_codec_policy: request.backup_codec_policy,
            ..TrackInfo::default()
        };
        Self { sid, cids, info }
    }

    fn is_named(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.cids.iter().any(|cid| cid == name))
    }
}

/// Tracks that are to be played in step share a stream; these are LiveKit's names.
fn stream_of(request: &AddTrackRequest) -> String {
    use proto::livekit::TrackSource;
    if !request.stream.is_empty() {
        return request.stream.clone();
    }
    match request.source() {
        TrackSource::ScreenShare | TrackSource::ScreenShareAudio => "screenshare".to_owned(),
        TrackSource::Unknown | TrackSource::Camera | TrackSource::Microphone => "camera".to_owned(),
    }
}

/// Fills in what the description tells of a track.
fn complete(
    info: &mut TrackInfo,
    section: &Section,
    is_red: bool,
    is_named: bool,
    unix_micro: i64,
) {
    let mime = if is_red { "audio/red" } else { "audio/opus" };
    info.mime_type = mime.to_owned();
    info.mid = section.mid.to_string();
    info.version = Some(TimedVersion { unix_micro, ticks: 0 });
    if let Some(codec) = info.codecs.first_mut() {
        codec.mime_type = mime.to_owned();
        codec.mid = section.mid.to_string();
        if !is_named {
            codec.sdp_cid = track_name(section).unwrap_or_default().to_owned();
        }
    }
}

/// Firefox names an SSRC in sections where it only listens, so that alone is no stream.
fn is_sending(section: &Section) -> bool {
    section.kind == Kind::Audio && !section.is_rejected() && section.direction.sends()
}

/// The client's name for what a section sends.
fn track_name(section: &Section) -> Option<&str> {
    let sources = section.sources.iter().filter_map(|source| source.msid.as_ref());
    section.msid.iter().chain(sources).find_map(|msid| msid.track.as_deref())
}
