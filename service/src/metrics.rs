//! The registry that roles put their metrics into, and its text form.

pub use prometheus_client::registry::Registry;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, info::Info},
};

/// Makes the process's registry. Every name in it starts with `adda_`.
pub fn registry(version: &'static str) -> Registry {
    let mut registry = Registry::with_prefix("adda");
    registry.register("build", "What is running", Info::new([("version", version)]));
    registry
}

/// Calls to a store, by what came of them. Clones share the counters.
#[derive(Clone, Debug)]
pub struct Calls(Family<CallLabels, Counter>);

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    Ok,
    /// It may work later.
    Unavailable,
    /// It won't.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    outcome: CallOutcome,
}

impl Calls {
    /// Each outcome is there from the start, so that a rate is seen from its first failure on.
    #[expect(clippy::new_without_default, reason = "made on purpose, once a store")]
    pub fn new() -> Self {
        let calls = Family::default();
        for outcome in [CallOutcome::Ok, CallOutcome::Unavailable, CallOutcome::Failed] {
            drop(calls.get_or_create(&CallLabels { outcome }));
        }
        Self(calls)
    }

    /// Shows them as `adda_<name>_total`.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.0.clone());
    }

    /// Counts one.
    pub fn count(&self, outcome: CallOutcome) {
        self.0.get_or_create(&CallLabels { outcome }).inc();
    }
}

impl EncodeLabelValue for CallOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Ok => "ok",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}
