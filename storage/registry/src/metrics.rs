//! The names of Redis's metrics.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use service::metrics::{CallOutcome, Calls, Registry};

use crate::RegistryError;

/// Counters and gauges, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) up: Gauge,
    pub(crate) connections: Counter,
    pub(crate) hints_lost: Counter,
    calls: Calls,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            up: Gauge::default(),
            connections: Counter::default(),
            hints_lost: Counter::default(),
            calls: Calls::new(),
        }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("redis_up", "Whether Redis answers and takes writes", self.up.clone());
        let connections = "Connections made to Redis";
        registry.register("redis_connections", connections, self.connections.clone());
        let hints_lost = "Hints that came faster than they were told apart";
        registry.register("redis_hints_lost", hints_lost, self.hints_lost.clone());
        let calls = "Calls to Redis, by what came of them";
        self.calls.register(registry, "redis_calls", calls);
    }

    pub(crate) fn count(&self, error: Option<&RegistryError>) {
        self.calls.count(match error {
            None => CallOutcome::Ok,
            Some(error) if error.is_unavailable() => CallOutcome::Unavailable,
            Some(_) => CallOutcome::Failed,
        });
    }
}
