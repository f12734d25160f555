//! Takes jobs that nobody live works on, and tells the pool that this recorder lives.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::Arc,
};

use proto::pool::NodeState;
use storage_database::RecordingId;
use storage_registry::Hint;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{Instrument as _, info, info_span, warn};

use crate::{
    Shared,
    limits::{ANNOUNCE_INTERVAL, ANNOUNCE_TTL, CLAIM_INTERVAL, RECORDINGS_MAX, SWEEP_INTERVAL},
    room,
    rows::{self, Job},
    session, sweep,
};

/// The topic on which whoever asks for a recording says "look".
const TOPIC: &str = "recordings";

/// What a task did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Session,
    Leftovers,
}

/// What a recorder has in hand, by recording: each folder of the spool is one task's.
struct Hands {
    shared: Arc<Shared>,
    tasks: JoinSet<(RecordingId, Work)>,
    busy: BTreeSet<RecordingId>,
    /// Claimed while its folder was in other hands.
    waiting: BTreeMap<RecordingId, Job>,
}

/// Runs until shutdown; returns when every recording is on the disk.
pub(crate) async fn run(shared: Shared) {
    let announcing = tokio::spawn(announce(shared.clone()));
    let tidying = tokio::spawn(sweep::tidy(shared.clone()));
    let watching = tokio::spawn(room::watch(shared.clone()));
    let mut hints = shared.parts.registry.hints(TOPIC);
    let mut hands = Hands::new(shared.clone());
    let mut sweep = interval(SWEEP_INTERVAL);
    while !shared.shutdown.is_requested() {
        if hands.busy.len() < RECORDINGS_MAX
            && let Some(job) = rows::claim(&shared).await
        {
            info!(recording = %job.id, epoch = %job.epoch, "a recording was taken up");
            hands.record(job);
            continue;
        }
        tokio::select! {
            () = shared.shutdown.requested() => break,
            Some(ended) = hands.tasks.join_next() => match ended {
                Ok((id, work)) => {
                    hands.free(id);
                    if work == Work::Session {
                        // It may have left something for the sweep.
                        sweep.reset_immediately();
                    }
                }
                Err(error) => warn!(%error, "a recording's task ended"),
            },
            _ = sweep.tick() => hands.sweep().await,
            _hinted_or_due = timeout(CLAIM_INTERVAL, hinted(&mut hints)) => {}
        }
    }
    while hands.tasks.join_next().await.is_some() {}
    announcing.abort();
    tidying.abort();
    watching.abort();
    if shared.config.announce.is_some() {
        // It expires anyhow.
        let _ = shared.parts.registry.withdraw(&shared.owner).await;
    }
}

impl Hands {
    fn new(shared: Shared) -> Self {
        let (tasks, busy, waiting) = (JoinSet::new(), BTreeSet::new(), BTreeMap::new());
        Self { shared: Arc::new(shared), tasks, busy, waiting }
    }

    /// Works on a recording, at once or when its folder is free.
    fn record(&mut self, job: Job) {
        let id = job.id;
        if !self.busy.insert(id) {
            self.waiting.insert(id, job);
            return;
        }
        let session = session::run(Arc::clone(&self.shared), job);
        let span = info_span!("recording", id = %id);
        self.tasks.spawn(async move {
            session.instrument(span).await;
            (id, Work::Session)
        });
    }

    /// Looks at every folder that nobody works on.
    async fn sweep(&mut self) {
        for (id, folder) in sweep::folders(&self.shared).await {
            if self.busy.insert(id) {
                let shared = Arc::clone(&self.shared);
                self.tasks.spawn(async move {
                    sweep::bring(&shared, id, folder).await;
                    (id, Work::Leftovers)
                });
            }
        }
    }

    fn free(&mut self, id: RecordingId) {
        self.busy.remove(&id);
        if let Some(job) = self.waiting.remove(&id) {
            self.record(job);
        }
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
        node.load = shared.usage.fill();
        let is_full = shared.usage.is_full();
        node.state = if is_full { NodeState::Unready } else { NodeState::Ready };
        // A registry that is gone has its own metric.
        let _ = shared.parts.registry.announce(&node, ANNOUNCE_TTL).await;
    }
}
