//! What is to be looked at when.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use proto::ids::ParticipantSid;

use crate::{TransportId, rooms::RoomId};

/// A reason to wake up. What it names may be gone by then; who wakes finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Has it connected?
    Join(RoomId, ParticipantSid),
    /// Has its WebSocket come back?
    Absence(RoomId, ParticipantSid),
    /// Has it left since its media went?
    MediaLost(RoomId, ParticipantSid),
    /// Is its way here still open?
    Path(RoomId, ParticipantSid),
    /// Its token ages.
    Token(RoomId, ParticipantSid),
    /// Reports are due on this connection.
    Reports(TransportId),
    /// Who is talking?
    Speakers(RoomId),
    /// Counts and connection quality.
    Pulse(RoomId),
    /// Is anybody there?
    Vacancy(RoomId),
    /// The echo caller's next packet.
    Echo(RoomId),
}

/// A heap of wake-ups; an earlier one costs O(log n), however many sessions there are.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the earliest that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}
