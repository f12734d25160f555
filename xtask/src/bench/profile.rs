//! Where the time of a forwarded packet goes: a flame graph, and the share that is ours.
//!
//! Needs `perf`; installs `inferno`, which draws.

use std::{
    fs::{self, File},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    folder, save,
    server::{self, pause},
    workload::{Measured, Workload, round},
};
use crate::{report::Report, workspace::Workspace};

/// Enough for some thousand samples; few read, so that the kernel's share is the sender's.
const WORKLOAD: Workload = Workload::new(1, 20, 100).joining_at(25).sampling(20).by_threads(1);
const DRAW: &str = "inferno@0.12.6";
/// Tenths of a second until everybody has joined and the windows have begun.
const JOINING: usize = 90;

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let ours = server::ours(workspace)?;
    let tools = workspace.target().join("bench");
    let inferno = install(&tools)?;
    let running = ours.start()?;
    let driving = std::thread::scope(|scope| {
        let driving = scope.spawn(|| WORKLOAD.drive(workspace, &ours, running.pid()));
        (0..JOINING).for_each(|_| pause());
        // Copying stacks costs the process time of its own, so the share is taken without.
        let recorded = record(&tools.join("share.data"), running.pid(), &[]).and_then(|()| {
            let stacks = ["--call-graph", "dwarf,8192"];
            record(&tools.join("perf.data"), running.pid(), &stacks)
        });
        let driven = driving.join().map_err(|_| anyhow::anyhow!("the driver's thread ended"))?;
        recorded.and(driven)
    });
    let measured = Measured::read(&driving?)?;
    let ours_share = user_share(&tools)?;
    draw(&tools, &inferno, &folder(workspace)?.join("flame.svg"))?;
    let user = measured.cpu_us_per_packet * ours_share;
    report.line(&format!("{WORKLOAD}: {measured}"));
    report.line(&format!(
        "  {user:.2} µs a packet in user space, {:.0} % of the whole; docs/benchmarks/flame.svg",
        ours_share * 100.0
    ));
    let figures = json!({
        "workload": WORKLOAD.to_string(), "measured": measured.to_json(),
        "user_share": round(ours_share), "user_us_per_packet": round(user),
    });
    save(workspace, report, "profile.json", &figures)
}

fn install(tools: &std::path::Path) -> Result<std::path::PathBuf> {
    let bin = tools.join("bin");
    if !bin.join("inferno-flamegraph").exists() {
        let words = ["install", "--quiet", "--locked", "--no-default-features", DRAW, "--root"];
        let installed = Command::new("cargo").args(words).arg(tools).status()?;
        // Without its optional parts the crate builds no programs.
        if !installed.success() || !bin.join("inferno-flamegraph").exists() {
            let words = ["install", "--quiet", "--locked", DRAW, "--root"];
            let installed = Command::new("cargo").args(words).arg(tools).status()?;
            ensure!(installed.success(), "cargo install {DRAW} failed");
        }
    }
    Ok(bin)
}

fn record(data: &std::path::Path, pid: u32, more: &[&str]) -> Result<()> {
    let pid = pid.to_string();
    let status = Command::new("perf")
        .args(["record", "-q", "-F", "2999", "-p", &pid])
        .args(more)
        .arg("-o")
        .arg(data)
        .args(["--", "sleep", "6"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("perf (Debian: apt-get install linux-perf)")?;
    ensure!(status.success(), "perf record failed: kernel.perf_event_paranoid may forbid it");
    Ok(())
}

/// The share of samples whose instruction is not the kernel's.
fn user_share(tools: &std::path::Path) -> Result<f64> {
    let words = ["script", "-G", "-F", "ip", "-i"];
    let output = Command::new("perf").args(words).arg(tools.join("share.data")).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let addresses: Vec<&str> = text.split_whitespace().collect();
    ensure!(!addresses.is_empty(), "perf sampled nothing");
    let kernel = addresses.iter().filter(|ip| ip.len() == 16 && ip.starts_with("ffff")).count();
    Ok(1.0 - kernel as f64 / addresses.len() as f64)
}

fn draw(tools: &std::path::Path, bin: &std::path::Path, to: &std::path::Path) -> Result<()> {
    let script = tools.join("perf.txt");
    let dump = Command::new("perf")
        .args(["script", "-i"])
        .arg(tools.join("perf.data"))
        .stdout(File::create(&script)?)
        .stderr(Stdio::null())
        .status()?;
    ensure!(dump.success(), "perf script failed");
    let folded = Command::new(bin.join("inferno-collapse-perf")).arg(&script).output()?;
    let stacks = tools.join("stacks.txt");
    fs::write(&stacks, &folded.stdout)?;
    let title = format!("adda forwarding {WORKLOAD}");
    let drawn = Command::new(bin.join("inferno-flamegraph"))
        .args(["--title", &title, "--minwidth", "0.2"])
        .arg(&stacks)
        .output()?;
    ensure!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    Ok(fs::write(to, &drawn.stdout)?)
}
