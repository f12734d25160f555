//! The names of this node's metrics.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};
use proto::control::{ConnectionFailure, MediaStage};
use service::metrics::Registry;

/// Counters and gauges, shared by reference: each is atomic.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) sockets: Gauge,
    join_duration: Family<JoinLabels, Histogram, fn() -> Histogram>,
    ice_failures: Family<FailureLabels, Counter>,
}

/// A part of joining, counted from the request's arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Until the token and the join request were judged.
    Validate,
    /// Until the join response was written.
    Signal,
    /// Until its media came so far, as its node tells: of its connections the first that does.
    /// The first packet depends on when a client chooses to speak; one that does so after its
    /// first minute isn't counted.
    Media(MediaStage),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JoinLabels {
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Reason(&'static str);

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let join_duration = Family::new_with_constructor(join_buckets as fn() -> Histogram);
        let metrics =
            Self { sockets: Gauge::default(), join_duration, ice_failures: Family::default() };
        registry.register("ws_connections", "Open signal sockets", metrics.sockets.clone());
        registry.register(
            "join_duration_seconds",
            "From a join request's arrival to the end of each stage",
            metrics.join_duration.clone(),
        );
        registry.register(
            "ice_failures",
            "Connections that failed, by likely cause",
            metrics.ice_failures.clone(),
        );
        metrics
    }

    pub(crate) fn join_reached(&self, stage: Stage, after: Duration) {
        self.join_duration.get_or_create(&JoinLabels { stage }).observe(after.as_secs_f64());
    }

    pub(crate) fn connection_failed(&self, cause: ConnectionFailure) {
        let reason = Reason(label_of(cause));
        self.ice_failures.get_or_create(&FailureLabels { reason }).inc();
    }
}

/// The label value of a cause, also its name in logs.
pub(crate) fn label_of(cause: ConnectionFailure) -> &'static str {
    match cause {
        ConnectionFailure::NoStunReceived => "no_stun_received",
        ConnectionFailure::StunUnauthenticated => "stun_unauthenticated",
        ConnectionFailure::DtlsTimeout => "dtls_timeout",
        ConnectionFailure::DtlsFingerprint => "dtls_fingerprint",
        ConnectionFailure::DtlsFailed => "dtls_failed",
        ConnectionFailure::ConsentExpired => "consent_expired",
    }
}

/// What becomes of voice notes.
#[derive(Clone, Debug)]
pub(crate) struct NoteMetrics {
    stages: Family<NoteStageLabels, Histogram, fn() -> Histogram>,
    outcomes: Family<NoteOutcomeLabels, Counter>,
}

/// A part of completing a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NoteStage {
    /// Getting it from the object store.
    Fetch,
    /// Reading it to its end.
    Read,
}

/// What came of looking at an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NoteOutcome {
    Ready,
    Missing,
    Mismatch,
    WrongType,
    TooLong,
    Unavailable,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoteStageLabels {
    stage: NoteStage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoteOutcomeLabels {
    outcome: NoteOutcome,
}

impl NoteMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let stages = Family::new_with_constructor(join_buckets as fn() -> Histogram);
        let metrics = Self { stages, outcomes: Family::default() };
        registry.register(
            "note_stage_seconds",
            "Time to look at an uploaded voice note, by part",
            metrics.stages.clone(),
        );
        registry.register(
            "notes",
            "Uploads that were looked at, by what came of it",
            metrics.outcomes.clone(),
        );
        metrics
    }

    pub(crate) fn took(&self, stage: NoteStage, time: Duration) {
        self.stages.get_or_create(&NoteStageLabels { stage }).observe(time.as_secs_f64());
    }

    pub(crate) fn came_to(&self, outcome: NoteOutcome) {
        self.outcomes.get_or_create(&NoteOutcomeLabels { outcome }).inc();
    }
}

impl EncodeLabelValue for NoteStage {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Fetch => "fetch",
            Self::Read => "read",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for NoteOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Ready => "ready",
            Self::Missing => "missing",
            Self::Mismatch => "mismatch",
            Self::WrongType => "wrong_type",
            Self::TooLong => "too_long",
            Self::Unavailable => "unavailable",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

fn join_buckets() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

impl EncodeLabelValue for Stage {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        let name = match self {
            Self::Validate => "validate",
            Self::Signal => "signal",
            Self::Media(MediaStage::Ice) => "ice",
            Self::Media(MediaStage::Dtls) => "dtls",
            Self::Media(MediaStage::FirstPacket) => "first_packet",
        };
        EncodeLabelValue::encode(&name, encoder)
    }
}

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> std::fmt::Result {
        EncodeLabelValue::encode(&self.0, encoder)
    }
}
