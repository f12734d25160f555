//! `cargo xtask setup`: the clients, servers and tools of the tests, installed or asked for.
//!
//! What doesn't come from the system is pinned by a lock file in `load-tests/e2e` or
//! `load-tests/parts`. A second run finds the stamps of the first and is done in a moment.

mod part;

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::Result;

use crate::{
    command::{Show, command, finish},
    report::{Outcome, Report},
    workspace::Workspace,
};
pub(crate) use part::{PARTS, Part};

const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);

pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> Result<()> {
    install(workspace, report);
    Ok(())
}

/// Returns the parts that can't be had here. Each was reported, with its remedy.
pub(crate) fn install(workspace: &Workspace, report: &mut Report) -> Vec<&'static Part> {
    report.step("Debian packages", "run the apt-get command above by hand", || {
        debian_packages(&workspace.root)
    });
    let mut missing = Vec::new();
    for part in PARTS {
        report.step(part.name, part.remedy, || {
            let outcome = part.install(workspace);
            if outcome != Outcome::PASSED {
                missing.push(part);
            }
            outcome
        });
    }
    missing
}

/// Installs the packages whose programs are missing. Elsewhere than on Debian as root this does
/// nothing: the parts that need them say so themselves.
fn debian_packages(root: &Path) -> Outcome {
    let is_there = |program: &str| {
        let mut look = command("sh", &["-c", "command -v \"$0\"", program], root);
        look.env("PATH", part::search_path());
        finish(look, INSTALL_LIMIT, Show::OnFailure).success
    };
    let missing: Vec<&str> = part::DEBIAN
        .iter()
        .filter(|(program, _)| !is_there(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() || !is_debian_root(root) {
        return Outcome::PASSED;
    }
    // A machine that just started may still hold the lock, or be short of a list.
    let lock = ["-o", "DPkg::Lock::Timeout=300"];
    let apt = |words: &[&str]| {
        let mut apt = command("apt-get", &[&lock, words].concat(), root);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        finish(apt, INSTALL_LIMIT, Show::OnFailure)
    };
    let words = ["install", "-y", "--no-install-recommends"];
    let mut output = String::new();
    for _ in 0..2 {
        let updated = apt(&["update"]);
        let installed = apt(&[&words[..], &missing].concat());
        if installed.success {
            return Outcome::PASSED;
        }
        output = format!("{}{}", updated.output, installed.output);
    }
    Outcome::failed(format!("{output}apt-get {} {}", words.join(" "), missing.join(" ")))
}

fn is_debian_root(root: &Path) -> bool {
    let id = finish(command("id", &["-u"], root), INSTALL_LIMIT, Show::OnFailure);
    Path::new("/etc/debian_version").exists() && id.output.trim() == "0"
}

/// Runs `steps` unless the stamp in `folder` says that this very `pin` is installed.
fn once(folder: &Path, pin: &Path, steps: Vec<Command>) -> Outcome {
    let stamp = folder.join("installed");
    let wanted = fs::read(pin).unwrap_or_default();
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Outcome::PASSED;
    }
    for step in steps {
        let finished = finish(step, INSTALL_LIMIT, Show::OnFailure);
        if !finished.success {
            return Outcome::Skipped { why: finished.output };
        }
    }
    match fs::write(&stamp, wanted) {
        Ok(()) => Outcome::PASSED,
        Err(error) => Outcome::failed(format!("{}: {error}", stamp.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::*;

    fn shell(script: &str, folder: &Path) -> Command {
        command("sh", &["-c", script], folder)
    }

    #[test]
    fn an_installed_part_is_left_alone_until_its_pin_changes() {
        let folder = env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let pin = folder.join("lock");
        let install = || once(&folder, &pin, vec![shell("echo x >> ran", &folder)]);
        let runs = || fs::read_to_string(folder.join("ran")).expect("ran").lines().count();

        fs::write(&pin, "1").expect("write");
        assert_eq!((install(), install()), (Outcome::PASSED, Outcome::PASSED));
        assert_eq!(runs(), 1);
        fs::write(&pin, "2").expect("write");
        assert_eq!((install(), runs()), (Outcome::PASSED, 2));
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn a_part_that_cannot_be_installed_is_skipped_with_the_reason() {
        let outcome = once(
            Path::new("/nonexistent"),
            Path::new("/nonexistent/lock"),
            vec![shell("echo no such package; exit 1", Path::new("/"))],
        );
        assert_eq!(outcome, Outcome::Skipped { why: "no such package\n".to_owned() });
    }
}
