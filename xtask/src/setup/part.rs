//! The kinds of client, what each needs, and how it is installed.

use std::path::Path;

use super::{INSTALL_LIMIT, once};
use crate::{
    command::{Show, command, finish},
    report::Outcome,
    workspace::Workspace,
};

/// Programs, and the Debian packages that bring them.
pub(super) const DEBIAN: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    // Firefox starts no AudioContext without a sound card.
    ("pulseaudio", "pulseaudio"),
];

/// Something that the end-to-end tests drive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// Tests whose names contain one of these are skipped without it.
    pub(crate) filters: &'static [&'static str],
    pub(crate) remedy: &'static str,
    /// Programs it needs; each answers `--version`, or what is given.
    needs: &'static [(&'static str, &'static str)],
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Npm,
    Pip,
    Go,
}

pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "clients in Chromium",
        filters: &["chromium", "every_sdk"],
        remedy: "install Chromium, Node 20 or later and npm (Debian: apt-get install chromium npm)",
        needs: &[("node", "--version"), ("npm", "--version"), ("chromium", "--version")],
        kind: Kind::Npm,
    },
    Part {
        name: "clients in Firefox",
        filters: &["firefox", "every_sdk"],
        remedy: "install Firefox ESR, PulseAudio, Node 20 or later, npm and iproute2, and be \
                 root, since Firefox needs an interface of the test's own (Debian: apt-get \
                 install firefox-esr pulseaudio npm iproute2)",
        needs: &[
            ("node", "--version"),
            ("npm", "--version"),
            ("firefox-esr", "--version"),
            ("pulseaudio", "--version"),
            ("ip", "-V"),
            ("unshare", "--net"),
        ],
        kind: Kind::Npm,
    },
    Part {
        name: "clients in Go",
        filters: &["go::", "every_sdk", "five_speakers"],
        remedy: "install Go 1.26 or later",
        needs: &[("go", "version")],
        kind: Kind::Go,
    },
    Part {
        name: "clients in Python",
        filters: &["python", "every_sdk"],
        remedy: "install Python 3.11 or later with venv (Debian: apt-get install python3-venv)",
        needs: &[("python3", "--version")],
        kind: Kind::Pip,
    },
];

impl Part {
    pub(super) fn install(&self, workspace: &Workspace) -> Outcome {
        for (program, word) in self.needs {
            // `unshare --net true` shows the right to make a network of one's own.
            let words: &[&str] = if *program == "unshare" { &[word, "true"] } else { &[word] };
            let found = finish(command(program, words, &workspace.root), INSTALL_LIMIT, QUIET);
            if !found.success {
                let why = format!("`{program}` doesn't run: {}", self.remedy);
                return Outcome::Skipped { why };
            }
        }
        let clients = workspace.root.join("load-tests/e2e");
        match self.kind {
            Kind::Npm => npm(&clients.join("node")),
            Kind::Pip => pip(&clients.join("python")),
            Kind::Go => go(&clients.join("go")),
        }
    }
}

const QUIET: Show = Show::OnFailure;

fn npm(folder: &Path) -> Outcome {
    let install = command("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
    once(&folder.join("node_modules"), &folder.join("package-lock.json"), vec![install])
}

fn pip(folder: &Path) -> Outcome {
    let environment = command("python3", &["-m", "venv", ".venv"], folder);
    let words = ["-m", "pip", "install", "--quiet", "-r", "requirements.txt"];
    let install = command("./.venv/bin/python", &words, folder);
    once(&folder.join(".venv"), &folder.join("requirements.txt"), vec![environment, install])
}

/// Go's own cache decides what there is to do.
fn go(folder: &Path) -> Outcome {
    let build = command("go", &["build", "-mod=readonly", "-o", "bin/client", "."], folder);
    let finished = finish(build, INSTALL_LIMIT, QUIET);
    if finished.success { Outcome::PASSED } else { Outcome::Skipped { why: finished.output } }
}
