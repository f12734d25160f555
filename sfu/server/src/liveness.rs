//! Signs of life of the shards.

use service::health::Health;
use tokio::sync::watch;

use crate::stats::Snapshot;

/// Lets `health` notice a shard that has stopped going round its loop.
pub fn watch(health: &Health, snapshots: &[watch::Receiver<Snapshot>]) {
    for (index, snapshot) in snapshots.iter().enumerate() {
        let snapshot = snapshot.clone();
        health.watch(format!("shard {index}"), move || snapshot.borrow().at);
    }
}
