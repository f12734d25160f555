//! What came of a load, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of a whole run. Times are in milliseconds unless their name says otherwise.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    pub workload: Workload,
    pub joins: Joins,
    /// In the order of time. Compare medians, and look at the spread.
    pub windows: Vec<Window>,
}

/// What was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Workload {
    pub url: String,
    /// `/rtc/v1` or `/rtc`.
    pub path: String,
    pub rooms: u32,
    pub talkers_per_room: u32,
    pub listeners_per_room: u32,
    /// Read what they heard in the windows. What the others got, or lost, is not in there.
    pub listeners_sampled_per_room: u32,
    pub joins_per_second: f64,
    pub payload_bytes: usize,
    pub packets_per_second_and_talker: u32,
}

/// How joining went.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Joins {
    pub wanted: u64,
    pub joined: u64,
    pub failed: u64,
    /// Why callers failed to join or were lost later, and how many.
    pub failures: BTreeMap<String, u64>,
    /// From opening the WebSocket to connected media, of everybody.
    pub connected_ms: Percentiles,
    /// From opening the WebSocket to the first packet, of listeners.
    pub first_packet_ms: Percentiles,
    /// Talker-to-listener streams that carried a packet before the first window.
    pub streams_heard: u64,
    pub streams_wanted: u64,
    /// What the first hundred callers lost while the rest joined.
    pub early: Early,
    /// While the listeners joined, or everybody did when rooms joined one by one.
    pub server: Option<ServerJoining>,
}

/// What the listeners among the first hundred callers heard until everybody had joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Early {
    pub listeners: u64,
    pub packets_delivered: u64,
    pub packets_lost: u64,
}

/// What the listeners' joining cost the server.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ServerJoining {
    pub cpu_ms_per_join: f64,
    pub memory_before_bytes: u64,
    pub memory_after_bytes: u64,
    pub memory_bytes_per_listener: i64,
}

/// What one window saw.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Window {
    pub seconds: f64,
    pub packets_sent: u64,
    /// Of all sampled listeners together.
    pub packets_delivered: u64,
    /// What `packets_sent` would be at every sampled listener that should hear them.
    pub packets_wanted: u64,
    /// Of `packets_wanted`. A packet on its way when the window ends counts as lost.
    pub loss_percent: f64,
    /// Of what each listener's streams skipped, by listener.
    pub loss_percent_by_listener: Percentiles,
    /// From a talker's send to its listener's receive.
    pub one_way_ms: Percentiles,
    /// Took longer than 60 ms.
    pub packets_late: u64,
    pub server: Option<ServerUse>,
    /// Of this process, in CPU seconds per second: near the number of threads it distorts.
    pub driver_cpu: f64,
}

/// What a window cost the server.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct ServerUse {
    /// CPU seconds per second.
    pub cpu: f64,
    /// User and kernel time of all its threads, by packet delivered; listeners who aren't sampled
    /// count as the others.
    pub cpu_us_per_packet: f64,
    pub memory_bytes: u64,
}

/// A distribution.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}
