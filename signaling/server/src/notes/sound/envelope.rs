//! Loudness over time, gathered piece by piece and then squeezed into a few points.

use std::time::Duration;

use super::{Measured, SoundError};
use crate::limits::{NOTE_DURATION_MAX, NOTE_POINTS_MAX};

/// The finest step of a waveform.
const BIN: Duration = Duration::from_millis(100);

/// Loudness in bins of [`BIN`]. As long as a note may be, and no longer.
pub(super) struct Envelope {
    measure: Measure,
    bins: Vec<Bin>,
}

/// What the levels are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Bytes of compressed packets: even silence has some.
    Bytes,
    /// Amplitudes of samples, of `u16::MAX`.
    Peaks,
}

#[derive(Clone, Copy, Default)]
struct Bin {
    sum: u64,
    count: u64,
    most: u64,
}

impl Envelope {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, bins: Vec::new() }
    }

    /// Takes the level of what sounds at `at`.
    pub(super) fn add(&mut self, at: Duration, level: u64) -> Result<(), SoundError> {
        if at > NOTE_DURATION_MAX {
            return Err(SoundError::TooLong);
        }
        let index = usize::try_from(at.as_millis() / BIN.as_millis()).unwrap_or(usize::MAX);
        if self.bins.len() <= index {
            self.bins.resize(index.saturating_add(1), Bin::default());
        }
        if let Some(bin) = self.bins.get_mut(index) {
            bin.sum = bin.sum.saturating_add(level);
            bin.count = bin.count.saturating_add(1);
            bin.most = bin.most.max(level);
        }
        Ok(())
    }

    /// The points of a sound of this duration.
    pub(super) fn finish(self, duration: Duration) -> Result<Measured, SoundError> {
        if duration > NOTE_DURATION_MAX {
            return Err(SoundError::TooLong);
        }
        let per_point = self.bins.len().div_ceil(NOTE_POINTS_MAX).max(1);
        let levels: Vec<u64> =
            self.bins.chunks(per_point).map(|bins| level(self.measure, bins)).collect();
        let (floor, top) = span_of(self.measure, &levels);
        // Packets of one size say nothing of loudness: a level line in the middle is honest.
        let is_flat = self.measure == Measure::Bytes && top - floor <= top / 16;
        let points = levels.iter().map(|level| match top - floor {
            _ if is_flat => 128,
            0 => 0,
            span => u8::try_from(level.saturating_sub(floor) * 255 / span).unwrap_or(u8::MAX),
        });
        Ok((duration, points.collect()))
    }
}

/// The levels that are drawn lowest and highest. Encoders spend a lot on a sudden change: one
/// point in twenty may stick out at either end.
fn span_of(measure: Measure, levels: &[u64]) -> (u64, u64) {
    let mut sorted = levels.to_vec();
    sorted.sort_unstable();
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let last = sorted.len().saturating_sub(1);
    match measure {
        Measure::Bytes => (at(last / 20), at(last - last.div_ceil(20))),
        Measure::Peaks => (0, at(last)),
    }
}

fn level(measure: Measure, bins: &[Bin]) -> u64 {
    match measure {
        Measure::Bytes => {
            let (sum, count) = bins.iter().fold((0_u64, 0_u64), |(sum, count), bin| {
                (sum.saturating_add(bin.sum), count.saturating_add(bin.count))
            });
            // In sixteenths of a byte, or small packets would all look alike.
            sum.saturating_mul(16).checked_div(count).unwrap_or_default()
        }
        Measure::Peaks => bins.iter().map(|bin| bin.most).max().unwrap_or_default(),
    }
}
