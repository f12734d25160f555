//! Loads, and what is kept of the driver's report on one.

use std::{fmt, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::server::Server;
use crate::workspace::Workspace;

/// Rooms, and who is in each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    rooms: u32,
    talkers: u32,
    listeners: u32,
    joins_per_second: u32,
    order: Order,
    /// Listeners of each room who read on, if not all.
    sampled: Option<u32>,
    /// Of the driver.
    threads: u32,
    window_seconds: u32,
}

/// Who joins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    TalkersFirst,
    RoomByRoom,
}

/// Threads of the driver. Whoever sends over loopback pays for waking the reader; so many sleepers
/// cost a server as much as LiveKit's Go SDK does, which `cargo xtask bench drivers` shows. One
/// thread, awake for a whole fan-out after its first packet, would flatter us by a quarter.
const THREADS: u32 = 8;

impl Workload {
    pub(super) const fn new(rooms: u32, talkers: u32, listeners: u32) -> Self {
        let order = Order::TalkersFirst;
        let (sampled, threads, window_seconds) = (None, THREADS, 8);
        let joins_per_second = 20;
        Self {
            rooms,
            talkers,
            listeners,
            joins_per_second,
            order,
            sampled,
            threads,
            window_seconds,
        }
    }

    /// The first rooms talk while the others fill.
    pub(super) const fn room_by_room(self) -> Self {
        Self { order: Order::RoomByRoom, ..self }
    }

    pub(super) const fn joining_at(self, joins_per_second: u32) -> Self {
        Self { joins_per_second, ..self }
    }

    /// Only so many listeners of a room read on: the driver would slow the server otherwise.
    pub(super) const fn sampling(self, listeners: u32) -> Self {
        Self { sampled: Some(listeners), ..self }
    }

    /// Another number of the driver's threads.
    pub(super) const fn by_threads(self, threads: u32) -> Self {
        Self { threads, ..self }
    }

    /// Windows of another length.
    pub(super) const fn in_windows_of(self, window_seconds: u32) -> Self {
        Self { window_seconds, ..self }
    }

    /// How long its callers take to join, at their pace.
    pub(super) fn tenths_of_joining(&self) -> u32 {
        self.rooms * (self.talkers + self.listeners) * 10 / self.joins_per_second
    }

    pub(super) fn rooms(&self) -> u32 {
        self.rooms
    }

    pub(super) fn talkers(&self) -> u32 {
        self.talkers
    }

    pub(super) fn window_seconds(&self) -> u32 {
        self.window_seconds
    }

    pub(super) fn joins_per_second(&self) -> u32 {
        self.joins_per_second
    }

    pub(super) fn listeners(&self) -> u32 {
        self.listeners
    }

    /// Runs the driver against `server` and returns its JSON report.
    pub(super) fn drive(&self, workspace: &Workspace, server: &Server, pid: u32) -> Result<Value> {
        let numbers = [
            ("--rooms", self.rooms),
            ("--talkers", self.talkers),
            ("--listeners", self.listeners),
            ("--rate", self.joins_per_second),
            ("--sample", self.sampled.unwrap_or(self.listeners)),
            ("--threads", self.threads),
            ("--pid", pid),
            ("--windows", 3),
            ("--window", self.window_seconds),
        ];
        let numbers =
            numbers.iter().flat_map(|(flag, number)| [(*flag).to_owned(), number.to_string()]);
        let order = (self.order == Order::RoomByRoom).then_some("--by-room");
        let output = Command::new(driver(workspace))
            .args(["load", "-o", "json", "--url", &server.url, "--secret", server.secret])
            .args(numbers)
            .args(order)
            .output()
            .context("adda load")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "adda load: {}", said.trim());
        serde_json::from_slice(&output.stdout).context("the driver's report")
    }
}

/// The executable that drives, which is also the one measured.
pub(super) fn driver(workspace: &Workspace) -> PathBuf {
    workspace.target().join("release/adda")
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rooms, talkers, listeners, .. } = self;
        write!(f, "{rooms}×{talkers}×{listeners}")
    }
}

/// The medians over the windows of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) cpu_us_per_packet: f64,
    one_way_p50_ms: f64,
    one_way_p99_ms: f64,
    loss_percent: f64,
    cpu_ms_per_join: f64,
    memory_kb_per_listener: f64,
    memory_mb: f64,
    joined: f64,
    streams_missing: f64,
    /// Packets that listeners among the first hundred callers lost while the rest joined.
    early_lost: f64,
    pub(super) server_cpu: f64,
    driver_cpu: f64,
}

