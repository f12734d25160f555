//! The names of this store's metrics.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};
use service::metrics::Registry;

use crate::DatabaseError;

/// Counters and gauges, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    up: Gauge,
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
    /// The store was opened just now, so it is up.
    pub(crate) fn new() -> Self {
        let metrics = Self { up: Gauge::default(), calls: Family::default() };
        metrics.up.set(1);
        for outcome in [Outcome::Ok, Outcome::Unavailable, Outcome::Failed] {
            // So that a rate is seen from its first failure on.
            drop(metrics.calls.get_or_create(&Labels { outcome }));
        }
        metrics
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let up = "Whether the last call reached the database";
        registry.register("database_up", up, self.up.clone());
        let calls = "Calls to the database, by what came of them";
        registry.register("database_calls", calls, self.calls.clone());
    }

    pub(crate) fn count(&self, error: Option<&DatabaseError>) {
        let outcome = match error {
            None => Outcome::Ok,
            Some(error) if error.is_unavailable() => Outcome::Unavailable,
            Some(_) => Outcome::Failed,
        };
        self.up.set(i64::from(outcome != Outcome::Unavailable));
        self.calls.get_or_create(&Labels { outcome }).inc();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.get() == 1
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
