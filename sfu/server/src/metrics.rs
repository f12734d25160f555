//! Names and units of what the SFU counts; the only file here that knows them.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use tokio::sync::watch;

use crate::{
    router::Control,
    stats::{DELAY_BOUNDS_MICROS, DelayHistogram, RouterStats, Snapshot},
};

/// Publishes the shards' snapshots. `registry` puts `adda_` before every name.
pub fn register(registry: &mut Registry, snapshots: Vec<watch::Receiver<Snapshot>>) {
    registry.register_collector(Box::new(Sfu { snapshots: snapshots.into() }));
}

/// Publishes how many signaling nodes are connected. Doesn't keep the node alive.
pub fn register_control(registry: &mut Registry, control: &Control) {
    registry.register_collector(Box::new(Signaling { stats: control.stats() }));
}

#[derive(Debug)]
struct Signaling {
    stats: watch::Receiver<RouterStats>,
}

impl Collector for Signaling {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let RouterStats { connections, cut_off } = *self.stats.borrow();
        gauge(
            &mut encoder,
            "signaling_connections",
            "Signaling nodes connected to this SFU node",
            connections,
        )?;
        counter(
            &mut encoder,
            "signaling_connections_cut",
            "Connections of signaling nodes that were ended because they fell too far behind",
            cut_off,
        )
    }
}

#[derive(Debug)]
struct Sfu {
    snapshots: Arc<[watch::Receiver<Snapshot>]>,
}

/// One value of a family, under one label.
type Labelled = (&'static str, &'static str, u64);

impl Collector for Sfu {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let shards: Vec<Snapshot> = self.snapshots.iter().map(|it| *it.borrow()).collect();
        let sum = |of: fn(&Snapshot) -> u64| shards.iter().map(of).sum::<u64>();

        gauge(&mut encoder, "rooms", "Rooms alive", sum(|it| it.core.rooms))?;
        gauge(&mut encoder, "participants", "Participants", sum(|it| it.core.participants))?;
        gauges(
            &mut encoder,
            "tracks",
            "Tracks published to us (in) and heard from us (out)",
            &[
                ("direction", "in", sum(|it| it.core.tracks)),
                ("direction", "out", sum(|it| it.core.subscriptions)),
            ],
        )?;
        counters(
            &mut encoder,
            "rtp_packets",
            "RTP packets believed (in) and copied to listeners (out)",
            &[
                ("direction", "in", sum(|it| it.core.packets_received)),
                ("direction", "out", sum(|it| it.core.packets_forwarded)),
            ],
        )?;
        counters(
            &mut encoder,
            "rtp_bytes",
            "Bytes of those packets, encrypted as they came (in) and left (out)",
            &[
                ("direction", "in", sum(|it| it.io.rtp_bytes_in)),
                ("direction", "out", sum(|it| it.io.rtp_bytes_out)),
            ],
        )?;
        counters(
            &mut encoder,
            "media_bytes",
            "UDP payload bytes at the media ports",
            &[
                ("direction", "in", sum(|it| it.io.bytes_in)),
                ("direction", "out", sum(|it| it.io.bytes_out)),
            ],
        )?;
        counters(
            &mut encoder,
            "media_datagrams",
            "UDP datagrams at the media ports",
            &[
                ("direction", "in", sum(|it| it.io.datagrams_in)),
                ("direction", "out", sum(|it| it.io.datagrams_out)),
            ],
        )?;
        links(&mut encoder, &sum)?;
        dropped(&mut encoder, &sum)?;
        stun(&mut encoder, &sum)?;
        refused(&mut encoder, &sum)?;
        delays(&mut encoder, &shards)
    }
}

fn links(
    encoder: &mut DescriptorEncoder<'_>,
    sum: &dyn Fn(fn(&Snapshot) -> u64) -> u64,
) -> fmt::Result {
    gauge(
        encoder,
        "links",
        "Links by which rooms are heard from outside: recorders, other nodes",
        sum(|it| it.core.links),
    )?;
    counter(encoder, "link_packets", "Packets handed to links", sum(|it| it.io.link_packets))?;
    counter(
        encoder,
        "link_overruns",
        "Links that ended because their listener was too slow",
        sum(|it| it.io.link_overruns),
    )
}

fn dropped(
    encoder: &mut DescriptorEncoder<'_>,
    sum: &dyn Fn(fn(&Snapshot) -> u64) -> u64,
) -> fmt::Result {
    counters(
        encoder,
        "rtp_dropped",
        "Datagrams at the media ports that went no further",
        &[
            ("reason", "protocol_unknown", sum(|it| it.io.dropped_unknown)),
            ("reason", "address_unverified", sum(|it| it.io.dropped_unverified)),
            ("reason", "stun_unknown", sum(|it| it.io.stun.malformed + it.io.stun.username)),
            ("reason", "srtp", sum(|it| it.io.dropped_srtp)),
            ("reason", "malformed", sum(|it| it.io.dropped_malformed + it.core.packets_malformed)),
            ("reason", "unsignalled", sum(|it| it.core.packets_unsignalled)),
            ("reason", "payload_type", sum(|it| it.core.packets_payload_type)),
            ("reason", "muted", sum(|it| it.core.packets_muted)),
            ("reason", "send_failed", sum(|it| it.io.dropped_send)),
        ],
    )
}

