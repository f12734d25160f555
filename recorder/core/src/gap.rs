//! Where a track has no sound of its own, and why.

use crate::{limits::GAPS_MAX, opus::SAMPLES_PER_MS};

/// Why nothing is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapReason {
    /// Packets were sent and didn't come.
    Loss,
    /// The track was muted.
    Mute,
    /// Its encoder sent nothing, for there was nothing to hear.
    Dtx,
    /// The link to the room's owner was cut.
    Link,
    /// The recorder was away.
    Recorder,
    /// The recorder had no room left to write to.
    Spool,
}

impl GapReason {
    pub const ALL: [Self; 6] =
        [Self::Loss, Self::Mute, Self::Dtx, Self::Link, Self::Recorder, Self::Spool];

    /// Its name on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Mute => "mute",
            Self::Dtx => "dtx",
            Self::Link => "link",
            Self::Recorder => "recorder",
            Self::Spool => "spool",
        }
    }

    /// Reads the name back.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// One span without sound, in samples at 48 kHz from the track's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub start: u64,
    pub samples: u64,
    pub reason: GapReason,
}

impl Gap {
    pub fn start_ms(&self) -> u64 {
        self.start / SAMPLES_PER_MS
    }

    pub fn duration_ms(&self) -> u64 {
        self.samples / SAMPLES_PER_MS
    }

    fn end(&self) -> u64 {
        self.start + self.samples
    }
}

/// The gaps of a track in their order, as many as are worth listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    listed: Vec<Gap>,
    /// Samples of gaps that were one too many.
    unlisted: u64,
}

impl Gaps {
    /// Adds one. Silences that only an encoder's sign of life parts are one: `refresh` is the most
    /// samples such a sign holds.
    pub fn push(&mut self, gap: Gap, refresh: u64) {
        if let Some(last) = self.listed.last_mut() {
            let between = gap.start.saturating_sub(last.end());
            let is_quiet = gap.reason == GapReason::Dtx && between <= refresh;
            if last.reason == gap.reason && (between == 0 || is_quiet) {
                last.samples = gap.end().saturating_sub(last.start);
                return;
            }
        }
        if self.listed.len() < GAPS_MAX {
            self.listed.push(gap);
        } else {
            self.unlisted += gap.samples;
        }
    }

    pub fn listed(&self) -> &[Gap] {
        &self.listed
    }

    /// Samples of gaps that aren't listed, since there were too many.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(start: u64, samples: u64, reason: GapReason) -> Gap {
        Gap { start, samples, reason }
    }

    #[test]
    fn silences_parted_by_a_sign_of_life_are_one() {
        let mut gaps = Gaps::default();
        gaps.push(gap(960, 18_240, GapReason::Dtx), 960);
        gaps.push(gap(20_160, 18_240, GapReason::Dtx), 960);
        gaps.push(gap(48_000, 960, GapReason::Dtx), 960);
        gaps.push(gap(48_960, 960, GapReason::Loss), 960);
        let expected = [
            gap(960, 37_440, GapReason::Dtx),
            gap(48_000, 960, GapReason::Dtx),
            gap(48_960, 960, GapReason::Loss),
        ];
        assert_eq!(gaps.listed(), expected);
    }

    #[test]
    fn losses_parted_by_a_packet_are_two() {
        let mut gaps = Gaps::default();
        gaps.push(gap(960, 960, GapReason::Loss), 960);
        gaps.push(gap(2_880, 960, GapReason::Loss), 960);
        gaps.push(gap(3_840, 960, GapReason::Loss), 960);
        assert_eq!(
            gaps.listed(),
            [gap(960, 960, GapReason::Loss), gap(2_880, 1_920, GapReason::Loss)]
        );
    }

    #[test]
    fn the_list_has_an_end_and_the_count_has_none() {
        let mut gaps = Gaps::default();
        for at in 0..GAPS_MAX as u64 + 3 {
            gaps.push(gap(at * 2_000, 960, GapReason::Loss), 960);
        }
        assert_eq!((gaps.listed().len(), gaps.unlisted()), (GAPS_MAX, 3 * 960));
    }

    #[test]
    fn a_reason_reads_back_as_itself() {
        for reason in GapReason::ALL {
            assert_eq!(GapReason::named(reason.as_str()), Some(reason));
        }
        assert_eq!(GapReason::named("boredom"), None);
    }
}
