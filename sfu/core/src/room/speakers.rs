//! Who is talking, told as it changes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::{
    ids::ParticipantSid,
    livekit::{SpeakerInfo, SpeakersChanged, signal_response::Message},
};

use crate::{
    clock::next_on_grid,
    context::Context,
    limits::{SPEAKERS_INTERVAL, SPEAKERS_MAX},
    room::Room,
    timers::Timer,
};

/// Levels are told in eighths, so that a steady voice is no news.
const STEPS: u8 = 8;
/// How long a client's test may pretend.
const SIMULATED_MAX: Duration = Duration::from_secs(10);

/// What clients believe, and whether there may be news.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    told: BTreeMap<ParticipantSid, u8>,
    is_watching: bool,
    /// A test's wish to see somebody speak.
    simulated: Option<(ParticipantSid, Instant)>,
}

impl Room {
    /// Something loud was heard: looks at it when the interval ends.
    pub(super) fn watch_speakers(&mut self, cx: &mut Context) {
        if !std::mem::replace(&mut self.speakers.is_watching, true) {
            let at = next_on_grid(self.created_at, SPEAKERS_INTERVAL, cx.now);
            cx.set_timer(at, Timer::Speakers(self.id));
        }
    }

    pub(super) fn on_speakers(&mut self, cx: &mut Context) {
        self.speakers.is_watching = false;
        let active = self.active_speakers(cx.now);
        let told = std::mem::replace(&mut self.speakers.told, active);
        let active = &self.speakers.told;
        let stopped =
            told.keys().filter(|sid| !active.contains_key(sid)).map(|sid| speaker(*sid, 0));
        let changed = active.iter().filter(|(sid, step)| told.get(sid) != Some(step));
        let changed = changed.map(|(sid, step)| speaker(*sid, *step));
        let speakers: Vec<SpeakerInfo> = changed.chain(stopped).collect();
        if !speakers.is_empty() {
            self.tell_all(&Message::SpeakersChanged(SpeakersChanged { speakers }), cx);
        }
        let is_fading = self.tracks.iter().any(|track| track.speech.is_fading());
        if is_fading || !self.speakers.told.is_empty() {
            self.watch_speakers(cx);
        }
    }

    /// The loudest who speak, in eighths; one entry for each, whatever it sends.
    fn active_speakers(&mut self, now: Instant) -> BTreeMap<ParticipantSid, u8> {
        let mut steps: BTreeMap<ParticipantSid, u8> = BTreeMap::new();
        for track in self.tracks.iter_mut() {
            if let Some(level) = track.speech.settle() {
                let told = self.speakers.told.get(&track.owner).copied();
                let step = steps.entry(track.owner).or_default();
                *step = (*step).max(in_steps(level, told));
            }
        }
        if let Some((sid, _)) = self.speakers.simulated.filter(|(_, until)| *until > now) {
            steps.insert(sid, STEPS);
        }
        steps.retain(|sid, _| self.participants.get(sid).is_some_and(|it| !it.is_hidden()));
        let mut loudest: Vec<(u8, ParticipantSid)> =
            steps.into_iter().map(|(sid, step)| (step, sid)).collect();
        loudest.sort_by(|one, other| other.cmp(one));
        loudest.truncate(SPEAKERS_MAX);
        loudest.into_iter().map(|(step, sid)| (sid, step)).collect()
    }

    /// Whoever mutes is no speaker from that moment on.
    pub(super) fn silence(&mut self, sid: ParticipantSid, cx: &mut Context) {
        if self.speakers.told.remove(&sid).is_some() {
            let speakers = vec![speaker(sid, 0)];
            self.tell_all(&Message::SpeakersChanged(SpeakersChanged { speakers }), cx);
        }
    }

    /// Tells one who has just come who is talking.
    pub(super) fn tell_speakers(&self, sid: ParticipantSid, cx: &mut Context) {
        let told = self.speakers.told.iter();
        let speakers: Vec<SpeakerInfo> = told.map(|(sid, step)| speaker(*sid, *step)).collect();
        if !speakers.is_empty() {
            self.tell(sid, Message::SpeakersChanged(SpeakersChanged { speakers }), cx);
        }
    }

    /// A client's test wants to see itself speak for some seconds.
    pub(super) fn simulate_speaker(&mut self, sid: ParticipantSid, seconds: i32, cx: &mut Context) {
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        self.speakers.simulated = Some((sid, cx.now + seconds.min(SIMULATED_MAX)));
        self.watch_speakers(cx);
    }
}

/// A level in eighths, rounded up. What was told stands until the level has left it by half an
/// eighth, so that a voice on the edge of two isn't told again and again.
fn in_steps(level: f32, told: Option<u8>) -> u8 {
    let eighths = level * f32::from(STEPS);
    let holds = |told: &u8| (eighths - f32::from(*told) + 0.5).abs() <= 1.0;
    let rounded = || (1..STEPS).find(|step| eighths <= f32::from(*step)).unwrap_or(STEPS);
    told.filter(holds).unwrap_or_else(rounded)
}

fn speaker(sid: ParticipantSid, step: u8) -> SpeakerInfo {
    let level = f32::from(step) / f32::from(STEPS);
    SpeakerInfo { sid: sid.to_string(), level, active: step > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_on_the_edge_of_two_steps_is_not_told_again_and_again() {
        assert_eq!(in_steps(0.10, None), 1);
        assert_eq!(in_steps(0.13, Some(1)), 1);
        assert_eq!(in_steps(0.12, Some(2)), 2);
        assert_eq!(in_steps(0.30, Some(1)), 3);
        assert_eq!(in_steps(0.05, Some(2)), 1);
        assert_eq!(in_steps(1.0, None), STEPS);
    }
}
