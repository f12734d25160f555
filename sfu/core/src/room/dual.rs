//! Two connections (`/rtc`): what a client hears comes on a second one, on which we offer.
//!
//! One offer is under way at a time. What changes meanwhile goes into the next.

use std::collections::BTreeMap;

use proto::{
    data::ChannelSide,
    ids::ParticipantSid,
    livekit::{SessionDescription, SignalTarget, signal_response::Message},
    sdp::{Direction, Extension, Kind, Mid, Section, Session, Setup, URI_AUDIO_LEVEL},
};

use crate::{
    context::Context,
    room::{
        Room,
        connect::{self, Inapplicable},
        connection::Connection,
        describe,
        listener::Terms,
        participant::Participant,
        tracks::Tracks,
    },
};

/// Payload types and extension ids that everybody uses for these; the answer may say otherwise.
const OFFERED: Terms = Terms { opus: 111, red: Some(63), level_extension: 1 };
/// The section of the data channels, which comes first.
const DATA_MID: &str = "0";

/// Our offers to one client.
#[derive(Debug, Default)]
pub(super) struct Offers {
    last_id: u32,
    outstanding: Option<u32>,
    /// Something changed while one was under way.
    is_stale: bool,
    /// How many listening sections have been named.
    sections: u32,
}

impl Offers {
    fn next_id(&mut self, lots: u32) -> u32 {
        // A random start tells the answers of one session from those of the last.
        let start = lots & 0xff;
        self.last_id = if self.last_id == 0 { start } else { self.last_id } + 1;
        self.outstanding = Some(self.last_id);
        self.is_stale = false;
        self.last_id
    }

    fn next_mid(&mut self) -> Option<Mid> {
        self.sections += 1;
        Mid::new(&self.sections.to_string())
    }
}

impl Room {
    /// Opens the second connection and offers on it at once, tracks or not: it carries the data
    /// channels, and clients wait for it.
    pub(super) fn open_subscriber(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(connection) = self.open_connection(sid, ChannelSide::Local, cx) else {
            return self.refuse_connection(sid, Inapplicable::Exhausted, cx);
        };
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        participant.connections.subscriber = Some(connection);
        self.send_offer(sid, cx);
        self.send_candidates(sid, SignalTarget::Subscriber, cx);
    }

    /// Offers if what the client should hear and what it was told differ.
    pub(super) fn offer_if_needed(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let has_unheard = !self.unheard_by(sid).is_empty();
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let hearing = &mut participant.hearing;
        let can_place = has_unheard && (hearing.slots.has_room() || hearing.slots.idle() > 0);
        if participant.connections.subscriber.is_none()
            || !(can_place || hearing.slots.has_vacated())
        {
            return;
        }
        if hearing.offers.outstanding.is_some() {
            hearing.offers.is_stale = true;
        } else {
            self.send_offer(sid, cx);
        }
    }

