//! Tells the registry that this process lives, what it does, how busy it is and what is wrong.

use std::time::Duration;

use proto::pool::{NodeRecord, NodeState};
use service::{
    clock,
    health::{Health, Reason},
};
use sfu_server::Snapshot;
use storage_registry::Registry;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tracing::debug;

/// Between two heartbeats.
const INTERVAL: Duration = Duration::from_millis(500);

/// What `/readyz` calls the registry.
const REGISTRY: &str = "registry";

/// What an operator is told while heartbeats are not heard.
const WITHOUT_REGISTRY: &str = "calls and joins go on with the nodes that are known, and nodes that come or go are noticed late";

/// How long a heartbeat lives: three may be lost.
const LIFE: Duration = Duration::from_secs(2);

/// Announces `record` again and again, with what has changed about it. Runs until it is dropped.
pub(crate) async fn run(
    registry: Registry,
    mut record: NodeRecord,
    health: Health,
    shards: Vec<watch::Receiver<Snapshot>>,
) {
    let mut load = Load::new();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let stuck = health.stuck();
        // Whether signaling in this process finds a media node is not for the media node to say.
        let is_ready = match shards.is_empty() {
            true => health.is_ready(),
            false => stuck.is_empty(),
        };
        // Whoever reads it has it from the registry.
        let reasons = health.reasons().into_iter().filter(|reason| reason.part != REGISTRY);
        let reasons: Vec<Reason> = reasons.collect();
        record.unready_roles = health.unready_roles();
        record.reasons = [stuck, reasons.iter().map(Reason::to_string).collect()].concat();
        record.state = if is_ready { NodeState::Ready } else { NodeState::Unready };
        record.rooms = shards.iter().map(|shard| shard.borrow().core.rooms).sum();
        record.participants = shards.iter().map(|shard| shard.borrow().core.participants).sum();
        record.load = load.measure();
        match registry.announce(&record, LIFE).await {
            Ok(()) => health.ready(REGISTRY),
            Err(error) => {
                debug!(%error, "heartbeat was not heard");
                health.degraded(REGISTRY, format!("{error}; {WITHOUT_REGISTRY}"));
            }
        }
    }
}

/// How much of the machine's processors this process uses.
struct Load {
    cores: f64,
    measured: std::time::Instant,
    used: Duration,
    last: f64,
}

/// The weight of the newest measurement in the smoothed load.
const NEWEST: f64 = 0.3;

impl Load {
    fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = f64::from(u32::try_from(cores).unwrap_or(u32::MAX));
        Self { cores, measured: clock::now(), used: processor_time(), last: 0.0 }
    }

    fn measure(&mut self) -> f64 {
        let (now, used) = (clock::now(), processor_time());
        let passed = now.saturating_duration_since(self.measured).as_secs_f64();
        if passed > 0.0 {
            let share = used.saturating_sub(self.used).as_secs_f64() / passed / self.cores;
            self.last += NEWEST * (share.min(1.0) - self.last);
        }
        (self.measured, self.used) = (now, used);
        self.last
    }
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proto::pool::{BootId, Owner, Role};

    use super::*;

    const ROLES: [Role; 3] = [Role::Signaling, Role::Sfu, Role::Recorder];

    fn record() -> NodeRecord {
        let owner = Owner { node: "all-in-one".parse().unwrap(), boot: BootId::from_random(1) };
        NodeRecord::starting(owner, ROLES.to_vec())
    }

    /// What the pool hears of a process, once.
    async fn heard(health: &Health) -> NodeRecord {
        let registry = Registry::in_process();
        let announcing = run(registry.clone(), record(), health.clone(), Vec::new());
        let heard = async {
            loop {
                if let [node] = registry.nodes().await.unwrap().as_slice() {
                    return node.clone();
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = announcing => unreachable!("it runs until it is dropped"),
            node = heard => node,
        }
    }

    #[tokio::test]
    async fn the_registry_is_told_everything_but_what_is_wrong_with_itself() {
        let health = Health::new(ROLES.to_vec());
        health.started();
        health.degraded(REGISTRY, "can't be reached");
        health.degraded("registry of notes", "is slow");
        assert_eq!(heard(&health).await.reasons, ["registry of notes: is slow"]);
    }

    #[tokio::test]
    async fn a_full_spool_takes_no_recording_and_keeps_no_room_away() {
        let health = Health::new(ROLES.to_vec());
        health.started();
        health.unready_for(Role::Recorder, "spool", "it is full");
        let node = heard(&health).await;
        assert_eq!(node.reasons, ["spool: it is full"]);
        assert!(node.takes(Role::Sfu) && node.takes(Role::Signaling));
        assert!(!node.takes(Role::Recorder));

        health.ready("spool");
        assert!(heard(&health).await.takes(Role::Recorder));
    }
}
