//! Names and units of what the recorder counts; the only file here that knows them.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};
use recorder_core::{GapReason, Stats};

use crate::spool::Usage;

/// What became of a track's upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Stored,
    Retried,
    Lost,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Retried => "retried",
            Self::Lost => "lost",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// What a recorder has done since it started. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) recordings: Gauge,
    packets: Family<OutcomeLabels, Counter>,
    gaps: Family<ReasonLabels, Counter<f64, AtomicU64>>,
    uploads: Family<OutcomeLabels, Counter>,
    upload_age: Histogram,
    pub(crate) links_lost: Counter,
    usage: Usage,
}

/// The spool's size, read when somebody asks.
#[derive(Debug)]
struct SpoolBytes(Usage);

impl Collector for SpoolBytes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let bytes = ConstGauge::new(i64::try_from(self.0.used()).unwrap_or(i64::MAX));
        let encoder = encoder.encode_descriptor(
            "recorder_spool_bytes",
            "Bytes recorded and not stored yet",
            None,
            MetricType::Gauge,
        )?;
        bytes.encode(encoder)
    }
}

impl Metrics {
    pub(crate) fn new(usage: Usage) -> Self {
        let metrics = Self {
            recordings: Gauge::default(),
            packets: Family::default(),
            gaps: Family::default(),
            uploads: Family::default(),
            // From half a second, which is good, to half a day, which is somebody's outage.
            upload_age: Histogram::new(exponential_buckets(0.5, 4.0, 9)),
            links_lost: Counter::default(),
            usage,
        };
        metrics.count_packets(Stats::default());
        for reason in GapReason::ALL {
            metrics.count_gap(reason, 0);
        }
        for outcome in [Outcome::Stored, Outcome::Retried, Outcome::Lost] {
            metrics.uploads.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc_by(0);
        }
        metrics
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("recordings", "Recordings in progress", self.recordings.clone());
        registry.register("recorder_packets", "What became of voice packets", self.packets.clone());
        registry.register_with_unit(
            "recorder_gap",
            "Time without sound in what was recorded",
            Unit::Seconds,
            self.gaps.clone(),
        );
        registry.register("recorder_uploads", "Tries to store a track", self.uploads.clone());
        registry.register_with_unit(
            "recorder_upload_age",
            "Time from a track's end until it was stored",
            Unit::Seconds,
            self.upload_age.clone(),
        );
        registry.register(
            "recorder_links_lost",
            "Links to a room's owner that were cut",
            self.links_lost.clone(),
        );
        registry.register_collector(Box::new(SpoolBytes(self.usage.clone())));
    }

    /// Adds what became of packets since the last call.
    pub(crate) fn count_packets(&self, more: Stats) {
        let outcomes = [
            ("written", more.written),
            ("recovered", more.recovered),
            ("late", more.late),
            ("malformed", more.malformed),
            ("ahead", more.ahead),
        ];
        for (outcome, count) in outcomes {
            self.packets.get_or_create(&OutcomeLabels { outcome }).inc_by(count);
        }
    }

    pub(crate) fn count_gap(&self, reason: GapReason, samples: u64) {
        let span = Duration::from_micros(samples.saturating_mul(1_000) / 48);
        self.gaps
            .get_or_create(&ReasonLabels { reason: reason.as_str() })
            .inc_by(span.as_secs_f64());
    }

    pub(crate) fn count_upload(&self, outcome: Outcome) {
        self.uploads.get_or_create(&OutcomeLabels { outcome: outcome.as_str() }).inc();
    }

    pub(crate) fn observe_upload_age(&self, age: Duration) {
        self.upload_age.observe(age.as_secs_f64());
    }
}