    pub(super) fn send_offer(&mut self, sid: ParticipantSid, cx: &mut Context) {
        self.place_tracks(sid, cx);
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let setup = setup_for(participant);
        let Some(connection) = &participant.connections.subscriber else { return };
        let offering = Offering { participant, connection, tracks: &self.tracks, setup };
        let sections = offering.sections();
        let mid_to_track_id = offering.names();
        let hearing = &mut participant.hearing;
        hearing.slots.settle();
        let id = hearing.offers.next_id(cx.random.bits32());
        let Some(connection) = &mut participant.connections.subscriber else { return };
        let sdp = describe::session(&cx.config, connection, sections).to_string();
        let offer = SessionDescription { r#type: "offer".to_owned(), sdp, id, mid_to_track_id };
        cx.signal(participant.presence.session, Message::Offer(offer));
    }

    /// Gives every track that lacks one a section: a free one, else a new one.
    fn place_tracks(&mut self, sid: ParticipantSid, cx: &mut Context) {
        for track in self.unheard_by(sid) {
            if self.assign_section(sid, track, cx) {
                continue;
            }
            let Some(participant) = self.participants.get_mut(&sid) else { return };
            let hearing = &mut participant.hearing;
            let mid = hearing.slots.has_room().then(|| hearing.offers.next_mid()).flatten();
            let Some(mid) = mid else { return };
            hearing.slots.add(&mid);
            self.assign_section(sid, track, cx);
        }
    }

    /// A client's answer to our offer. Some SDKs don't repeat its id but say zero.
    pub(super) fn on_answer(
        &mut self,
        sid: ParticipantSid,
        description: &SessionDescription,
        cx: &mut Context,
    ) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let outstanding = participant.hearing.offers.outstanding;
        if outstanding.is_none_or(|id| description.id != id && description.id != 0) {
            cx.stats.signals_refused += 1;
            return;
        }
        let Ok(answer) = Session::parse(description.sdp.as_bytes()) else {
            return self.refuse_description(sid, cx);
        };
        let Ok(peer) = answer.peer() else { return self.refuse_description(sid, cx) };
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let Some(connection) = &mut participant.connections.subscriber else { return };
        if let Err(cause) = connect::apply(connection, peer, cx) {
            return self.refuse_connection(sid, cause, cx);
        }
        self.take_terms(sid, &answer);
        self.open_listeners(sid, cx);
        self.conclude_offer(sid, cx);
    }

    fn take_terms(&mut self, sid: ParticipantSid, answer: &Session) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(connection) = &participant.connections.subscriber else { return };
        for section in answer.sections.iter().filter(|section| section.kind == Kind::Audio) {
            let track = participant.hearing.slots.track_in(&section.mid);
            let Some(track) = track.and_then(|track| self.tracks.get_mut(track)) else { continue };
            let Some(listener) = track.listener_mut(connection.id) else { continue };
            let takes = !section.is_rejected() && section.direction.receives();
            listener.terms = if takes { describe::terms_of(section) } else { None };
        }
    }

    fn conclude_offer(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let offers = &mut participant.hearing.offers;
        offers.outstanding = None;
        if std::mem::take(&mut offers.is_stale) {
            self.offer_if_needed(sid, cx);
        }
    }
}

/// Pion answers an ICE-lite peer passively unless it is told to start the handshake, and we
/// never start one. Browsers want to be asked.
fn setup_for(participant: &Participant) -> Setup {
    if participant.is_pion() { Setup::Passive } else { Setup::ActPass }
}

/// What an offer is made of.
struct Offering<'a> {
    participant: &'a Participant,
    connection: &'a Connection,
    tracks: &'a Tracks,
    setup: Setup,
}

impl Offering<'_> {
    fn sections(&self) -> Vec<Section> {
        let data = Mid::new(DATA_MID).map(|mid| {
            let mut data = self.plain(Kind::Application, mid);
            describe::make_data(&mut data);
            data
        });
        let audio = self.participant.hearing.slots.mids().map(|mid| self.audio(mid));
        data.into_iter().chain(audio).collect()
    }

    fn audio(&self, mid: &Mid) -> Section {
        let mut section = self.plain(Kind::Audio, mid.clone());
        describe::make_listen(&mut section, OFFERED);
        section.extensions.push(Extension {
            id: OFFERED.level_extension,
            uri: URI_AUDIO_LEVEL.to_owned(),
            direction: None,
        });
        let track = self.participant.hearing.slots.track_in(mid);
        if let Some(track) = track.and_then(|track| self.tracks.get(track))
            && let Some(listener) = track.listener(self.connection.id)
        {
            describe::make_carry(&mut section, track.owner, track.sid, listener.ssrc);
        }
        debug_assert!(section.msid.is_some() || section.direction == Direction::Inactive);
        section
    }

    fn plain(&self, kind: Kind, mid: Mid) -> Section {
        describe::section(kind, mid, self.connection, self.setup)
    }

    fn names(&self) -> BTreeMap<String, String> {
        let carried = self.participant.hearing.slots.carried();
        carried.map(|(mid, track)| (mid.to_string(), track.to_string())).collect()
    }
}
