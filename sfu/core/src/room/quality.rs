//! How well each participant is connected, as clients show it.
//!
//! Loss, delay and jitter of both directions make one score (a reduced E-model, ITU-T G.107).
//! Only changes are told, on a grid, and only to who is concerned: the participant and those who
//! hear it.

use std::{collections::BTreeMap, time::Duration};

use proto::{
    ids::ParticipantSid,
    livekit::{
        ConnectionQuality, ConnectionQualityInfo, ConnectionQualityUpdate, signal_response::Message,
    },
};

use crate::{
    clock::next_on_grid,
    context::Context,
    limits::{LOST_AFTER, PULSE_INTERVAL},
    room::{
        Room,
        stream::{CLOCK_HZ, Counted},
    },
    timers::Timer,
};

/// Where good voice begins and where bad voice does, as mean opinion scores.
const EXCELLENT_SCORE: f32 = 4.1;
const GOOD_SCORE: f32 = 3.5;
/// A perfect connection; what LiveKit reports for one.
const SCORE_MAX: f32 = 4.5;
const SCORE_LOST: f32 = 1.25;
/// How well Opus with RED or in-band FEC hides losses: the E-model's robustness, in percent.
const LOSS_ROBUSTNESS: f32 = 20.0;

/// What is known of one participant's connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    quality: Option<ConnectionQuality>,
    score: f32,
    /// It has been told how those are connected whom it hears.
    is_informed: bool,
}

/// The worst of what was measured, as shares and times.
#[derive(Clone, Copy, Debug, Default)]
struct Impairment {
    loss: f32,
    jitter: Duration,
    round_trip: Duration,
}

/// The grid on which a room is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    is_running: bool,
    /// Participants and publishers, as clients know them.
    pub(super) told_counts: (u32, u32),
}

impl Room {
    /// Begins the grid on which counts and quality are looked at.
    pub(super) fn start_pulse(&mut self, cx: &mut Context) {
        if !std::mem::replace(&mut self.pulse.is_running, true) {
            let at = next_on_grid(self.created_at, PULSE_INTERVAL, cx.now);
            cx.set_timer(at, Timer::Pulse(self.id));
        }
    }

    pub(super) fn on_pulse(&mut self, cx: &mut Context) {
        self.pulse.is_running = false;
        if self.participants.is_empty() {
            return;
        }
        self.start_pulse(cx);
        let info = self.info();
        if self.pulse.told_counts != (info.num_participants, info.num_publishers) {
            self.tell_room(cx);
        }
        self.tell_quality(cx);
    }

    fn tell_quality(&mut self, cx: &mut Context) {
        let changed = self.measure_quality(cx);
        let recipients: Vec<ParticipantSid> = self.participants.keys().copied().collect();
        for sid in recipients {
            let updates = self.quality_for(sid, &changed);
            if !updates.is_empty() {
                let update = ConnectionQualityUpdate { updates };
                self.tell(sid, Message::ConnectionQuality(update), cx);
            }
            if let Some(participant) = self.participants.get_mut(&sid) {
                participant.standing.is_informed |= participant.is_active();
            }
        }
    }

    /// Judges everybody anew; returns those of whom there is news.
    fn measure_quality(&mut self, cx: &Context) -> Vec<ParticipantSid> {
        let judged: Vec<(ParticipantSid, f32)> = self
            .participants
            .values()
            .filter(|participant| participant.is_active())
            .map(|participant| participant.profile.sid)
            .map(|sid| (sid, if self.is_lost(sid, cx) { SCORE_LOST } else { self.score_of(sid) }))
            .collect();
        self.tracks.iter_mut().for_each(|track| track.pulsed = track.intake.stream.counted());
        let mut changed = Vec::new();
        for (sid, score) in judged {
            let Some(participant) = self.participants.get_mut(&sid) else { continue };
            let quality = Some(quality_of(score));
            participant.standing.score = score;
            if std::mem::replace(&mut participant.standing.quality, quality) != quality {
                changed.push(sid);
            }
        }
        changed
    }

    fn quality_for(
        &self,
        sid: ParticipantSid,
        changed: &[ParticipantSid],
    ) -> Vec<ConnectionQualityInfo> {
        let Some(recipient) = self.participants.get(&sid) else { return Vec::new() };
        let heard = recipient.hearing.slots.carried();
        let heard = heard.filter_map(|(_, track)| Some(self.tracks.get(track)?.owner));
        let concerned = std::iter::once(sid).chain(heard);
        let is_news = |of: &ParticipantSid| !recipient.standing.is_informed || changed.contains(of);
        let updates = concerned.filter(is_news).filter_map(|of| Some((of, self.quality_info(of)?)));
        let updates: BTreeMap<ParticipantSid, ConnectionQualityInfo> = updates.collect();
        updates.into_values().collect()
    }

