//! Two thousand participants in one process: whether the first notice the rest, and whether what
//! they held comes back when they have left.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    save,
    server::{self, Server, pause},
    workload::{Measured, Workload},
};
use crate::{report::Report, workspace::Workspace};

const WORKLOAD: Workload = Workload::new(200, 1, 9).joining_at(100).room_by_room().by_threads(2);
/// Tenths of a second in which the allocator gives back what is free: it waits for ten seconds.
const SETTLING: usize = 150;
/// Tenths of a second for the last to be gone: a caller that doesn't say so is missed after 30 s.
const LEAVING_MAX: usize = 600;

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let ours = server::ours(workspace)?;
    let running = ours.start()?;
    // The first wave shows what a process keeps once it has been this large; the second shows
    // whether it grows with every wave.
    let mut waves = Vec::new();
    let before = running.held()?;
    for wave in 1..=2 {
        let output = WORKLOAD.drive(workspace, &ours, running.pid())?;
        let measured = Measured::read(&output)?;
        report.line(&format!("wave {wave}, {WORKLOAD}: {measured}"));
        wait_until_empty(&ours)?;
        (0..SETTLING).for_each(|_| pause());
        let after = running.held()?;
        report.line(&format!(
            "  {:.0} → {:.0} MB, {} → {} descriptors once all had left",
            before.memory_mb, after.memory_mb, before.descriptors, after.descriptors
        ));
        let mut figures = measured.to_json();
        if let Some(figures) = figures.as_object_mut() {
            figures.insert("memory_mb_before".into(), json!(before.memory_mb));
            figures.insert("memory_mb_after_all_left".into(), json!(after.memory_mb));
            figures.insert("descriptors_before".into(), json!(before.descriptors));
            figures.insert("descriptors_after_all_left".into(), json!(after.descriptors));
        }
        waves.push(figures);
    }
    save(workspace, report, "capacity.json", &json!(waves))
}

fn wait_until_empty(server: &Server) -> Result<()> {
    for _ in 0..LEAVING_MAX {
        let left: f64 = server.metric("adda_participants")?.iter().map(|(_, value)| value).sum();
        let sockets: f64 =
            server.metric("adda_ws_connections")?.iter().map(|(_, value)| value).sum();
        if left == 0.0 && sockets == 0.0 {
            return Ok(());
        }
        pause();
    }
    ensure!(false, "participants are left a minute after the last caller went");
    Ok(())
}
