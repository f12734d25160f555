//! How long the server keeps a packet as one of its cores gets busier: seen by the listeners, and
//! by the server's own histogram.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    save,
    server::{self, Server, pause},
    workload::{Measured, Workload, round},
};
use crate::{report::Report, workspace::Workspace};

/// One large room, whose copies leave one after the other, and ten rooms on all threads; each from
/// light to more than half of a core, however fast that is. All of the machine would go to their
/// readers, were there more of them.
const SERIES: [[Workload; 4]; 2] = [
    [one_room(40), one_room(80), one_room(120), one_room(200)],
    [ten_rooms(20), ten_rooms(40), ten_rooms(60), ten_rooms(100)],
];
/// Of a core: a series has shown what it is to show.
const BUSY: f64 = 0.5;

const fn one_room(listeners: u32) -> Workload {
    Workload::new(1, 40, listeners).joining_at(25).sampling(20).by_threads(1)
}

const fn ten_rooms(listeners: u32) -> Workload {
    Workload::new(10, 8, listeners).joining_at(50).sampling(2).by_threads(1)
}

/// Tenths of a second after the last join: the load's windows begin after thirty.
const WARMING_UP: u32 = 20;

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let ours = server::ours(workspace)?;
    let mut rows = Vec::new();
    for series in SERIES {
        for workload in series {
            let (measured, inside) = watch(workspace, &ours, &workload)?;
            report.line(&format!("{workload}: {measured}"));
            report.line(&format!(
                "  inside: p50 ≤ {:.3} ms, p99 ≤ {:.3} ms",
                inside.p50_ms, inside.p99_ms
            ));
            rows.push(json!({
                "workload": workload.to_string(), "outside": measured.to_json(),
                "inside": { "p50_ms": inside.p50_ms, "p99_ms": inside.p99_ms },
            }));
            if measured.server_cpu > BUSY {
                break;
            }
        }
    }
    save(workspace, report, "delay.json", &Value::Array(rows))
}

/// Loads the server once, seen from both sides.
fn watch(
    workspace: &Workspace,
    ours: &Server,
    workload: &Workload,
) -> Result<(Measured, Quantiles)> {
    let running = ours.start()?;
    // What joining does to a packet's delay is another story.
    let (output, before) = std::thread::scope(|scope| {
        let driving = scope.spawn(|| workload.drive(workspace, ours, running.pid()));
        (0..workload.tenths_of_joining() + WARMING_UP).for_each(|_| pause());
        let before = buckets(ours);
        (driving.join().map_err(|_| anyhow::anyhow!("the driver's thread ended")), before)
    });
    let measured = Measured::read(&output??)?;
    Ok((measured, Quantiles::between(&before?, &buckets(ours)?)?))
}

/// Upper bounds in milliseconds, and how many packets stayed no longer.
type Buckets = Vec<(f64, f64)>;

/// `adda_forward_delay_seconds` over the server's life, all shards together.
fn buckets(server: &Server) -> Result<Buckets> {
    let mut sums = Buckets::new();
    for (labels, count) in server.metric("adda_forward_delay_seconds_bucket")? {
        let bound = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
        let bound = match bound.context("a bucket without a bound")? {
            "+Inf" => f64::INFINITY,
            seconds => seconds.parse::<f64>()? * 1e3,
        };
        match sums.iter_mut().find(|(known, _)| *known == bound) {
            Some((_, sum)) => *sum += count,
            None => sums.push((bound, count)),
        }
    }
    sums.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(sums)
}

/// Upper bounds of the buckets in which the quantiles lie.
struct Quantiles {
    p50_ms: f64,
    p99_ms: f64,
}

impl Quantiles {
    fn between(before: &Buckets, after: &Buckets) -> Result<Self> {
        let earlier = |bound: f64| before.iter().find(|(known, _)| *known == bound);
        let within: Buckets = after
            .iter()
            .map(|(bound, sum)| (*bound, sum - earlier(*bound).map_or(0.0, |(_, sum)| *sum)))
            .collect();
        let total = within.last().context("no forwarding delay was measured")?.1;
        let quantile = |share: f64| {
            let bucket = within.iter().find(|(_, sum)| *sum >= share * total);
            bucket.map_or(f64::INFINITY, |(bound, _)| round(*bound))
        };
        Ok(Self { p50_ms: quantile(0.5), p99_ms: quantile(0.99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_came_in_between() {
        let before = vec![(1.0, 0.0), (2.0, 0.0), (5.0, 500.0), (f64::INFINITY, 500.0)];
        let after = vec![(1.0, 60.0), (2.0, 100.0), (5.0, 600.0), (f64::INFINITY, 600.0)];
        let Quantiles { p50_ms, p99_ms } = Quantiles::between(&before, &after).unwrap();
        assert!((p50_ms - 1.0).abs() < 1e-9 && (p99_ms - 2.0).abs() < 1e-9, "{p50_ms} {p99_ms}");
    }
}
