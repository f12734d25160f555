//! The clients, servers and tools of the tests, what each needs, and how it is installed.

use std::{env, ffi::OsString, fs, path::Path};

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
    ("redis-server", "redis-server"),
    ("postgres", "postgresql"),
    ("psql", "postgresql-client"),
    ("nginx", "nginx-light"),
    ("setpriv", "util-linux"),
    ("opusinfo", "opus-tools"),
    ("ffprobe", "ffmpeg"),
];

/// Something that the tests drive.
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
    /// A server as its system's packages bring it, or a tool that judges what ours wrote.
    System,
    /// A server of which this project has the source of `main`, in Go.
    GoServer,
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
    Part {
        name: "Redis",
        filters: &["redis", "in_a_cluster"],
        remedy: "install Redis 7 or later (Debian: apt-get install redis-server)",
        needs: &[("redis-server", "--version"), ("setpriv", "--version")],
        kind: Kind::System,
    },
    Part {
        name: "PostgreSQL",
        filters: &["postgres", "in_a_cluster"],
        remedy: "install PostgreSQL 15 or later (Debian: apt-get install postgresql)",
        needs: &[("postgres", "--version"), ("initdb", "--version"), ("psql", "--version")],
        kind: Kind::System,
    },
    Part {
        name: "S3",
        filters: &["s3", "in_a_cluster"],
        remedy: "install Go 1.26 or later, which builds versitygw",
        needs: &[("go", "version"), ("setpriv", "--version")],
        kind: Kind::GoServer,
    },
    Part {
        name: "nginx",
        filters: &["nginx", "in_a_cluster"],
        remedy: "install nginx (Debian: apt-get install nginx-light)",
        needs: &[("nginx", "-v")],
        kind: Kind::System,
    },
    Part {
        name: "opusinfo and ffprobe",
        filters: &["opusinfo", "ffprobe", "ffmpeg"],
        remedy: "install opus-tools and FFmpeg (Debian: apt-get install opus-tools ffmpeg)",
        needs: &[("opusinfo", "-V"), ("ffprobe", "-version")],
        kind: Kind::System,
    },
];

impl Part {
    pub(super) fn install(&self, workspace: &Workspace) -> Outcome {
        for (program, word) in self.needs {
            // `unshare --net true` shows the right to make a network of one's own.
            let words: &[&str] = if *program == "unshare" { &[word, "true"] } else { &[word] };
            let mut run = command(program, words, &workspace.root);
            run.env("PATH", search_path());
            let found = finish(run, INSTALL_LIMIT, QUIET);
            if !found.success {
                let why = format!("`{program}` doesn't run: {}", self.remedy);
                return Outcome::Skipped { why };
            }
        }
        let clients = workspace.root.join("load-tests/e2e");
        let servers = workspace.root.join("load-tests/parts");
        match self.kind {
            Kind::Npm => npm(&clients.join("node")),
            Kind::Pip => pip(&clients.join("python")),
            Kind::Go => go(&clients.join("go"), "bin/client"),
            Kind::System => Outcome::PASSED,
            Kind::GoServer => go(&servers.join("go"), "bin/s3"),
        }
    }

    /// Whether tests of single crates need it too, not only those of the whole.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.kind, Kind::System | Kind::GoServer)
    }
}

/// Where programs are: servers may be off a user's path, and Debian keeps PostgreSQL's off
/// everybody's.
pub(super) fn search_path() -> OsString {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .chain(versions.map(|version| version.path().join("bin")));
    // A folder with a colon in its name can't be on any path.
    env::join_paths(folders).unwrap_or(path)
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
fn go(folder: &Path, program: &str) -> Outcome {
    let build = command("go", &["build", "-mod=readonly", "-o", program, "."], folder);
    let finished = finish(build, INSTALL_LIMIT, QUIET);
    if finished.success { Outcome::PASSED } else { Outcome::Skipped { why: finished.output } }
}
