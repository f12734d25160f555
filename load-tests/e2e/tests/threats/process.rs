//! What an attack costs the server's process.

use std::{fs, time::Duration};

use e2e::server::Server;

/// Resident memory.
pub(crate) fn resident_bytes(server: &Server) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("it runs");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    let kib: Option<usize> = line.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    kib.expect("a number") * 1024
}

/// Processor time used so far, by all threads and in both modes. Its clock ticks every 10 ms.
pub(crate) fn cpu_time(server: &Server) -> Duration {
    let text = fs::read_to_string(format!("/proc/{}/stat", server.id())).expect("it runs");
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
