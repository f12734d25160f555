//! The project's files and crates, as git and cargo list them.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::command::{Show, command, finish};

/// Where the project lies and what belongs to it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

/// One file that is, or could be, committed. `path` is relative to the root.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask lies in the root's folder")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    /// Every file that git knows, or would if it were added; of one that is no text, the name.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let finished =
            finish(command("git", &list, &self.root), Duration::from_secs(60), Show::OnFailure);
        ensure!(finished.success, "git ls-files: {}", finished.output);
        let paths: BTreeSet<&str> = finished.output.trim_end().split('\0').collect();
        let read = |path: &&str| {
            let text = String::from_utf8(fs::read(self.root.join(path)).ok()?).unwrap_or_default();
            Some(Source { path: (*path).to_owned(), text })
        };
        Ok(paths.iter().filter(|path| !path.is_empty()).filter_map(read).collect())
    }

    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let list = ["metadata", "--format-version", "1", "--locked"];
        let mut metadata = command("cargo", &list, &self.root);
        metadata.stderr(std::process::Stdio::inherit());
        let output = metadata.output().context("cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata failed: see above");
        serde_json::from_slice(&output.stdout).context("cargo metadata")
    }
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The lines before the file's own tests.
    pub(crate) fn production(&self) -> &str {
        let tests = self.text.find("#[cfg(test)]\nmod tests {");
        tests.and_then(|start| self.text.get(..start)).unwrap_or(&self.text)
    }
}

/// The part of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: BTreeSet<String>,
    pub(crate) workspace_root: String,
    pub(crate) resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Absent for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// Set when it is one of ours.
    pub(crate) path: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct NodeDependency {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DependencyKind {
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Our crates, each with its folder relative to the root: `sfu/core`.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Package)> {
        let ours = self.packages.iter().filter(|one| self.workspace_members.contains(&one.id));
        ours.map(|package| (self.folder(package), package))
    }

    /// The integration tests of the crates that `is_wanted` picks by name, as `cargo test --test`
    /// names them.
    pub(crate) fn tests(&self, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<&str> {
        let crates = self.members().map(|(_, package)| package);
        let targets = crates.filter(|it| is_wanted(&it.name)).flat_map(|it| &it.targets);
        let tests = targets.filter(|target| target.kind.iter().any(|kind| kind == "test"));
        tests.map(|target| target.name.as_str()).collect()
    }

    fn folder<'a>(&self, package: &'a Package) -> &'a str {
        let inside = package.manifest_path.strip_prefix(&self.workspace_root);
        let folder = inside.and_then(|rest| rest.strip_suffix("/Cargo.toml"));
        folder.map_or("", |rest| rest.trim_start_matches('/'))
    }
}