fn stun(
    encoder: &mut DescriptorEncoder<'_>,
    sum: &dyn Fn(fn(&Snapshot) -> u64) -> u64,
) -> fmt::Result {
    counters(
        encoder,
        "ice_refused",
        "STUN messages that were neither answered nor believed",
        &[
            ("reason", "malformed", sum(|it| it.io.stun.malformed)),
            ("reason", "username", sum(|it| it.io.stun.username)),
            ("reason", "integrity", sum(|it| it.io.stun.integrity)),
            ("reason", "unsupported", sum(|it| it.io.stun.unsupported)),
        ],
    )
}

fn refused(
    encoder: &mut DescriptorEncoder<'_>,
    sum: &dyn Fn(fn(&Snapshot) -> u64) -> u64,
) -> fmt::Result {
    counters(
        encoder,
        "sfu_refused",
        "What clients asked for and didn't get",
        &[
            ("what", "signal", sum(|it| it.core.signals_refused)),
            ("what", "join", sum(|it| it.core.joins_refused)),
            ("what", "data", sum(|it| it.core.data_refused)),
            ("what", "rtcp", sum(|it| it.core.rtcp_refused)),
        ],
    )?;
    counter(
        encoder,
        "data_packets_forwarded",
        "Data messages handed to receivers",
        sum(|it| it.core.data_forwarded),
    )?;
    counter(
        encoder,
        "shard_laps_exhausted",
        "Laps of the packet loop that used up their budget: the shard is falling behind",
        sum(|it| it.io.laps_exhausted),
    )?;
    counter(
        encoder,
        "sfu_events_lost",
        "Events that signaling never got because it fell behind",
        sum(|it| it.io.events_lost),
    )?;
    counter(
        encoder,
        "invariants_broken",
        "Bugs of ours that were noticed and survived",
        sum(|it| it.io.invariants_broken + it.core.invariants_broken),
    )
}

fn delays(encoder: &mut DescriptorEncoder<'_>, shards: &[Snapshot]) -> fmt::Result {
    let mut all = DelayHistogram::default();
    for DelayHistogram { buckets, sum_nanos } in shards.iter().map(|it| it.delay) {
        all.sum_nanos = all.sum_nanos.saturating_add(sum_nanos);
        for (total, count) in all.buckets.iter_mut().zip(buckets) {
            *total += count;
        }
    }
    let bounds = DELAY_BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6);
    let buckets: Vec<(f64, u64)> = bounds.chain([f64::MAX]).zip(all.buckets).collect();
    let mut family = encoder.encode_descriptor(
        "forward_delay_seconds",
        "Time a forwarded packet spent here, from the kernel's receipt to its hand-over",
        None,
        MetricType::Histogram,
    )?;
    let count = all.buckets.iter().sum();
    family.encode_histogram::<NoLabelSet>(all.sum_nanos as f64 / 1e9, count, &buckets, None)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    value: u64,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    value: u64,
) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    values: &[Labelled],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (label, value, number) in values {
        ConstGauge::new(*number).encode(family.encode_family(&[(*label, *value)])?)?;
    }
    Ok(())
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &str,
    values: &[Labelled],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (label, value, number) in values {
        ConstCounter::new(*number).encode(family.encode_family(&[(*label, *value)])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, stats::IoStats};

    #[test]
    fn shards_are_summed_under_the_names_that_operators_know() {
        let mut delay = DelayHistogram::default();
        delay.record(std::time::Duration::from_micros(60), 4);
        let core = sfu_core::Stats { rooms: 2, packets_forwarded: 40, ..Default::default() };
        let io = IoStats { rtp_bytes_in: 70, rtp_bytes_out: 3_500, ..Default::default() };
        let snapshot = Snapshot { at: Clock.now(), core, io, delay };
        let receivers = [(); 2].map(|()| watch::channel(snapshot).1);

        let mut registry = Registry::with_prefix("adda");
        register(&mut registry, receivers.into());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();

        for line in [
            "adda_rooms 4",
            "adda_rtp_packets_total{direction=\"out\"} 80",
            "adda_rtp_bytes_total{direction=\"in\"} 140",
            "adda_rtp_bytes_total{direction=\"out\"} 7000",
            "adda_forward_delay_seconds_bucket{le=\"0.00005\"} 0",
            "adda_forward_delay_seconds_bucket{le=\"0.0001\"} 8",
            "adda_forward_delay_seconds_count 8",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }
}
