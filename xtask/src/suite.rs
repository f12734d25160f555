//! `cargo xtask test`: everything there is, from a clean clone on a fresh machine.

use std::time::Duration;

use anyhow::Result;

use crate::{
    check,
    command::{self, Show, command as run_in},
    report::{Outcome, Report},
    setup,
    workspace::{Metadata, Workspace},
};

const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);
const E2E_LIMIT: Duration = Duration::from_secs(40 * 60);

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    let missing = setup::install(workspace, report);
    let servers = missing.iter().filter(|part| part.is_server());
    let filters: Vec<&str> = servers.flat_map(|part| part.filters).copied().collect();
    let metadata = workspace.metadata()?;
    check::run_without(workspace, report, &filters, &metadata)?;
    let mut built = false;
    report.step("release build", "see the compiler's message", || {
        let words = ["build", "--locked", "--quiet", "--release", "-p", "adda"];
        let outcome = command::verdict(run_in("cargo", &words, &workspace.root), BUILD_LIMIT);
        built = outcome == Outcome::PASSED;
        outcome
    });
    if built {
        end_to_end(workspace, report, &missing, &metadata);
        independent_peer(workspace, report);
    }
    Ok(())
}

/// Another WebRTC stack against the built executable, and what that stack dies of.
fn independent_peer(workspace: &Workspace, report: &mut Report) {
    let lint = ["clippy", "--locked", "--quiet", "-p", "peer", "--all-targets"];
    let lint = [&lint[..], &["--", "-D", "warnings"]].concat();
    report.step("clippy of the independent peer", "follow the lint", || {
        command::verdict(run_in("cargo", &lint, &workspace.root), BUILD_LIMIT)
    });
    let test = ["test", "--locked", "--no-fail-fast", "-p", "peer"];
    report.step("independent peer", "run `cargo test -p peer NAME` for the one named", || {
        command::tests(run_in("cargo", &test, &workspace.root), E2E_LIMIT, Show::OnFailure)
    });
}

/// Real clients against the built executable. What they print is shown as it comes.
fn end_to_end(
    workspace: &Workspace,
    report: &mut Report,
    missing: &[&setup::Part],
    metadata: &Metadata,
) {
    let words = check::test_words(metadata, |name| name == check::WHOLE);
    let filters = missing.iter().flat_map(|part| part.filters);
    let skips = filters.flat_map(|filter| ["--skip", *filter]);
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--"]).chain(skips).collect();
    report.step(
        "end to end",
        "run `cargo test -p e2e NAME` for the one named; its logs are kept where it says",
        || {
            let start =
                |more: &[&str]| run_in("cargo", &[&words[..], more].concat(), &workspace.root);
            command::patient_tests(start, E2E_LIMIT, Show::AtOnce)
        },
    );
}
