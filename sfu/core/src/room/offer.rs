//! Answers a client's offer: the only one with one connection, the publisher's with two.

use std::collections::BTreeMap;

use proto::{
    control::SignalPath,
    ids::{ParticipantSid, TrackSid},
    livekit::{
        DisconnectReason, SessionDescription, SignalTarget, leave_request::Action,
        signal_response::Message,
    },
    sdp::{Kind, Section, Session, Setup},
};

use crate::{
    context::Context,
    room::{
        Room,
        connect::{Candidates, Inapplicable},
        connection::Connection,
        describe::{self, Publication},
        leave::Farewell,
        participant::Participant,
        tracks::Tracks,
    },
};

impl Room {
    pub(super) fn on_offer(
        &mut self,
        sid: ParticipantSid,
        description: SessionDescription,
        cx: &mut Context,
    ) {
        let Ok(offer) = Session::parse(description.sdp.as_bytes()) else {
            return self.refuse_description(sid, cx);
        };
        let Ok(peer) = offer.peer() else { return self.refuse_description(sid, cx) };
        let candidates = match self.follow_offer(sid, peer, cx) {
            Ok(candidates) => candidates,
            Err(cause) => return self.refuse_connection(sid, cause, cx),
        };
        if candidates == Candidates::Known {
            self.release_held(sid);
        }
        let published = self.bind_tracks(sid, &offer, cx);
        self.fill_sections(sid, &offer, cx);
        self.send_answer(sid, &offer, description.id, cx);
        if candidates == Candidates::ToTell {
            self.send_candidates(sid, SignalTarget::Publisher, cx);
        }
        self.after_answer(sid, offer.sections.len(), cx);
        self.introduce(sid, &published, cx);
    }

    /// A client that offers has applied our last answer, unless it restarts ICE: then it may have
    /// abandoned the offer that we answered.
    fn release_held(&mut self, sid: ParticipantSid) {
        if let Some(participant) = self.participants.get_mut(&sid) {
            participant.hearing.slots.release();
        }
    }

    /// What can't be read can't be mended by trying again.
    pub(super) fn refuse_description(&mut self, sid: ParticipantSid, cx: &mut Context) {
        cx.stats.signals_refused += 1;
        self.dismiss(sid, Farewell::because(DisconnectReason::MediaFailure), cx);
    }

    pub(super) fn refuse_connection(
        &mut self,
        sid: ParticipantSid,
        cause: Inapplicable,
        cx: &mut Context,
    ) {
        cx.stats.signals_refused += 1;
        let farewell = match cause {
            Inapplicable::Setup => Farewell::because(DisconnectReason::MediaFailure),
            Inapplicable::Exhausted => Farewell::because(DisconnectReason::JoinFailure),
            Inapplicable::Fingerprint | Inapplicable::Dead => {
                Farewell::because(DisconnectReason::StateMismatch).then(Action::Reconnect)
            }
        };
        self.dismiss(sid, farewell, cx);
    }

    fn send_answer(&mut self, sid: ParticipantSid, offer: &Session, id: u32, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = &participant.connections.publisher else { return };
        let answering = Answering { participant, connection, tracks: &self.tracks };
        let sections = answering.sections(offer);
        let mid_to_track_id = answering.names();
        let Some(connection) = &mut participant.connections.publisher else { return };
        let sdp = describe::session(&cx.config, connection, sections).to_string();
        participant.hearing.slots.settle();
        let answer = SessionDescription { r#type: "answer".to_owned(), sdp, id, mid_to_track_id };
        cx.signal(participant.presence.session, Message::Answer(answer));
    }
}

/// What an answer is made of.
struct Answering<'a> {
    participant: &'a Participant,
    connection: &'a Connection,
    tracks: &'a Tracks,
}

impl Answering<'_> {
    fn sections(&self, offer: &Session) -> Vec<Section> {
        let is_data = |section: &Section| section.kind == Kind::Application;
        let data = offer.sections.iter().find(|section| is_data(section) && !section.is_rejected());
        offer.sections.iter().map(|offered| self.section(offered, data)).collect()
    }

    fn section(&self, offered: &Section, data: Option<&Section>) -> Section {
        if offered.is_rejected() {
            return describe::rejected(offered);
        }
        match offered.kind {
            Kind::Audio => self.audio(offered),
            Kind::Video => self.video(offered),
            Kind::Application if data.is_some_and(|data| data.mid == offered.mid) => {
                let mut section = self.plain(offered);
                describe::make_data(&mut section);
                section
            }
            Kind::Application => describe::rejected(offered),
        }
    }

    fn plain(&self, offered: &Section) -> Section {
        describe::section(offered.kind, offered.mid.clone(), self.connection, Setup::Passive)
    }

    /// Inactive rather than rejected, so that the client keeps the section for what it is.
    fn video(&self, offered: &Section) -> Section {
        let mut section = self.plain(offered);
        let known = offered.formats.iter().find(|format| format.codec.is_some());
        section.formats.extend(known.or(offered.formats.first()).cloned());
        section
    }

    fn audio(&self, offered: &Section) -> Section {
        let Some(terms) = describe::terms_of(offered) else { return describe::rejected(offered) };
        let mut section = self.plain(offered);
        describe::accept_extensions(&mut section, &offered.extensions);
        if let Some(publication) = self.publication_in(offered) {
            describe::make_publish(&mut section, &publication);
            return section;
        }
        describe::make_listen(&mut section, terms);
        if let Some((owner, track, ssrc)) = self.carried_in(offered) {
            describe::make_carry(&mut section, owner, track, ssrc);
        }
        section
    }

    fn publication_in(&self, offered: &Section) -> Option<Publication> {
        let mut tracks = self.participant.publishing.tracks.iter();
        let track =
            tracks.find_map(|sid| self.tracks.get(*sid).filter(|it| it.mid == offered.mid))?;
        Some(Publication {
            terms: track.intake.terms,
            stereo: track.info.stereo,
            dtx: !track.info.disable_dtx,
        })
    }

    fn carried_in(&self, offered: &Section) -> Option<(ParticipantSid, TrackSid, u32)> {
        if self.participant.connections.path == SignalPath::TwoConnections {
            return None;
        }
        let track = self.tracks.get(self.participant.hearing.slots.track_in(&offered.mid)?)?;
        let listener = track.listener(self.connection.id)?;
        Some((track.owner, track.sid, listener.ssrc))
    }

    /// Which section carries which track: what the Rust SDK goes by.
    fn names(&self) -> BTreeMap<String, String> {
        match self.participant.connections.path {
            SignalPath::TwoConnections => BTreeMap::new(),
            SignalPath::OneConnection => {
                let carried = self.participant.hearing.slots.carried();
                carried.map(|(mid, track)| (mid.to_string(), track.to_string())).collect()
            }
        }
    }
}
