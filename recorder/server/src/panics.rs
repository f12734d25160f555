//! How often a recording's task has panicked, and when enough is enough.
//!
//! A panic is our own bug. It may take one task with it, which is begun again; what fails over and
//! over is given up, so that it can't keep the recorder busy for ever.

use std::{collections::BTreeMap, time::Duration};

use storage_database::RecordingId;

use crate::limits::{PANIC_MEMORY, PANICS_MAX, RECORDINGS_MAX};

/// The panics of tasks that were begun again, by recording.
#[derive(Debug, Default)]
pub(crate) struct Panics(BTreeMap<RecordingId, u32>);

/// What to do after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again at once.
    AtOnce,
    /// Try again in a while.
    Later,
    GiveUp,
}

impl Panics {
    /// Counts the panic of a task that had run for `lived`. One that ran for long got over
    /// whatever it had failed at before.
    pub(crate) fn note(&mut self, id: RecordingId, lived: Duration) -> Next {
        let before = self.0.remove(&id).filter(|_| lived < PANIC_MEMORY).unwrap_or_default();
        while self.0.len() >= RECORDINGS_MAX {
            // Another recorder took it, or it was given up: it isn't heard of any more.
            self.0.pop_first();
        }
        let count = before.saturating_add(1);
        self.0.insert(id, count);
        match count {
            1 => Next::AtOnce,
            PANICS_MAX.. => Next::GiveUp,
            _ => Next::Later,
        }
    }

    pub(crate) fn is_given_up(&self, id: RecordingId) -> bool {
        self.0.get(&id).is_some_and(|count| *count >= PANICS_MAX)
    }

    /// The recording ended well.
    pub(crate) fn forget(&mut self, id: RecordingId) {
        self.0.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use proto::link::UnixMicros;

    use super::*;

    const SHORT: Duration = Duration::from_secs(1);

    fn id(number: u128) -> RecordingId {
        RecordingId::new(UnixMicros(1_000_000), number)
    }

    #[test]
    fn what_fails_over_and_over_is_given_up() {
        let mut panics = Panics::default();
        assert_eq!(panics.note(id(1), SHORT), Next::AtOnce);
        for _ in 2..PANICS_MAX {
            assert_eq!(panics.note(id(1), SHORT), Next::Later);
            assert!(!panics.is_given_up(id(1)));
        }
        assert_eq!(panics.note(id(1), SHORT), Next::GiveUp);
        assert!(panics.is_given_up(id(1)) && !panics.is_given_up(id(2)));
        assert_eq!(panics.note(id(2), SHORT), Next::AtOnce, "another recording");
    }

    #[test]
    fn what_ended_well_or_ran_for_long_begins_anew() {
        let mut panics = Panics::default();
        panics.note(id(1), SHORT);
        panics.forget(id(1));
        assert_eq!(panics.note(id(1), SHORT), Next::AtOnce);
        assert_eq!(panics.note(id(1), SHORT), Next::Later);
        assert_eq!(panics.note(id(1), PANIC_MEMORY), Next::AtOnce);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut panics = Panics::default();
        for number in 0..=2 * RECORDINGS_MAX {
            panics.note(id(u128::try_from(number).unwrap()), SHORT);
        }
        assert_eq!(panics.0.len(), RECORDINGS_MAX);
    }
}
