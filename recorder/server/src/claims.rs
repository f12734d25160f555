//! Takes jobs that nobody live works on, and tells the pool that this recorder lives.

use std::{collections::BTreeSet, future::pending, sync::Arc};

use proto::pool::NodeState;
use storage_registry::Hint;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{Instrument as _, info, info_span, warn};

use crate::{
    Shared,
    limits::{ANNOUNCE_INTERVAL, ANNOUNCE_TTL, CLAIM_INTERVAL, RECORDINGS_MAX},
    rows, session, sweep,
};

/// The topic on which whoever asks for a recording says "look".
const TOPIC: &str = "recordings";

/// Runs until shutdown; returns when every recording is on the disk.
pub(crate) async fn run(shared: Shared) {
    let announcing = tokio::spawn(announce(shared.clone()));
    let sweeping = tokio::spawn(sweep::run(shared.clone()));
    let mut hints = shared.parts.registry.hints(TOPIC);
    let mut sessions = JoinSet::new();
    let mut running = BTreeSet::new();
    while !shared.shutdown.is_requested() {
        if running.len() < RECORDINGS_MAX
            && let Some(job) = rows::claim(&shared).await
        {
            let id = job.id;
            if running.insert(id) {
                info!(recording = %id, epoch = %job.epoch, "a recording was taken up");
                let span = info_span!("recording", id = %id);
                let session = session::run(Arc::new(shared.clone()), job);
                sessions.spawn(async move {
                    session.instrument(span).await;
                    id
                });
            }
            continue;
        }
        tokio::select! {
            () = shared.shutdown.requested() => break,
            Some(ended) = sessions.join_next() => match ended {
                Ok(id) => drop(running.remove(&id)),
                Err(error) => warn!(%error, "a recording's task ended"),
            },
            _hinted_or_due = timeout(CLAIM_INTERVAL, hinted(&mut hints)) => {}
        }
    }
    while sessions.join_next().await.is_some() {}
    announcing.abort();
    sweeping.abort();
    if shared.config.announce.is_some() {
        // It expires anyhow.
        let _ = shared.parts.registry.withdraw(&shared.owner).await;
    }
}

/// Resolves when somebody says "look"; never once nobody can.
async fn hinted(hints: &mut mpsc::Receiver<Hint>) {
    if hints.recv().await.is_none() {
        pending().await
    }
}

async fn announce(shared: Shared) {
    let Some(mut node) = shared.config.announce.clone() else { return };
    let mut beat = interval(ANNOUNCE_INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let fill = shared.usage.fill();
        node.load = fill;
        node.state = if fill < 1.0 { NodeState::Ready } else { NodeState::Unready };
        // A registry that is gone has its own metric.
        let _ = shared.parts.registry.announce(&node, ANNOUNCE_TTL).await;
    }
}
