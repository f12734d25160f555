//! How many requests a client may still send: a bucket that fills with time.

use std::time::Instant;

use crate::limits::{SIGNAL_BURST_MAX, SIGNAL_REFILL};

#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: u32,
    filled_at: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: SIGNAL_BURST_MAX, filled_at: now }
    }

    /// Pays for a request; false when there isn't enough left.
    pub(super) fn spend(&mut self, cost: u32, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_nanos();
        let earned = u32::try_from(passed / SIGNAL_REFILL.as_nanos()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(SIGNAL_BURST_MAX);
        self.filled_at += SIGNAL_REFILL.saturating_mul(earned);
        let Some(left) = self.left.checked_sub(cost) else { return false };
        self.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_followed_by_a_steady_rate() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let burst = (0..1_000).take_while(|_| budget.spend(1, start)).count();
        assert_eq!(u32::try_from(burst), Ok(SIGNAL_BURST_MAX));
        assert!(!budget.spend(1, start + SIGNAL_REFILL / 2));
        assert!(budget.spend(1, start + SIGNAL_REFILL));
        assert!(!budget.spend(1, start + SIGNAL_REFILL));
    }
}
