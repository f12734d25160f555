//! The names of this crate's metrics.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};
use service::metrics::Registry;

use crate::error::{PutError, StoreError};

/// What was asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Put,
    Receive,
    Head,
    Get,
    Delete,
    List,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Ok,
    Missing,
    Taken,
    Mismatch,
    Unavailable,
    Full,
    Refused,
    Broken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: Operation,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    operation: Operation,
}

/// Counters, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram, fn() -> Histogram>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let durations = Family::new_with_constructor(buckets as fn() -> Histogram);
        Self { requests: Family::default(), durations }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "objects_requests",
            "Requests to the object store",
            self.requests.clone(),
        );
        registry.register(
            "objects_request_duration_seconds",
            "From a request to the object store to its answer, bodies of downloads apart",
            self.durations.clone(),
        );
    }

    pub(crate) fn count(&self, operation: Operation, outcome: Outcome, took: Duration) {
        self.requests.get_or_create(&RequestLabels { operation, outcome }).inc();
        let durations = self.durations.get_or_create(&DurationLabels { operation });
        durations.observe(took.as_secs_f64());
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0])
}

impl From<&StoreError> for Outcome {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Full => Self::Full,
            StoreError::Refused(_) => Self::Refused,
        }
    }
}

impl From<&PutError> for Outcome {
    fn from(error: &PutError) -> Self {
        match error {
            PutError::Store(error) => error.into(),
            PutError::Taken => Self::Taken,
            PutError::Mismatch => Self::Mismatch,
            PutError::Source(_) => Self::Broken,
        }
    }
}

impl EncodeLabelValue for Operation {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Put => "put",
            Self::Receive => "receive",
            Self::Head => "head",
            Self::Get => "get",
            Self::Delete => "delete",
            Self::List => "list",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Taken => "taken",
            Self::Mismatch => "mismatch",
            Self::Unavailable => "unavailable",
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Broken => "broken",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}
