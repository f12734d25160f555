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

type Heap = BinaryHeap<Reverse<(Instant, Timer)>>;

/// Heaps of wake-ups; an earlier one costs O(log n), however many sessions there are.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Nobody notices when these come a packet's length late.
    patient: Heap,
    /// What is heard to stumble when it comes late.
    punctual: Heap,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        let heap = match timer {
            Timer::Echo(_) => &mut self.punctual,
            Timer::Join(..)
            | Timer::Absence(..)
            | Timer::MediaLost(..)
            | Timer::Path(..)
            | Timer::Token(..)
            | Timer::Reports(_)
            | Timer::Speakers(_)
            | Timer::Pulse(_)
            | Timer::Vacancy(_) => &mut self.patient,
        };
        heap.push(Reverse((at, timer)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        [first(&self.patient), first(&self.punctual)].into_iter().flatten().min()
    }

    /// The first that can't wait.
    pub(crate) fn next_punctual(&self) -> Option<Instant> {
        first(&self.punctual)
    }

    /// Takes the earliest that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let next = self.next().filter(|at| *at <= now)?;
        let is_punctual = first(&self.punctual) == Some(next);
        let heap = if is_punctual { &mut self.punctual } else { &mut self.patient };
        heap.pop().map(|Reverse((_, timer))| timer)
    }
}

fn first(heap: &Heap) -> Option<Instant> {
    heap.peek().map(|Reverse((at, _))| *at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an Instant can't be made of nothing")]
    fn an_echo_is_told_apart_and_all_come_in_their_order() {
        let base = Instant::now();
        let at = |millis| base + Duration::from_millis(millis);
        let room = RoomId::ANY;
        let mut timers = Timers::default();
        timers.set(at(10), Timer::Speakers(room));
        assert_eq!((timers.next(), timers.next_punctual()), (Some(at(10)), None));
        timers.set(at(20), Timer::Echo(room));
        timers.set(at(30), Timer::Pulse(room));
        assert_eq!((timers.next(), timers.next_punctual()), (Some(at(10)), Some(at(20))));
        assert_eq!(timers.pop_due(at(9)), None);
        let order = [Timer::Speakers(room), Timer::Echo(room), Timer::Pulse(room)];
        assert_eq!(order.map(|_| timers.pop_due(at(30))), order.map(Some));
        assert_eq!((timers.next(), timers.next_punctual()), (None, None));
    }
}
