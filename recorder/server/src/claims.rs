//! Takes jobs that nobody live works on, and tells the pool that this recorder lives.

use std::{collections::BTreeMap, future::pending, sync::Arc, time::Instant};

use proto::{ids::Epoch, pool::NodeState};
use service::clock::now;
use storage_database::RecordingId;
use storage_registry::Hint;
use tokio::{
    sync::mpsc,
    task::{self, JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{Instrument as _, error, info, info_span};

use crate::{
    Shared,
    limits::{ANNOUNCE_INTERVAL, ANNOUNCE_TTL, CLAIM_INTERVAL, RECORDINGS_MAX, SWEEP_INTERVAL},
    panics::{Next, Panics},
    room,
    rows::{self, Job},
    session, sweep,
};

/// The topic on which whoever asks for a recording says "look".
const TOPIC: &str = "recordings";

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Records, under this epoch.
    Session(Epoch),
    Leftovers,
}

/// One recording in one task's hands.
#[derive(Clone, Copy, Debug)]
struct Task {
    id: RecordingId,
    work: Work,
    begun: Instant,
}

/// What a recorder has in hand: each folder of the spool is one task's.
struct Hands {
    shared: Arc<Shared>,
    running: JoinSet<()>,
    /// By the task's own id, which is all that is known of one that panicked.
    tasks: BTreeMap<task::Id, Task>,
    /// Claimed while its folder was in other hands.
    waiting: BTreeMap<RecordingId, Job>,
    panics: Panics,
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
        if hands.tasks.len() < RECORDINGS_MAX
            && let Some(job) = rows::claim(&shared).await
        {
            info!(recording = %job.id, epoch = %job.epoch, "a recording was taken up");
            hands.record(job);
            continue;
        }
        tokio::select! {
            () = shared.shutdown.requested() => break,
            Some(ended) = hands.running.join_next_with_id() => {
                if hands.ended(ended).await {
                    // It may have left something for the sweep.
                    sweep.reset_immediately();
                }
            }
            _ = sweep.tick() => hands.sweep().await,
            _hinted_or_due = timeout(CLAIM_INTERVAL, hinted(&mut hints)) => {}
        }
    }
    while hands.running.join_next().await.is_some() {}
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
        Self {
            shared: Arc::new(shared),
            running: JoinSet::new(),
            tasks: BTreeMap::new(),
            waiting: BTreeMap::new(),
            panics: Panics::default(),
        }
    }

    /// Works on a recording, at once or when its folder is free.
    fn record(&mut self, job: Job) {
        let (id, epoch) = (job.id, job.epoch);
        if self.is_busy(id) {
            self.waiting.insert(id, job);
            return;
        }
        let session = session::run(Arc::clone(&self.shared), job);
        self.spawn(id, Work::Session(epoch), session.instrument(info_span!("recording", id = %id)));
    }

    /// Looks at every folder that nobody works on.
    async fn sweep(&mut self) {
        for (id, folder) in sweep::folders(&self.shared).await {
            if !self.is_busy(id) && !self.panics.is_given_up(id) {
                let shared = Arc::clone(&self.shared);
                let bringing = async move { sweep::bring(&shared, id, folder).await };
                self.spawn(id, Work::Leftovers, bringing);
            }
        }
    }

    fn spawn(
        &mut self,
        id: RecordingId,
        work: Work,
        future: impl Future<Output = ()> + Send + 'static,
    ) {
        let running = self.running.spawn(future);
        self.tasks.insert(running.id(), Task { id, work, begun: now() });
    }

    fn is_busy(&self, id: RecordingId) -> bool {
        self.tasks.values().any(|task| task.id == id)
    }

    /// Frees what a task had in hand, however it ended. Says whether it was a recording.
    async fn ended(&mut self, ended: Result<(task::Id, ()), JoinError>) -> bool {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let Some(task) = self.tasks.remove(&id) else { return false };
        match ended {
            Ok(_) if task.work == Work::Leftovers => {}
            Ok(_) => self.panics.forget(task.id),
            Err(error) => {
                error!(recording = %task.id, %error, "a recording's task panicked");
                self.take_back(task).await;
            }
        }
        if let Some(job) = self.waiting.remove(&task.id) {
            self.record(job);
        }
        task.work != Work::Leftovers
    }

    /// Has somebody begin anew, or nobody any more.
    async fn take_back(&mut self, task: Task) {
        let lived = now().saturating_duration_since(task.begun);
        let next = self.panics.note(task.id, lived);
        match (next, task.work) {
            (Next::AtOnce, Work::Session(epoch)) => {
                rows::release(&self.shared, task.id, epoch).await;
            }
            (Next::GiveUp, Work::Session(epoch)) => {
                if rows::give_up(&self.shared, task.id, epoch).await {
                    // What it left in the spool has tries of its own.
                    self.panics.forget(task.id);
                }
            }
            (Next::GiveUp, Work::Leftovers) => {
                error!(recording = %task.id, "its folder stays in the spool until the next start");
            }
            // The lease runs out, or the next sweep comes.
            (Next::Later, _) | (Next::AtOnce, Work::Leftovers) => {}
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
