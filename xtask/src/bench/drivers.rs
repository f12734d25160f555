//! Whether another driver finds the same: a load client made of LiveKit's Go SDK drives both
//! servers beside our own, in one run.
//!
//! The other driver is no part of this repository. `BENCH_DRIVER` names its executable, which
//! takes `-url -secret -pid -rooms -pubs -subs -secs -reps -rate` and prints a line a window, that
//! holds `us_per_fwd=` with the server's CPU time a delivered packet.

use std::{env, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    COMPARED, measure, save,
    server::{self, Server},
    workload::{Workload, round},
};
use crate::{report::Report, workspace::Workspace};

const OTHER: &str = "BENCH_DRIVER";
const FIGURE: &str = "us_per_fwd=";

/// CPU time a packet in µs, by who drove.
#[derive(Clone, Copy, Debug)]
struct Costs {
    ours: f64,
    other: f64,
}

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let other = env::var(OTHER).with_context(|| {
        format!("{OTHER} must name an executable that drives a server as docs/benchmarks says")
    })?;
    let [ours, rival] = [server::ours(workspace)?, server::livekit(workspace)?];
    let mut rows = Vec::new();
    for workload in COMPARED {
        let [theirs, own] = [&rival, &ours].map(|server| -> Result<Costs> {
            let driven = measure(workspace, server, &workload)?.cpu_us_per_packet;
            let costs = Costs { ours: driven, other: drive(&other, server, &workload)? };
            report.line(&format!(
                "{} at {workload}: {:.2} µs a packet by adda load, {:.2} by the other driver",
                server.name, costs.ours, costs.other
            ));
            Ok(costs)
        });
        let (theirs, own) = (theirs?, own?);
        let ratios = Costs { ours: own.ours / theirs.ours, other: own.other / theirs.other };
        report.line(&format!("  ratio: {:.3} and {:.3}", ratios.ours, ratios.other));
        rows.push(json!({
            "workload": workload.to_string(), ours.name: own.to_json(), rival.name: theirs.to_json(),
            "ratio": ratios.to_json(),
        }));
    }
    save(workspace, report, "drivers.json", &Value::Array(rows))
}

/// Runs the other driver against `server`; returns the median of its windows.
fn drive(other: &str, server: &Server, workload: &Workload) -> Result<f64> {
    let running = server.start()?;
    let numbers = [
        ("-pid", running.pid()),
        ("-rooms", workload.rooms()),
        ("-pubs", workload.talkers()),
        ("-subs", workload.listeners()),
        ("-rate", workload.joins_per_second()),
        ("-secs", 8),
        ("-reps", 3),
    ];
    let output = Command::new(other)
        .args(["-url", &server.url, "-secret", server.secret])
        .args(numbers.iter().flat_map(|(flag, number)| [(*flag).to_owned(), number.to_string()]))
        .output()
        .with_context(|| other.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{other}: {}", said.trim());
    median(&said).with_context(|| format!("{other} printed no {FIGURE}"))
}

fn median(output: &str) -> Option<f64> {
    let figures = output.split_whitespace().filter_map(|word| word.strip_prefix(FIGURE));
    let mut figures: Vec<f64> = figures.filter_map(|figure| figure.parse().ok()).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

impl Costs {
    fn to_json(self) -> Value {
        json!({
            "adda_load": round(self.ours), "other": round(self.other),
            "other_by_adda_load": round(self.other / self.ours),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_window_of_the_other_driver_is_found() {
        let output =
            "joined\nRES a=1 us_per_fwd=3.00 (b)\nRES us_per_fwd=9.5\nRES us_per_fwd=2.5 x";
        assert_eq!(median(output), Some(3.0));
        assert_eq!(median("nothing"), None);
    }
}
