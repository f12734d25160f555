//! Brings back the rooms that the API created when the node that held them is gone.
//!
//! Every signaling node tries; the database lets one of them claim. Joins don't wait for this:
//! whoever comes first to such a room brings it back with its settings. But a process that has
//! just started isn't ready before it has looked: it would list fewer rooms than there are.

use service::{clock, health::Health};
use tokio::{sync::watch, time::timeout};
use tracing::{info, warn};

use crate::{
    limits::{RESTORE_DOUBT_INTERVAL, RESTORE_INTERVAL, RESTORE_PATIENCE, RESTORED_ROOMS_MAX},
    owners::{Kept, Owners},
};

/// What `/readyz` calls it.
const PART: &str = "rooms";

/// Keeps a process that starts from being ready until [`run`] has looked.
pub(crate) fn pending(health: &Health) {
    health.unready(PART, "those of before are being looked for");
}

/// Looks after saved rooms whenever `nodes` changes, and now and then. Runs until it is dropped.
pub(crate) async fn run(owners: Owners, mut nodes: watch::Receiver<()>) {
    let patience = clock::now() + RESTORE_PATIENCE;
    loop {
        let clarity = look(&owners).await;
        if clarity == Clarity::Clear || clock::now() >= patience {
            owners.health.ready(PART);
        }
        let interval = match clarity {
            Clarity::Clear => RESTORE_INTERVAL,
            Clarity::Doubt => RESTORE_DOUBT_INTERVAL,
        };
        if matches!(timeout(interval, nodes.changed()).await, Ok(Err(_))) {
            return;
        }
    }
}

/// Whether every saved room is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clarity {
    Clear,
    Doubt,
}

async fn look(owners: &Owners) -> Clarity {
    let saved = match owners.database.saved_rooms(RESTORED_ROOMS_MAX).await {
        Ok(saved) => saved,
        Err(error) => {
            warn!(%error, "saved rooms were not read");
            return Clarity::Doubt;
        }
    };
    let mut clarity = Clarity::Clear;
    for room in &saved {
        match owners.keep_alive(room).await {
            Ok(Kept::There) => {}
            Ok(Kept::Restored) => info!(room = room.room.as_str(), "room restored"),
            Ok(Kept::InDoubt) | Err(_) => clarity = Clarity::Doubt,
        }
    }
    clarity
}