    fn quality_info(&self, sid: ParticipantSid) -> Option<ConnectionQualityInfo> {
        let standing = &self.participants.get(&sid)?.standing;
        Some(ConnectionQualityInfo {
            participant_sid: sid.to_string(),
            quality: standing.quality?.into(),
            score: standing.score,
        })
    }

    /// Whether a participant that should be heard from is not.
    fn is_lost(&self, sid: ParticipantSid, cx: &Context) -> bool {
        let Some(participant) = self.participants.get(&sid) else { return false };
        let tracks = participant.publishing.tracks.iter().filter_map(|it| self.tracks.get(*it));
        let spoke_at = tracks.filter_map(|track| track.intake.last_at).max();
        let reported_at = participant.connections.iter().map(|it| it.heard_at).max();
        let Some(heard_at) = reported_at.max(spoke_at) else { return false };
        let is_silent = cx.now.saturating_duration_since(heard_at) > LOST_AFTER;
        is_silent && (spoke_at.is_some() || self.is_sent_to(sid))
    }

    /// Who gets packets reports on them, every few seconds.
    fn is_sent_to(&self, sid: ParticipantSid) -> bool {
        self.listeners_of(sid).any(|(_, listener)| listener.sent.last_at.is_some())
    }

    fn score_of(&self, sid: ParticipantSid) -> f32 {
        let mut worst = Impairment::default();
        let Some(participant) = self.participants.get(&sid) else { return SCORE_MAX };
        let tracks = participant.publishing.tracks.iter().filter_map(|it| self.tracks.get(*it));
        for track in tracks {
            worst.add_loss(track.intake.stream.counted().loss_since(&track.pulsed));
            worst.add_jitter(track.intake.stream.jitter());
        }
        for (_, listener) in self.listeners_of(sid) {
            worst.add_loss(f32::from(listener.heard.fraction_lost) / 256.0);
            worst.add_jitter(listener.heard.jitter);
            let round_trip = listener.heard.round_trip.unwrap_or_default();
            worst.round_trip = worst.round_trip.max(round_trip);
        }
        worst.score()
    }
}

impl Impairment {
    fn add_loss(&mut self, loss: f32) {
        self.loss = self.loss.max(loss);
    }

    fn add_jitter(&mut self, units: u32) {
        let jitter = Duration::from_secs(1) * units / CLOCK_HZ;
        self.jitter = self.jitter.max(jitter);
    }

    /// The mean opinion score that voice over this connection would get.
    fn score(&self) -> f32 {
        // One way, the jitter buffer, and a frame.
        let delay = self.round_trip / 2 + self.jitter * 2 + Duration::from_millis(20);
        let delay_ms = delay.as_secs_f32() * 1_000.0;
        let late_ms = (delay_ms - 177.3).max(0.0);
        let loss = self.loss * 100.0;
        let rating =
            93.2 - (0.024 * delay_ms + 0.11 * late_ms) - 95.0 * loss / (loss + LOSS_ROBUSTNESS);
        let rating = rating.clamp(0.0, 100.0);
        let opinion = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating);
        opinion.clamp(1.0, SCORE_MAX)
    }
}

fn quality_of(score: f32) -> ConnectionQuality {
    if score <= SCORE_LOST {
        ConnectionQuality::Lost
    } else if score < GOOD_SCORE {
        ConnectionQuality::Poor
    } else if score < EXCELLENT_SCORE {
        ConnectionQuality::Good
    } else {
        ConnectionQuality::Excellent
    }
}

/// What two moments of a stream's count say about the time between them.
impl Counted {
    fn loss_since(&self, earlier: &Self) -> f32 {
        let expected = self.expected.saturating_sub(earlier.expected);
        let lost = expected.saturating_sub(self.received.saturating_sub(earlier.received));
        let (lost, expected) = (u16::try_from(lost), u16::try_from(expected));
        match (lost, expected) {
            (Ok(lost), Ok(expected)) if expected > 0 => f32::from(lost) / f32::from(expected),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(loss: f32, jitter_ms: u64, round_trip_ms: u64) -> ConnectionQuality {
        let impairment = Impairment {
            loss,
            jitter: Duration::from_millis(jitter_ms),
            round_trip: Duration::from_millis(round_trip_ms),
        };
        quality_of(impairment.score())
    }

    #[test]
    fn words_follow_what_is_heard() {
        assert_eq!(quality(0.0, 5, 50), ConnectionQuality::Excellent);
        assert_eq!(quality(0.01, 10, 100), ConnectionQuality::Excellent);
        assert_eq!(quality(0.04, 10, 100), ConnectionQuality::Good);
        assert_eq!(quality(0.15, 10, 100), ConnectionQuality::Poor);
        assert_eq!(quality(0.0, 10, 900), ConnectionQuality::Poor);
    }
}
