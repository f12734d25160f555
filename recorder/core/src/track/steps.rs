//! What one packet adds to a file, in order: holes and voice.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{
    gap::GapReason,
    limits::STEPS_MAX,
    opus::{self, GRID},
};

/// A plan that is carried out step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Steps {
    planned: VecDeque<Planned>,
    /// What is left of the hole that is being filled.
    filling: u64,
    /// Where the plan ends, in samples of the file.
    end: u64,
    /// Samples that were sent and are missing, as far as it is known.
    lost: u64,
    /// Why nothing was sent in the rest.
    reason: GapReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Planned {
    Hole { samples: u64, reason: GapReason },
    Voice { packet: Bytes, samples: u64 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A hole starts.
    Hole {
        samples: u64,
        reason: GapReason,
    },
    /// So much of it is left.
    Fill {
        hole: u64,
    },
    Voice {
        packet: Bytes,
        samples: u64,
    },
}

impl Default for Steps {
    fn default() -> Self {
        Self::after(0, 0, GapReason::Loss)
    }
}

impl Steps {
    pub(super) fn after(end: u64, lost: u64, reason: GapReason) -> Self {
        Self { planned: VecDeque::new(), filling: 0, end, lost, reason }
    }

    /// Puts a packet at `start`, or right after what is there.
    pub(super) fn voice(&mut self, start: u64, packet: Bytes, samples: u64) {
        self.hole_until(start, samples);
        self.planned.push_back(Planned::Voice { packet, samples });
        self.end += samples;
    }

    /// Puts a repeated packet where it is missing, before `next`; returns whether it was.
    pub(super) fn recover(&mut self, start: u64, next: u64, packet: Bytes) -> bool {
        let Ok(samples) = opus::samples(&packet) else { return false };
        let is_missing = start + GRID > self.end && start + samples < next + GRID;
        if !is_missing || self.planned.len() + 4 > STEPS_MAX {
            return false;
        }
        self.lost = self.lost.saturating_sub(samples);
        self.voice(start, packet, samples);
        true
    }

    /// Plans a hole up to `start`. `frame` is how much a hole must differ by to be another's.
    fn hole_until(&mut self, start: u64, frame: u64) {
        let hole = start.saturating_sub(self.end) / GRID * GRID;
        if hole == 0 {
            return;
        }
        self.end += hole;
        let lost = self.lost.min(hole) / GRID * GRID;
        let silent = hole - lost;
        // An interruption explains all of a hole, and so does a mute: what a sender said in it was
        // counted and not passed on. A rest shorter than a frame is rounding.
        let is_one = self.reason != GapReason::Dtx;
        let parts = if lost == 0 || is_one {
            [(hole, self.reason), (0, self.reason)]
        } else if silent < frame {
            [(hole, GapReason::Loss), (0, self.reason)]
        } else {
            [(lost, GapReason::Loss), (silent, self.reason)]
        };
        self.lost -= lost;
        let parts = parts.into_iter().filter(|(samples, _)| *samples > 0);
        self.planned.extend(parts.map(|(samples, reason)| Planned::Hole { samples, reason }));
    }

    /// So much of the present hole is filled.
    pub(super) fn filled(&mut self, samples: u64) {
        self.filling = self.filling.saturating_sub(samples);
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.filling > 0 {
            return Some(Step::Fill { hole: self.filling });
        }
        match self.planned.pop_front()? {
            Planned::Hole { samples, reason } => {
                self.filling = samples;
                Some(Step::Hole { samples, reason })
            }
            Planned::Voice { packet, samples } => Some(Step::Voice { packet, samples }),
        }
    }
}
