//! One connection (`/rtc/v1`): the client makes every offer, and is asked for the sections it
//! needs to hear what it should.

use proto::{
    control::SignalPath,
    ids::{ParticipantSid, TrackSid},
    livekit::{MediaSectionsRequirement, signal_response::Message},
    sdp::{Kind, Section, Session},
};

use crate::{
    context::Context,
    room::{Room, describe, listener::Terms},
};

/// What the client has been asked for, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Sections {
    is_answered: bool,
    /// Asked for since its last offer.
    requested: usize,
    /// It has been told to offer, and hasn't yet.
    is_asked: bool,
    /// The sections of its last offer.
    offered: usize,
    /// It was asked for more and brought none.
    is_exhausted: bool,
}

impl Sections {
    fn on_offer(&mut self, offered: usize) {
        let grew = offered > self.offered;
        self.is_exhausted = !grew && (self.is_exhausted || self.requested > 0);
        *self = Self { is_answered: true, offered, ..std::mem::take(self) };
        (self.requested, self.is_asked) = (0, false);
    }
}

impl Sections {
    /// What was asked on a socket that is gone was not heard.
    pub(super) fn forget_request(&mut self) {
        (self.requested, self.is_asked) = (0, false);
    }
}

impl Room {
    /// Gives the listening sections of an offer to the tracks that lack one.
    pub(super) fn fill_sections(&mut self, sid: ParticipantSid, offer: &Session, cx: &mut Context) {
        let Some(participant) = self.participants.get(&sid) else { return };
        if participant.connections.path == SignalPath::TwoConnections {
            return;
        }
        let listening: Vec<(&Section, Terms)> = offer
            .sections
            .iter()
            .filter(|section| is_listening(section) && !self.is_bound(sid, section))
            .filter_map(|section| Some((section, describe::terms_of(section)?)))
            .collect();
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let slots = &mut participant.hearing.slots;
        // Firefox gives a stream it doesn't know to a section that receives its payload type,
        // and leaves it there when the answer says otherwise.
        let waits = participant.profile.is_firefox && slots.is_in_use();
        let lost = slots.retain(|mid| listening.iter().any(|(section, _)| section.mid == *mid));
        listening.iter().for_each(|(section, _)| slots.add(&section.mid));
        lost.into_iter().for_each(|track| self.stop_hearing(sid, track));
        for track in self.unheard_by(sid) {
            if !self.assign_section(sid, track, cx) {
                break;
            }
            if waits && let Some(participant) = self.participants.get_mut(&sid) {
                participant.hearing.slots.hold(track);
            }
        }
        self.agree_on_terms(sid, &listening);
        self.open_listeners(sid, cx);
    }

    fn agree_on_terms(&mut self, sid: ParticipantSid, listening: &[(&Section, Terms)]) {
        let Some(participant) = self.participants.get(&sid) else { return };
        let Some(connection) = participant.connections.downstream() else { return };
        for (section, terms) in listening {
            let track = participant.hearing.slots.track_in(&section.mid);
            let track = track.and_then(|track| self.tracks.get_mut(track));
            if let Some(listener) = track.and_then(|track| track.listener_mut(connection.id)) {
                listener.terms = Some(*terms);
            }
        }
    }

    /// An answer went out: asks for another offer if it left anything to be done.
    pub(super) fn after_answer(&mut self, sid: ParticipantSid, offered: usize, cx: &mut Context) {
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        if participant.connections.path == SignalPath::OneConnection {
            participant.hearing.sections.on_offer(offered);
            self.require_sections(sid, cx);
        }
    }

    /// Has the client offer again if what it should hear and what it was told differ.
    pub(super) fn require_sections(&mut self, sid: ParticipantSid, cx: &mut Context) {
        let unheard = self.unheard_by(sid).len();
        let Some(participant) = self.participants.get_mut(&sid) else { return };
        let hearing = &mut participant.hearing;
        if !hearing.sections.is_answered {
            return;
        }
        let idle = hearing.slots.idle();
        let can_add = if hearing.sections.is_exhausted { 0 } else { hearing.slots.room() };
        let lacking = unheard.saturating_sub(idle).min(can_add);
        let more = lacking.saturating_sub(hearing.sections.requested);
        let offer_helps = lacking > 0
            || hearing.slots.has_vacated()
            || hearing.slots.has_held()
            || unheard.min(idle) > 0;
        if !offer_helps || (more == 0 && hearing.sections.is_asked) {
            return;
        }
        hearing.sections.requested += more;
        hearing.sections.is_asked = true;
        let requirement = MediaSectionsRequirement {
            num_audios: u32::try_from(more).unwrap_or_default(),
            num_videos: 0,
        };
        let session = participant.presence.session;
        cx.signal(session, Message::MediaSectionsRequirement(requirement));
    }

    /// Gives `track` a free section and starts the listener; false when there is none.
    pub(super) fn assign_section(
        &mut self,
        sid: ParticipantSid,
        track: TrackSid,
        cx: &mut Context,
    ) -> bool {
        let Some(participant) = self.participants.get_mut(&sid) else { return false };
        if participant.hearing.slots.assign(track).is_none() {
            return false;
        }
        self.start_hearing(sid, track, cx);
        true
    }
}

fn is_listening(section: &Section) -> bool {
    section.kind == Kind::Audio && !section.is_rejected() && section.direction.receives()
}