impl Measured {
    pub(super) fn read(report: &Value) -> Result<Self> {
        let windows = report.get("windows").and_then(Value::as_array).context("no windows")?;
        let median = |path: &[&str]| -> Result<f64> {
            let values: Vec<f64> =
                windows.iter().filter_map(|window| figure(window, path)).collect();
            ensure!(!values.is_empty(), "a figure is missing");
            Ok(median(values))
        };
        let joins = report.get("joins").context("no joins")?;
        let join = |key: &str| figure(joins, &["server", key]).context("a figure is missing");
        let count = |key: &str| figure(joins, &[key]).unwrap_or_default();
        Ok(Self {
            cpu_us_per_packet: median(&["server", "cpu_us_per_packet"])?,
            one_way_p50_ms: median(&["one_way_ms", "p50"])?,
            one_way_p99_ms: median(&["one_way_ms", "p99"])?,
            loss_percent: median(&["loss_percent"])?,
            cpu_ms_per_join: join("cpu_ms_per_join")?,
            memory_kb_per_listener: join("memory_bytes_per_listener")? / 1e3,
            memory_mb: median(&["server", "memory_bytes"])? / 1e6,
            joined: count("joined"),
            streams_missing: count("streams_wanted") - count("streams_heard"),
            early_lost: figure(joins, &["early", "packets_lost"]).unwrap_or_default(),
            server_cpu: median(&["server", "cpu"])?,
            driver_cpu: median(&["driver_cpu"])?,
        })
    }

    /// Each figure's median over several turns of one server.
    pub(super) fn of_turns(turns: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(turns.iter().map(figure).collect());
        Self {
            cpu_us_per_packet: of(|turn| turn.cpu_us_per_packet),
            one_way_p50_ms: of(|turn| turn.one_way_p50_ms),
            one_way_p99_ms: of(|turn| turn.one_way_p99_ms),
            loss_percent: of(|turn| turn.loss_percent),
            cpu_ms_per_join: of(|turn| turn.cpu_ms_per_join),
            memory_kb_per_listener: of(|turn| turn.memory_kb_per_listener),
            memory_mb: of(|turn| turn.memory_mb),
            joined: of(|turn| turn.joined),
            streams_missing: of(|turn| turn.streams_missing),
            early_lost: of(|turn| turn.early_lost),
            server_cpu: of(|turn| turn.server_cpu),
            driver_cpu: of(|turn| turn.driver_cpu),
        }
    }

    pub(super) fn ratio_to(&self, other: &Self) -> Ratio {
        Ratio {
            cpu_per_packet: self.cpu_us_per_packet / other.cpu_us_per_packet,
            cpu_per_join: self.cpu_ms_per_join / other.cpu_ms_per_join,
        }
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "cpu_us_per_packet": round(self.cpu_us_per_packet),
            "one_way_p50_ms": round(self.one_way_p50_ms),
            "one_way_p99_ms": round(self.one_way_p99_ms),
            "loss_percent": round(self.loss_percent),
            "cpu_ms_per_join": round(self.cpu_ms_per_join),
            "memory_kb_per_listener": round(self.memory_kb_per_listener),
            "memory_mb": round(self.memory_mb),
            "joined": self.joined,
            "streams_missing": self.streams_missing,
            "packets_lost_by_the_first_hundred_while_joining": self.early_lost,
            "server_cpu": round(self.server_cpu),
            "driver_cpu": round(self.driver_cpu),
        })
    }
}

/// The one in the middle; of an even number, the upper.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// The number at the end of a path of keys.
fn figure(report: &Value, path: &[&str]) -> Option<f64> {
    path.iter().try_fold(report, |value, key| value.get(key))?.as_f64()
}

pub(super) fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.2} µs a packet, one way {:.2} / {:.2} ms (p50, p99), {:.3} % lost, {:.2} ms a join, \
             {:.0} kB a listener, {:.0} MB, {:.0} % of a core",
            self.cpu_us_per_packet,
            self.one_way_p50_ms,
            self.one_way_p99_ms,
            self.loss_percent,
            self.cpu_ms_per_join,
            self.memory_kb_per_listener,
            self.memory_mb,
            self.server_cpu * 100.0
        )
    }
}

/// One server's figures divided by another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ratio {
    cpu_per_packet: f64,
    cpu_per_join: f64,
}

impl Ratio {
    pub(super) fn to_json(self) -> Value {
        json!({
            "cpu_per_packet": round(self.cpu_per_packet), "cpu_per_join": round(self.cpu_per_join),
        })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} of the CPU a packet, {:.3} a join", self.cpu_per_packet, self.cpu_per_join)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_window_is_what_is_kept() {
        let window = |us: f64| {
            json!({
                "server": { "cpu_us_per_packet": us, "cpu": 0.1, "memory_bytes": 2e6 }, "driver_cpu": 0.5,
                "one_way_ms": { "p50": 1.0, "p99": 2.0 }, "loss_percent": 0.0,
            })
        };
        let report = json!({
            "windows": [window(9.0), window(2.0), window(3.0)],
            "joins": { "server": { "cpu_ms_per_join": 1.5, "memory_bytes_per_listener": 40_000 } },
        });
        let measured = Measured::read(&report).unwrap();
        assert!((measured.cpu_us_per_packet - 3.0).abs() < 1e-9);
        assert!((measured.memory_kb_per_listener - 40.0).abs() < 1e-9);
        assert!(Measured::read(&json!({ "windows": [] })).is_err());

        let turns = [9.0, 2.0, 2.5].map(|us| Measured { cpu_us_per_packet: us, ..measured });
        assert!((Measured::of_turns(&turns).cpu_us_per_packet - 2.5).abs() < 1e-9);
    }
}
