//! Which peer wants to be woken when: a heap, so that the next deadline never costs a scan.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

/// Deadlines of peers by their index. A deadline that moves later leaves its old entry behind,
/// which wakes the peer once for nothing; one that moves earlier adds an entry.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u32)>>,
    /// The earliest entry in `heap` of each peer.
    armed: Vec<Option<Instant>>,
}

impl Timers {
    /// Makes sure that `peer` wakes at `deadline` or before.
    pub(super) fn arm(&mut self, peer: u32, deadline: Instant) {
        let index = peer as usize;
        if self.armed.len() <= index {
            self.armed.resize(index + 1, None);
        }
        let Some(armed) = self.armed.get_mut(index) else { return };
        if armed.is_none_or(|armed| deadline < armed) {
            *armed = Some(deadline);
            self.heap.push(Reverse((deadline, peer)));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Returns a peer whose deadline has come. It must be armed again, or it sleeps.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        loop {
            let Reverse((deadline, peer)) = *self.heap.peek()?;
            if deadline > now {
                return None;
            }
            self.heap.pop();
            let armed = self.armed.get_mut(peer as usize)?;
            if *armed == Some(deadline) {
                *armed = None;
                return Some(peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(base: Instant, millis: u64) -> Instant {
        base + Duration::from_millis(millis)
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an Instant can't be made of nothing")]
    fn peers_wake_in_the_order_of_their_deadlines_and_once() {
        let base = Instant::now();
        let mut timers = Timers::default();
        timers.arm(7, at(base, 30));
        timers.arm(1, at(base, 20));
        timers.arm(7, at(base, 10));
        timers.arm(7, at(base, 40));

        assert_eq!(timers.next(), Some(at(base, 10)));
        assert_eq!(timers.pop_due(at(base, 9)), None);
        assert_eq!(timers.pop_due(at(base, 25)), Some(7));
        assert_eq!(timers.pop_due(at(base, 25)), Some(1));
        assert_eq!(timers.pop_due(at(base, 99)), None);
        assert_eq!(timers.next(), None);
    }
}
