//! What the forwarding threads allocate for each packet, counted within the server's process.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::folder;
use crate::{
    command::{Show, command, finish},
    report::Report,
    workspace::Workspace,
};

const LIMIT: Duration = Duration::from_secs(30 * 60);

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let figures = folder(workspace)?.join("allocations.json");
    let figures = figures.to_string_lossy();
    let words = ["bench", "--quiet", "--locked", "-p", "adda", "--bench", "allocations", "--"];
    let words = [&words[..], &["--json", &figures]].concat();
    let mut counting = command("cargo", &words, &workspace.root);
    counting.env("ADDA_LOG_LEVELS", "warn");
    let counted = finish(counting, LIMIT, Show::OnFailure);
    ensure!(counted.success, "{}", counted.output);
    report.line(&std::fs::read_to_string(&*figures)?);
    report.line("written to docs/benchmarks/allocations.json");
    Ok(())
}
