//! From `add_track` to a track that others hear, and back.
//!
//! A client asks for a track under an id of its own, then describes it. The two are matched by
//! that id, where its browser tells it the truth, else by being the one that is waiting.

use std::collections::BTreeSet;

use proto::{
    ids::{ParticipantSid, TrackSid},
    livekit::{
        AddTrackRequest, RequestResponse, TrackInfo, TrackPublishedResponse, TrackType,
        TrackUnpublishedResponse, request_response, signal_response::Message,
    },
    sdp::{Kind, Section, Session},
};

use crate::{
    context::Context,
    limits::{AUDIO_FEATURES_MAX, TRACK_TEXT_BYTES_MAX, TRACKS_PER_PARTICIPANT_MAX},
    room::{
        Room, describe,
        listener::Terms,
        pending::{PendingTrack, track_name},
        permissions,
        track::Track,
    },
    transports::Source,
};

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
        pending.iter().find(|pending| pending.was_asked_under(cid))
    }

    fn refusal_of(
        &self,
        sid: ParticipantSid,
        request: &AddTrackRequest,
    ) -> Option<request_response::Reason> {
        use request_response::Reason;
        let participant = self.participants.get(&sid)?;
        let simulcast = request.simulcast_codecs.iter().map(|codec| &codec.cid);
        let mut texts = [&request.cid, &request.name, &request.stream].into_iter().chain(simulcast);
        let held = participant.publishing.pending.len() + participant.publishing.tracks.len();
        if request.r#type() != TrackType::Audio {
            Some(Reason::UnsupportedType)
        } else if !permissions::allow_source(&participant.profile.permission, request.source()) {
            Some(Reason::NotAllowed)
        } else if held >= TRACKS_PER_PARTICIPANT_MAX
            || request.audio_features.len() > AUDIO_FEATURES_MAX
            || request.simulcast_codecs.len() > TRACKS_PER_PARTICIPANT_MAX
            || texts.any(|text| text.len() > TRACK_TEXT_BYTES_MAX)
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
        self.follow_terms(sid, &sending);
        self.route_sources(sid, &sending, cx);
        published
    }

    /// A later offer may number the same codecs otherwise.
    fn follow_terms(&mut self, sid: ParticipantSid, sending: &[&Section]) {
        let Some(participant) = self.participants.get(&sid) else { return };
        for track in &participant.publishing.tracks {
            let Some(track) = self.tracks.get_mut(*track) else { continue };
            let section = sending.iter().find(|section| section.mid == track.mid);
            if let Some(terms) = section.and_then(|section| describe::terms_of(section)) {
                let red = terms.red.filter(|_| !track.info.disable_red);
                track.intake.terms = Terms { red, ..terms };
            }
        }
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
        let track = pending.sid;
        let terms = Terms { red: terms.red.filter(|_| !pending.info.disable_red), ..terms };
        let info = pending.described_by(section, terms, cx.unix_micros());
        let mut described = Track::new(track, sid, info, section.mid.clone(), (terms, cx.now));
        described.msid_track = name.map(str::to_owned);
        self.tracks.insert(described);
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
            self.link_track(*track, cx);
            self.offer_track(*track, cx);
        }
    }

    /// Ends a track for everybody who hears it. Its owner is announced by the caller.
    pub(super) fn unpublish(&mut self, track: TrackSid, cx: &mut Context) {
        let Some(owner) = self.tracks.get(track).map(|track| track.owner) else { return };
        self.happened_unpublished(track, cx);
        self.unlink_track(track, cx);
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
}

/// How a section finds the track it was asked for.
#[derive(Clone, Copy)]
enum Match {
    /// By the name that both have.
    Name,
    /// By being the first that waits.
    Turn,
}

/// Firefox names an SSRC in sections where it only listens, so that alone is no stream.
fn is_sending(section: &Section) -> bool {
    section.kind == Kind::Audio && !section.is_rejected() && section.direction.sends()
}
