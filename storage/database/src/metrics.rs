//! The names of this store's metrics.

use prometheus_client::metrics::gauge::Gauge;
use service::metrics::{CallOutcome, Calls, Registry};

use crate::DatabaseError;

/// Counters and gauges, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    up: Gauge,
    calls: Calls,
}

impl Metrics {
    /// The store was opened just now, so it is up.
    pub(crate) fn new() -> Self {
        let metrics = Self { up: Gauge::default(), calls: Calls::new() };
        metrics.up.set(1);
        metrics
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let up = "Whether the last call reached the database";
        registry.register("database_up", up, self.up.clone());
        let calls = "Calls to the database, by what came of them";
        self.calls.register(registry, "database_calls", calls);
    }

    pub(crate) fn count(&self, error: Option<&DatabaseError>) {
        let outcome = match error {
            None => CallOutcome::Ok,
            Some(error) if error.is_unavailable() => CallOutcome::Unavailable,
            Some(_) => CallOutcome::Failed,
        };
        self.up.set(i64::from(outcome != CallOutcome::Unavailable));
        self.calls.count(outcome);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.get() == 1
    }
}
