//! The names of Redis's metrics.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use service::metrics::Registry;

use crate::RegistryError;

/// Counters and gauges, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) up: Gauge,
    pub(crate) connections: Counter,
    pub(crate) hints_lost: Counter,
    calls: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outcome {
    Ok,
    /// It may work later.
    Unavailable,
    /// It won't.
    Failed,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let metrics = Self {
            up: Gauge::default(),
            connections: Counter::default(),
            hints_lost: Counter::default(),
            calls: Family::default(),
        };
        for outcome in [Outcome::Ok, Outcome::Unavailable, Outcome::Failed] {
            // So that a rate is seen from its first failure on.
            drop(metrics.calls.get_or_create(&Labels { outcome }));
        }
        metrics
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("redis_up", "Whether Redis answers and takes writes", self.up.clone());
        let connections = "Connections made to Redis";
        registry.register("redis_connections", connections, self.connections.clone());
        let hints_lost = "Hints that came faster than they were told apart";
        registry.register("redis_hints_lost", hints_lost, self.hints_lost.clone());
        let calls = "Calls to Redis, by what came of them";
        registry.register("redis_calls", calls, self.calls.clone());
    }

    pub(crate) fn count(&self, error: Option<&RegistryError>) {
        let outcome = match error {
            None => Outcome::Ok,
            Some(error) if error.is_unavailable() => Outcome::Unavailable,
            Some(_) => Outcome::Failed,
        };
        self.calls.get_or_create(&Labels { outcome }).inc();
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Ok => "ok",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}
