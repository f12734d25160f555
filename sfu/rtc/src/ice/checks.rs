//! The connectivity and consent checks of a controlling agent with one remote candidate.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use aws_lc_rs::rand;
use proto::stun::{ConnectivityCheck, TransactionId, Username};

use super::secret::Secret;
use crate::limits::{CHECK_INTERVAL, CHECK_RETRY_FIRST, CHECK_RETRY_LAST, CHECKS_PENDING_MAX};

/// Host candidate, first interface, component 1 (RFC 8445 §5.1.2.1), as peer-reflexive.
const PRIORITY: u32 = 110 << 24 | 0xffff << 8 | 255;

pub(super) struct Checks {
    server: SocketAddr,
    tie_breaker: u64,
    pending: VecDeque<TransactionId>,
    born: Instant,
    next: Instant,
    retry: Duration,
}

impl Checks {
    pub(super) fn new(server: SocketAddr, now: Instant) -> Self {
        Self {
            server,
            tie_breaker: u64::from_be_bytes(random()),
            pending: VecDeque::new(),
            born: now,
            next: now,
            retry: CHECK_RETRY_FIRST,
        }
    }

    pub(super) fn server(&self) -> SocketAddr {
        self.server
    }

    /// Starts over: the next check is due at once.
    pub(super) fn restart(&mut self) {
        self.pending.clear();
        self.retry = CHECK_RETRY_FIRST;
        self.next = self.born;
    }

    /// The next check, if it is due. There is one pair of candidates: each check nominates it.
    pub(super) fn poll(
        &mut self,
        remote: &Secret,
        local_ufrag: &str,
        now: Instant,
    ) -> Option<Vec<u8>> {
        if now < self.next {
            return None;
        }
        let transaction = TransactionId(random());
        if self.pending.len() >= CHECKS_PENDING_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(transaction);
        self.next = now + self.retry;
        self.retry = (self.retry * 2).min(CHECK_RETRY_LAST);
        let check = ConnectivityCheck {
            transaction,
            username: Username { to: remote.ufrag(), from: local_ufrag },
            priority: PRIORITY,
            tie_breaker: self.tie_breaker,
            use_candidate: true,
        };
        Some(check.write(|bytes| remote.sign(bytes)))
    }

    /// Takes an authentic answer; false if it is none of ours.
    pub(super) fn note_answer(&mut self, transaction: TransactionId, now: Instant) -> bool {
        let ours = self.pending.contains(&transaction);
        if ours {
            self.pending.clear();
            self.retry = CHECK_RETRY_FIRST;
            self.next = now + CHECK_INTERVAL;
        }
        ours
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next
    }
}

/// Without randomness the checks are only easier to guess; what protects them is their key.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = rand::fill(&mut bytes);
    bytes
}
