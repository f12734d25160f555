//! Offers and answers: one offer of ours at a time, the server's whenever they come.

use std::collections::BTreeMap;

use proto::{
    control::SignalPath,
    livekit::{
        AddTrackRequest, MuteTrackRequest, SessionDescription, TrackPublishedResponse, TrackSource,
        signal_request::Message as Request,
    },
    sdp::{Direction, Kind, Session, Setup},
};

use super::{Client, Side, describe::first_sections};
use crate::Random;

/// A section of the client's own description. Its place in the list is its mid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub kind: Kind,
    pub direction: Direction,
}

#[derive(Debug)]
pub(super) struct Negotiation {
    pub sections: Vec<Own>,
    /// Names this client in the server's checks.
    pub ufrag: String,
    offer_id: u32,
    /// What the latest offer was sent as: SDKs that don't count always say 0.
    sent_id: u32,
    /// Sections of the offer that waits for its answer.
    pending: Option<usize>,
    /// Something changed meanwhile: offer again once answered.
    again: bool,
    /// Whose stream comes under which SSRC, by the server's last description.
    pub streams: BTreeMap<u32, Stream>,
    /// Payload types by which the server sends RED.
    pub red: Vec<u8>,
}

/// Whether an SDK gives its offers ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    Ids,
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub participant_sid: String,
}

impl Negotiation {
    pub(super) fn new(path: SignalPath) -> Self {
        Self {
            sections: first_sections(path),
            ufrag: String::new(),
            offer_id: 0,
            sent_id: 0,
            pending: None,
            again: false,
            streams: BTreeMap::new(),
            red: Vec::new(),
        }
    }

    /// Restarts ICE.
    pub(super) fn rename(&mut self, random: &mut Random) {
        self.ufrag = format!("{:016x}", random.bits());
        self.pending = None;
    }

    pub(super) fn has_offered(&self) -> bool {
        self.offer_id > 0
    }

    /// Returns the offer's version, and the id it is sent under.
    pub(super) fn begin_offer(&mut self, counts: Counts) -> (u32, u32) {
        self.offer_id += 1;
        self.sent_id = match counts {
            Counts::Ids => self.offer_id,
            Counts::Nothing => 0,
        };
        self.pending = Some(self.sections.len());
        self.again = false;
        (self.offer_id, self.sent_id)
    }
}

impl Client {
    /// Offers, now or once the offer that is under way has been answered.
    pub(super) fn negotiate(&mut self) {
        if self.negotiation.pending.is_some() || !self.is_joined() {
            self.negotiation.again = true;
            return;
        }
        let offer = self.next_offer();
        self.signal(Request::Offer(offer));
    }

    pub(super) fn on_answer(&mut self, answer: &SessionDescription) {
        if answer.id != self.negotiation.sent_id {
            // To an offer of before the socket was lost.
            return;
        }
        let Some(sections) = self.negotiation.pending.take() else {
            return self.fault("an answer to no offer");
        };
        let Ok(session) = Session::parse(answer.sdp.as_bytes()) else {
            return self.fault("an answer that can't be read");
        };
        if session.sections.len() != sections {
            return self.fault("an answer with other sections than its offer");
        }
        let Ok(peer) = session.peer() else { return self.fault("an answer without a transport") };
        if peer.setup == Setup::ActPass {
            return self.fault("an answer that leaves the DTLS role open");
        }
        let kinds = self.negotiation.sections.iter().zip(&session.sections);
        if kinds.into_iter().any(|(own, theirs)| own.kind != theirs.kind) {
            return self.fault("an answer with sections of other kinds");
        }
        if self.persona.path == SignalPath::OneConnection {
            self.learn_streams(&session);
        }
        self.media.check(Side::Up, peer.ice.ufrag);
        self.media.answered(&session);
        if self.negotiation.again {
            self.negotiate();
        }
    }

    /// The server's offer of the connection it sends on.
    pub(super) fn on_offer(&mut self, offer: &SessionDescription) {
        if self.persona.path == SignalPath::OneConnection {
            return self.fault("an offer on a single connection");
        }
        let Ok(session) = Session::parse(offer.sdp.as_bytes()) else {
            return self.fault("an offer that can't be read");
        };
        let Ok(peer) = session.peer() else { return self.fault("an offer without a transport") };
        if peer.setup != Setup::ActPass {
            return self.fault("an offer that takes a DTLS role");
        }
        self.learn_streams(&session);
        self.media.check(Side::Down, peer.ice.ufrag);
        let sdp = self.answer_to(&session).to_string();
        let id = if self.persona.repeats_id { offer.id } else { 0 };
        self.signal(Request::Answer(SessionDescription {
            r#type: "answer".to_owned(),
            sdp,
            id,
            ..SessionDescription::default()
        }));
    }

    fn learn_streams(&mut self, session: &Session) {
        self.negotiation.streams.clear();
        self.negotiation.red.clear();
        let sending = session.sections.iter().filter(|section| section.direction.sends());
        for section in sending.filter(|section| section.kind == Kind::Audio) {
            let reds = section
                .formats
                .iter()
                .filter(|format| format.codec.as_ref().is_some_and(|codec| codec.is("red")));
            self.negotiation.red.extend(reds.map(|format| format.payload_type));
            let msid = section.msid.as_ref().and_then(|msid| msid.stream.split_once('|'));
            let Some((participant_sid, _)) = msid else { continue };
            let stream = Stream { participant_sid: participant_sid.to_owned() };
            for source in &section.sources {
                self.negotiation.streams.insert(source.ssrc, stream.clone());
            }
        }
    }

    pub(super) fn on_requirement(&mut self, lacking: u32) {
        if self.persona.path == SignalPath::TwoConnections {
            return self.fault("sections asked for on two connections");
        }
        let listen = Own { kind: Kind::Audio, direction: Direction::RecvOnly };
        self.negotiation.sections.extend((0..lacking.min(48)).map(|_| listen));
        self.negotiate();
    }

    /// Asks for a track, and describes it once it was granted.
    pub(super) fn publish(&mut self) {
        if let Some(cid) = self.media.next_request(&mut self.random) {
            let source = TrackSource::Microphone.into();
            let muted = self.muted;
            let request = AddTrackRequest { cid, source, muted, ..AddTrackRequest::default() };
            self.signal(Request::AddTrack(request));
        }
    }

    pub(super) fn on_track_published(&mut self, published: TrackPublishedResponse) {
        let Some(track) = published.track else { return self.fault("a track without its info") };
        let (sid, muted) = (track.sid.clone(), track.muted);
        if self.media.granted(&published.cid, track) {
            if muted != self.muted {
                self.signal(Request::Mute(MuteTrackRequest { sid, muted: self.muted }));
            }
            let place = self.negotiation.sections.len();
            let own = Own { kind: Kind::Audio, direction: Direction::SendOnly };
            self.negotiation.sections.push(own);
            self.media.placed(place);
            self.negotiate();
        }
    }
}
