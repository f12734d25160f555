//! Releases the rooms of nodes that never came back, which would stay in the database for ever.
//!
//! Nobody waits for this: a room whose holder is gone is claimed over by whoever comes. It takes
//! as little as such a claim does, an epoch being granted once whether the room's row is there or
//! not, and waits much longer. Every signaling node looks; two that release the same do no harm.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::pool::Owner;
use service::clock;
use storage_database::Database;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::{
    hub::Hub,
    limits::{ORPHAN_AGE, ORPHAN_LOOK_INTERVAL},
};

/// Looks now and then. Runs until the hub is gone, or until it is dropped.
pub(crate) async fn run(hub: Hub, database: Database) {
    let mut unheard = Unheard::default();
    loop {
        sleep(ORPHAN_LOOK_INTERVAL).await;
        let holders = match database.holders().await {
            Ok(holders) => holders,
            Err(error) => {
                warn!(%error, "holders of rooms were not read");
                continue;
            }
        };
        let Ok(found) = hub.unheard_of(holders).await else { return };
        for owner in unheard.note(found, clock::now()) {
            release(&database, &owner).await;
        }
    }
}

async fn release(database: &Database, owner: &Owner) {
    match database.release_orphans(owner).await {
        Ok(0) => {}
        Ok(rooms) => {
            info!(sfu = owner.node.as_str(), boot = %owner.boot, rooms, "orphaned rooms released");
        }
        Err(error) => warn!(sfu = owner.node.as_str(), %error, "orphaned rooms were not released"),
    }
}

/// Since when nothing was heard of whom, in an unbroken row of looks.
#[derive(Debug, Default)]
struct Unheard(BTreeMap<Owner, Instant>);

impl Unheard {
    /// Takes in of whom nothing is heard now, and returns those for whom it has been so for long.
    fn note(&mut self, now_unheard: Vec<Owner>, now: Instant) -> Vec<Owner> {
        let since = |owner: Owner| {
            let since = self.0.get(&owner).copied().unwrap_or(now);
            (owner, since)
        };
        self.0 = now_unheard.into_iter().map(since).collect();
        let age = |since: Instant| -> Duration { now.saturating_duration_since(since) };
        let long = self.0.iter().filter(|(_, since)| age(**since) >= ORPHAN_AGE);
        long.map(|(owner, _)| owner.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proto::pool::BootId;

    use super::*;

    fn owner(node: &str) -> Owner {
        Owner { node: node.parse().unwrap(), boot: BootId::from_random(1) }
    }

    #[test]
    fn only_who_was_unheard_at_every_look_for_long_is_given_up() {
        let (mut unheard, start) = (Unheard::default(), clock::now());
        let (gone, blinked) = (owner("gone"), owner("blinked"));
        assert!(unheard.note(vec![gone.clone(), blinked.clone()], start).is_empty());
        assert!(unheard.note(vec![gone.clone()], start + ORPHAN_AGE / 2).is_empty());
        let late = start + ORPHAN_AGE;
        assert_eq!(unheard.note(vec![gone.clone(), blinked], late), [gone]);
    }
}
