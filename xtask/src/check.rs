//! `cargo xtask check`: everything that can be judged without a browser or the whole of it
//! running. Tests of what is stored start the servers they need, which `cargo xtask setup` brings.

mod arrows;
mod links;
mod lockfiles;
mod purity;
mod rust;
mod spelling;
mod targets;
mod tidy;

use std::time::Duration;

use anyhow::Result;

use crate::{
    command::{self, Show, command as run_in},
    report::{Outcome, Report},
    workspace::{Metadata, Workspace},
};

/// Generous: a cold build on two cores that somebody else uses too.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

/// The crate `webrtc` is heavy and needs the built executable: `cargo xtask test` has its turn.
const PEER: &str = "peer";
const WITHOUT_PEER: [&str; 2] = ["--exclude", PEER];

/// So do tests of the whole.
pub(crate) const WHOLE: &str = "e2e";

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    run_without(workspace, report, &[], &workspace.metadata()?)
}

/// The same without tests whose names contain one of `skipped`.
pub(crate) fn run_without(
    workspace: &Workspace,
    report: &mut Report,
    skipped: &[&str],
    metadata: &Metadata,
) -> Result<()> {
    architecture(workspace, report, metadata)?;
    cargo(workspace, report, skipped, metadata);
    Ok(())
}

/// What is read from files and manifests alone: seconds.
fn architecture(workspace: &Workspace, report: &mut Report, metadata: &Metadata) -> Result<()> {
    let sources = workspace.sources()?;
    report.step(
        "arrows between crates",
        "let the crates meet in `proto`, or change the arrows where design.md and a decision do",
        || Outcome::of_findings(&arrows::findings(metadata)),
    );
    report.step(
        "cores touch no operating system",
        "pass time, randomness, datagrams and files in as values; the shell holds the rest",
        || Outcome::of_findings(&purity::findings(&sources)),
    );
    report.step("names of test programs", "rename what is named", || {
        Outcome::of_findings(&targets::findings(metadata))
    });
    report.step("tidy files", "split, rename or finish what is named", || {
        Outcome::of_findings(&tidy::findings(&sources))
    });
    report.step(
        "links between documents",
        "point each link at a file and heading there is",
        || Outcome::of_findings(&links::findings(&sources)),
    );
    report.step("spelling", "write the word as suggested", || {
        Outcome::of_findings(&spelling::findings(&sources))
    });
    report.step("lock files", "switch the feature off that brings it; see the finding", || {
        Outcome::of_findings(&lockfiles::findings(&sources))
    });
    report.step("one crypto provider", "switch the feature off that brings it", || {
        let words = ["tree", "--locked", "--workspace", "--prefix", "none"];
        let listed =
            command::finish(run_in("cargo", &words, &workspace.root), BUILD_LIMIT, Show::OnFailure);
        if listed.success {
            Outcome::of_findings(&lockfiles::banned(&listed.output))
        } else {
            Outcome::failed(listed.output)
        }
    });
    Ok(())
}

/// What the compiler and the tests say: minutes when cold.
fn cargo(workspace: &Workspace, report: &mut Report, skipped: &[&str], metadata: &Metadata) {
    let cargo = |words: &[&str]| run_in("cargo", words, &workspace.root);
    report.step("format", "run `cargo fmt --all`", || {
        command::verdict(cargo(&["fmt", "--all", "--check"]), BUILD_LIMIT)
    });
    report.step("clippy", "follow the lint, or `#[expect(…, reason = \"…\")]` it", || {
        let words = ["clippy", "--locked", "--quiet", "--workspace", "--all-targets"];
        let deny = ["--", "-D", "warnings"];
        command::verdict(cargo(&[&words[..], &WITHOUT_PEER, &deny].concat()), BUILD_LIMIT)
    });
    report.step("documentation", "mend the link or the markup that rustdoc names", || {
        let words = ["doc", "--locked", "--quiet", "--workspace", "--no-deps"];
        let mut doc = cargo(&[&words[..], &WITHOUT_PEER].concat());
        doc.env("RUSTDOCFLAGS", "-D warnings");
        command::verdict(doc, BUILD_LIMIT)
    });
    report.step("unit and property tests", "run `cargo test -p CRATE` for the one named", || {
        let words = test_words(metadata, |name| name != WHOLE);
        let skips = skipped.iter().flat_map(|filter| ["--skip", *filter]);
        let words = words.iter().map(String::as_str).chain(["--lib", "--bins", "--"]).chain(skips);
        command::tests(cargo(&words.collect::<Vec<_>>()), BUILD_LIMIT, Show::OnFailure)
    });
}

/// `cargo test` of the integration tests of some crates. Always of the same selection of crates:
/// another would have its dependencies compiled anew, with other features.
pub(crate) fn test_words(metadata: &Metadata, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let words = ["test", "--locked", "--no-fail-fast", "--workspace"];
    let words = words.iter().chain(&WITHOUT_PEER).map(|word| (*word).to_owned());
    let wanted = |name: &str| name != PEER && is_wanted(name);
    let tests = metadata.tests(wanted).into_iter();
    words.chain(tests.flat_map(|name| ["--test".to_owned(), name.to_owned()])).collect()
}
