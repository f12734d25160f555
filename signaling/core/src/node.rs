//! What is known of one life of one node.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use proto::pool::{NodeRecord, Role};

use crate::limits::{JOIN_HALF_LIFE, JOIN_LOAD_MIN, LOAD_NOISE};

#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its latest heartbeat.
    pub(crate) record: Option<NodeRecord>,
    /// Since when listings have been without it; `None` while it is listed.
    pub(crate) absent: Option<Instant>,
    pub(crate) link: Link,
    /// In which listing it was first seen: a later life of a node has a higher one.
    pub(crate) first_listed: Option<u64>,
    joins: JoinsInFlight,
}

/// How the link to a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Nobody has tried yet.
    Untried,
    Up,
    Down {
        since: Instant,
    },
}

impl Node {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            record: None,
            absent: Some(now),
            link: Link::Untried,
            first_listed: None,
            joins: JoinsInFlight { weight: 0.0, at: now },
        }
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.absent.is_none()
    }

    /// Says whether new rooms may go there, as far as the node itself says.
    pub(crate) fn takes_rooms(&self) -> bool {
        match &self.record {
            // Linked and not announced yet: it just started.
            None => true,
            Some(record) => record.takes(Role::Sfu),
        }
    }

    pub(crate) fn join_assigned(&mut self, now: Instant) {
        self.joins = JoinsInFlight { weight: self.joins.at(now) + 1.0, at: now };
    }

    /// Orders nodes by how much they carry. Loads that hardly differ say nothing, being a
    /// moment's CPU time: then people are counted.
    pub(crate) fn compare_burden(&self, other: &Self, now: Instant) -> Ordering {
        let (one, two) = (self.expected_load(now), other.expected_load(now));
        if (one - two).abs() >= LOAD_NOISE {
            return one.total_cmp(&two);
        }
        self.expected_participants(now).total_cmp(&other.expected_participants(now))
    }

    fn expected_participants(&self, now: Instant) -> f64 {
        let participants = self.record.as_ref().map_or(0, |record| record.participants);
        f64::from(u32::try_from(participants).unwrap_or(u32::MAX)) + self.joins.at(now)
    }

    /// Its load as it will be once the joins in flight have arrived.
    pub(crate) fn expected_load(&self, now: Instant) -> f64 {
        let (load, participants) =
            self.record.as_ref().map_or((0.0, 0), |record| (record.load, record.participants));
        let participants = f64::from(u32::try_from(participants).unwrap_or(u32::MAX));
        let each = if participants > 0.0 { load / participants } else { 0.0 };
        load + self.joins.at(now) * each.max(JOIN_LOAD_MIN)
    }
}

/// Joins that a node's own numbers don't show yet: reserved when assigned, fading as heartbeats
/// take over.
#[derive(Clone, Copy, Debug)]
struct JoinsInFlight {
    weight: f64,
    at: Instant,
}

impl JoinsInFlight {
    fn at(self, now: Instant) -> f64 {
        let age: Duration = now.saturating_duration_since(self.at);
        self.weight * (-age.as_secs_f64() / JOIN_HALF_LIFE.as_secs_f64()).exp2()
    }
}
