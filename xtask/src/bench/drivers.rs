//! Whether another driver finds the same: a load client made of LiveKit's Go SDK drives both
//! servers beside our own, in one run.
//!
//! The other driver is no part of this repository. `BENCH_DRIVER` names its executable, which
//! takes `-url -secret -pid -rooms -pubs -subs -secs -reps -rate` and prints a line a window, that
//! holds `us_per_fwd=` with the server's CPU time a delivered packet.

use std::{env, fmt, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    COMPARED, measure, save,
    server::{self, Server},
    workload::{Workload, median, round},
};
use crate::{report::Report, workspace::Workspace};

const OTHER: &str = "BENCH_DRIVER";
const FIGURE: &str = "us_per_fwd=";

/// How often each driver has its turn at each server. One turn is worth ±20 %.
const ROUNDS: usize = 5;

/// Turns differ by more than the windows of one.
const WINDOW_SECONDS: u32 = 4;

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
    let servers = [server::ours(workspace)?, server::livekit(workspace)?];
    let mut rows = Vec::new();
    for workload in COMPARED.map(|workload| workload.in_windows_of(WINDOW_SECONDS)) {
        let mut found = [Vec::new(), Vec::new()];
        // One after another, so that a busy minute of the machine is everybody's.
        for _ in 0..ROUNDS {
            for (server, found) in servers.iter().zip(&mut found) {
                let ours = measure(workspace, server, &workload)?.cpu_us_per_packet;
                let costs = Costs { ours, other: drive(&other, server, &workload)? };
                report.line(&format!("{} at {workload}: {costs}", server.name));
                found.push(costs);
            }
        }
        let [own, theirs] = found.map(Costs::median);
        let ratios = Costs { ours: own.ours / theirs.ours, other: own.other / theirs.other };
        report.line(&format!("  medians {own} to {theirs}, ratios {ratios}"));
        let [ours, rival] = &servers;
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
        ("-secs", workload.window_seconds()),
        ("-reps", 3),
    ];
    let output = Command::new(other)
        .args(["-url", &server.url, "-secret", server.secret])
        .args(numbers.iter().flat_map(|(flag, number)| [(*flag).to_owned(), number.to_string()]))
        .output()
        .with_context(|| other.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{other}: {}", said.trim());
    let windows = windows(&said);
    ensure!(!windows.is_empty(), "{other} printed no {FIGURE}");
    Ok(median(windows))
}

/// What the other driver said of each window.
fn windows(output: &str) -> Vec<f64> {
    let figures = output.split_whitespace().filter_map(|word| word.strip_prefix(FIGURE));
    figures.filter_map(|figure| figure.parse().ok()).collect()
}

impl Costs {
    fn median(turns: Vec<Self>) -> Self {
        let of = |figure: fn(&Self) -> f64| median(turns.iter().map(figure).collect());
        Self { ours: of(|turn| turn.ours), other: of(|turn| turn.other) }
    }

    fn to_json(self) -> Value {
        json!({
            "adda_load": round(self.ours), "other": round(self.other),
            "other_by_adda_load": round(self.other / self.ours),
        })
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} by adda load, {:.3} by the other", self.ours, self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_window_of_the_other_driver_is_found() {
        let output =
            "joined\nRES a=1 us_per_fwd=3.00 (b)\nRES us_per_fwd=9.5\nRES us_per_fwd=2.5 x";
        assert!((median(windows(output)) - 3.0).abs() < f64::EPSILON);
        assert!(windows("nothing").is_empty());
    }

    #[test]
    fn a_bad_turn_of_one_driver_leaves_both_medians_alone() {
        let turns = [(9.0, 4.0), (3.0, 4.5), (3.1, 40.0)];
        let median = Costs::median(turns.map(|(ours, other)| Costs { ours, other }).to_vec());
        assert_eq!(median.to_string(), "3.100 by adda load, 4.500 by the other");
    }
}
