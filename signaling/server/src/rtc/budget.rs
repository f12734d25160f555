//! How much one client may say: a token bucket for messages and one for bytes.

use std::time::Instant;

use crate::limits::{
    MESSAGE_BYTES_BURST, MESSAGE_BYTES_PER_SECOND, MESSAGES_BURST, MESSAGES_PER_SECOND,
};

/// What is left to one client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    messages: Bucket,
    bytes: Bucket,
    refilled: Instant,
}

/// The client said more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exceeded;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    burst: f64,
    per_second: f64,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            messages: Bucket::new(MESSAGES_BURST, MESSAGES_PER_SECOND),
            bytes: Bucket::new(MESSAGE_BYTES_BURST, MESSAGE_BYTES_PER_SECOND),
            refilled: now,
        }
    }

    /// Takes one message of `bytes` from what is left.
    pub(super) fn spend(&mut self, bytes: usize, now: Instant) -> Result<(), Exceeded> {
        let seconds = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.messages.refill(seconds);
        self.bytes.refill(seconds);
        self.messages.take(1)?;
        self.bytes.take(u32::try_from(bytes).map_err(|_| Exceeded)?)
    }
}

impl Bucket {
    fn new(burst: u32, per_second: u32) -> Self {
        let burst = f64::from(burst);
        Self { left: burst, burst, per_second: f64::from(per_second) }
    }

    fn refill(&mut self, seconds: f64) {
        self.left = seconds.mul_add(self.per_second, self.left).min(self.burst);
    }

    fn take(&mut self, amount: u32) -> Result<(), Exceeded> {
        let left = self.left - f64::from(amount);
        if left < 0.0 {
            return Err(Exceeded);
        }
        self.left = left;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use service::clock;

    use super::*;

    #[test]
    fn a_burst_passes_and_what_follows_must_keep_the_rate() {
        let start = clock::now();
        let mut budget = Budget::new(start);
        assert!((0..MESSAGES_BURST).all(|_| budget.spend(1, start).is_ok()));
        assert_eq!(budget.spend(1, start), Err(Exceeded));

        let later = start + Duration::from_secs(1);
        assert!((0..MESSAGES_PER_SECOND).all(|_| budget.spend(1, later).is_ok()));
        assert_eq!(budget.spend(1, later), Err(Exceeded));
    }

    #[test]
    fn few_large_messages_count_by_their_bytes() {
        let start = clock::now();
        let mut budget = Budget::new(start);
        let half = usize::try_from(MESSAGE_BYTES_BURST / 2).unwrap();
        assert!(budget.spend(half, start).is_ok());
        assert!(budget.spend(half, start).is_ok());
        assert_eq!(budget.spend(1, start), Err(Exceeded));
    }
}
