//! One published track: what is known of it, what comes in, and who hears it.

use std::time::Instant;

use proto::{
    ids::{ParticipantSid, TrackSid},
    livekit::TrackInfo,
    sdp::Mid,
};

use crate::{
    Forward, TransportId,
    room::{
        intake::Intake,
        links::Linked,
        listener::{Listener, Terms, Voice},
        sender_clock::SenderClock,
        speech::Speech,
        stream::Counted,
    },
};

#[derive(Debug)]
pub(crate) struct Track {
    pub(super) sid: TrackSid,
    pub(super) owner: ParticipantSid,
    /// What others are told.
    pub(super) info: TrackInfo,
    /// The section of its owner's description that carries it.
    pub(super) mid: Mid,
    /// The track's name in that section (`a=msid`): another name is another track.
    pub(super) msid_track: Option<String>,
    pub(super) intake: Intake,
    /// The stream's count as of the last receiver report.
    pub(super) reported: Counted,
    /// The same as of the last look at connection quality.
    pub(super) pulsed: Counted,
    pub(super) clock: SenderClock,
    pub(super) speech: Speech,
    /// Ordered by where they are.
    pub(super) listeners: Vec<Listener>,
    /// How links know it; `None` for one they never hear.
    pub(super) linked: Option<Linked>,
    /// Its owner has been told that somebody hears it.
    pub(super) subscribed_told: bool,
}

impl Track {
    /// A track that a section promises to send on these terms, from this moment on.
    pub(super) fn new(
        sid: TrackSid,
        owner: ParticipantSid,
        info: TrackInfo,
        mid: Mid,
        (terms, now): (Terms, Instant),
    ) -> Self {
        Self {
            sid,
            owner,
            info,
            mid,
            msid_track: None,
            intake: Intake::new(terms, now),
            reported: Counted::default(),
            pulsed: Counted::default(),
            clock: SenderClock::default(),
            speech: Speech::default(),
            listeners: Vec::new(),
            linked: None,
            subscribed_told: false,
        }
    }

    pub(super) fn listener(&self, to: TransportId) -> Option<&Listener> {
        self.listeners.get(self.place_of(to).ok()?)
    }

    pub(super) fn listener_mut(&mut self, to: TransportId) -> Option<&mut Listener> {
        let place = self.place_of(to).ok()?;
        self.listeners.get_mut(place)
    }

    /// False if there is one at that connection already.
    pub(super) fn add_listener(&mut self, listener: Listener) -> bool {
        let place = self.place_of(listener.to);
        if let Err(place) = place {
            self.listeners.insert(place, listener);
        }
        place.is_err()
    }

    pub(super) fn remove_listener(&mut self, to: TransportId) {
        if let Ok(place) = self.place_of(to) {
            self.listeners.remove(place);
        }
    }

    fn place_of(&self, to: TransportId) -> Result<usize, usize> {
        self.listeners.binary_search_by_key(&to, |listener| listener.to)
    }

    /// Mutes at the gate: from this call on nothing passes.
    pub(super) fn set_muted(&mut self, muted: bool) {
        self.info.muted = muted;
        if muted {
            self.speech = Speech::default();
            self.listeners.iter_mut().for_each(Listener::pause);
        }
    }

    /// Adds each listener's copy of `voice` to `copies`.
    pub(super) fn distribute(&mut self, voice: &Voice, now: Instant, copies: &mut Vec<Forward>) {
        copies.extend(self.listeners.iter_mut().filter_map(|it| it.copy_of(voice, now)));
    }
}
