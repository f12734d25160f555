//! How long the server keeps a packet as one of its cores gets busier: seen by the listeners, and
//! by the server's own histogram.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    save,
    server::{self, Server},
    workload::{Measured, Workload, round},
};
use crate::{report::Report, workspace::Workspace};

/// One room is one thread, so these load one core, up to half of it and beyond. All of the
/// machine would go to their readers, were there more of them.
const WORKLOADS: [Workload; 4] = [of(40), of(150), of(300), of(450)];
const READERS: u32 = 20;

const fn of(listeners: u32) -> Workload {
    Workload::new(1, 40, listeners).joining_at(25).sampling(READERS)
}

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let ours = server::ours(workspace)?;
    let mut rows = Vec::new();
    for workload in WORKLOADS {
        let running = ours.start()?;
        let output = workload.drive(workspace, &ours, running.pid())?;
        let measured = Measured::read(&output)?;
        let inside = Quantiles::read(&ours)?;
        report.line(&format!("{workload}: {measured}"));
        report.line(&format!(
            "  inside: p50 ≤ {:.3} ms, p99 ≤ {:.3} ms",
            inside.p50_ms, inside.p99_ms
        ));
        rows.push(json!({
            "workload": workload.to_string(), "outside": measured.to_json(),
            "inside": { "p50_ms": inside.p50_ms, "p99_ms": inside.p99_ms },
        }));
    }
    save(workspace, report, "delay.json", &Value::Array(rows))
}

/// Upper bounds of the buckets in which the quantiles of `adda_forward_delay_seconds` lie, over
/// the server's life: joining included.
struct Quantiles {
    p50_ms: f64,
    p99_ms: f64,
}

impl Quantiles {
    fn read(server: &Server) -> Result<Self> {
        let buckets = server.metric("adda_forward_delay_seconds_bucket")?;
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for (labels, count) in &buckets {
            let bound = labels.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
            let bound = match bound.context("a bucket without a bound")? {
                "+Inf" => f64::INFINITY,
                seconds => seconds.parse::<f64>()? * 1e3,
            };
            match sums.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, sum)) => *sum += count,
                None => sums.push((bound, *count)),
            }
        }
        sums.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = sums.last().context("no forwarding delay was measured")?.1;
        let quantile = |share: f64| {
            let bucket = sums.iter().find(|(_, sum)| *sum >= share * total);
            bucket.map_or(f64::INFINITY, |(bound, _)| round(*bound))
        };
        Ok(Self { p50_ms: quantile(0.5), p99_ms: quantile(0.99) })
    }
}
