//! `cargo xtask bench`: what forwarding costs, beside a rival under the same load in the same run.
//!
//! The driver is `adda load`, one process of real callers. Figures land in `docs/benchmarks`: the
//! baseline that a commit's change is read against. Nothing here passes or fails by the clock.

mod allocations;
mod capacity;
mod delay;
mod drivers;
mod plot;
mod profile;
mod server;
mod workload;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{report::Report, workspace::Workspace};
use server::Server;
use workload::{Measured, Workload};

/// The workloads of the comparison: a small room, a panel, many small rooms.
const COMPARED: [Workload; 3] =
    [Workload::new(1, 1, 10), Workload::new(1, 5, 50), Workload::new(20, 1, 5)];
/// One room that grows.
const LISTENERS: [Workload; 4] = [
    Workload::new(1, 1, 1),
    Workload::new(1, 1, 10),
    Workload::new(1, 1, 100),
    Workload::new(1, 1, 500),
];
/// Small rooms that multiply.
const ROOMS: [Workload; 3] =
    [Workload::new(1, 1, 5), Workload::new(20, 1, 5), Workload::new(200, 1, 5)];

/// How often each has its turn at a workload, one after the other: a busy minute of the machine is
/// everybody's, and single turns differ by up to 30 %.
const TURNS: usize = 3;

/// Ours against the rival, workload by workload: the medians of their turns.
pub(crate) fn compare(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let servers = [server::ours(workspace)?, server::livekit(workspace)?];
    let [ours, rival] = &servers;
    let (mut rows, mut pairs) = (Vec::new(), Vec::new());
    for workload in COMPARED {
        let mut found = [Vec::new(), Vec::new()];
        for turn in 1..=TURNS {
            for (server, found) in servers.iter().zip(&mut found) {
                report.line(&format!("{} at {workload}, turn {turn} of {TURNS}", server.name));
                found.push(measure(workspace, server, &workload)?);
            }
        }
        let [own, theirs] = found.map(|turns| Measured::of_turns(&turns));
        report.line(&format!("  {}: {theirs}", rival.name));
        report.line(&format!("  {}: {own}", ours.name));
        report.line(&format!("  ratio: {}", own.ratio_to(&theirs)));
        let costs = (own.cpu_us_per_packet, theirs.cpu_us_per_packet);
        pairs.push((workload.to_string(), costs.0, costs.1));
        rows.push(json!({
            "workload": workload.to_string(), ours.name: own.to_json(), rival.name: theirs.to_json(),
            "ratio": own.ratio_to(&theirs).to_json(),
        }));
    }
    let drawn = plot::bars(&pairs, [ours.name, rival.name]);
    fs::write(folder(workspace)?.join("compare.svg"), drawn).context("compare.svg")?;
    save(workspace, report, "compare.json", &Value::Array(rows))
}

/// How the cost of a packet changes with the listeners of a room and with the rooms.
pub(crate) fn curve(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let ours = server::ours(workspace)?;
    let mut series = Vec::new();
    let listeners = ("listeners of one room", &LISTENERS[..], Workload::listeners as fn(&_) -> _);
    let rooms = ("rooms of six", &ROOMS[..], Workload::rooms as fn(&_) -> _);
    for (name, workloads, scale) in [listeners, rooms] {
        let mut points = Vec::new();
        for workload in workloads {
            let measured = measure(workspace, &ours, workload)?;
            report.line(&format!("{workload}: {measured}"));
            points.push((scale(workload), measured));
        }
        series.push((name, points));
    }
    let drawn = plot::draw(&series);
    fs::write(folder(workspace)?.join("curve.svg"), drawn).context("docs/benchmarks/curve.svg")?;
    let rows = series.iter().map(|(name, points)| {
        let points = points.iter().map(|(at, of)| json!({ "at": at, "measured": of.to_json() }));
        json!({ "series": name, "points": points.collect::<Vec<_>>() })
    });
    save(workspace, report, "curve.json", &Value::Array(rows.collect()))
}

pub(crate) use allocations::run as allocations;
pub(crate) use capacity::run as capacity;
pub(crate) use delay::run as delay;
pub(crate) use drivers::run as drivers;
pub(crate) use profile::run as profile;

fn measure(workspace: &Workspace, server: &Server, workload: &Workload) -> Result<Measured> {
    let running = server.start()?;
    let output = workload.drive(workspace, server, running.pid())?;
    Measured::read(&output).with_context(|| format!("{} at {workload}", server.name))
}

fn folder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root.join("docs/benchmarks");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn save(workspace: &Workspace, report: &mut Report, name: &str, figures: &Value) -> Result<()> {
    let path = folder(workspace)?.join(name);
    fs::write(&path, format!("{}\n", serde_json::to_string_pretty(figures)?))?;
    report.line(&format!("written to docs/benchmarks/{name}"));
    Ok(())
}
