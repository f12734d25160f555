//! Who may depend on whom, and on what from outside.
//!
//! A crate that no rule names is refused: a new one gets its arrows before its first line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::workspace::{Metadata, Package};

/// What every sans-IO crate may name, whatever else its rule adds.
const PURE: &[&str] = &["bytes", "prost", "rand_chacha", "thiserror"];

/// What reaches an operating system, a clock or a source of chance. No core may bring one in, not
/// even by way of others.
const IMPURE: &[&str] = &[
    "aws-lc-rs",
    "fastrand",
    "getrandom",
    "mio",
    "rand",
    "reqwest",
    "rustix",
    "socket2",
    "tokio",
    "tracing-subscriber",
];

/// The libraries whose sole user among services is `sfu/rtc`, so that they can be exchanged.
const WEBRTC: &[&str] = &["dcsctp", "dimpl", "webrtc", "sctp-proto", "str0m"];

/// Real servers, which the tests of any shell may start.
const REAL_PARTS: &str = "load-tests/parts";

/// What a crate may depend on.
struct Rule {
    /// Folders of ours.
    ours: &'static [&'static str],
    /// Crates from outside; `None` means any but [`WEBRTC`].
    outside: Option<&'static [&'static str]>,
}

/// Returns the rule for the crate in `folder`.
fn rule(folder: &str) -> Option<Rule> {
    let any = |ours| Some(Rule { ours, outside: None });
    let only = |ours, outside| Some(Rule { ours, outside: Some(outside) });
    match folder {
        "proto" => {
            only(&[], &["base64", "prost-build", "prost-reflect", "protox", "serde", "serde_json"])
        }
        "proto/cluster" => any(&["proto"]),
        "service" => any(&["proto"]),
        "storage/database" | "storage/objects" | "storage/registry" => any(&["proto", "service"]),
        "sfu/core" | "signaling/core" | "recorder/core" | "turn/core" => only(&["proto"], &[]),
        "sfu/rtc" => {
            only(&["proto"], &["aes", "aws-lc-rs", "ctr", "dcsctp", "dimpl", "rcgen", "serde"])
        }
        "sfu/server" => {
            any(&["proto", "proto/cluster", "service", "sfu/core", "sfu/rtc", "storage/registry"])
        }
        "signaling/server" => any(&[
            "proto",
            "proto/cluster",
            "service",
            "signaling/core",
            "storage/database",
            "storage/objects",
            "storage/registry",
        ]),
        "recorder/server" => any(&[
            "proto",
            "proto/cluster",
            "recorder/core",
            "service",
            "storage/database",
            "storage/objects",
            "storage/registry",
        ]),
        "turn/server" => any(&["proto", "service", "turn/core"]),
        "adda" => any(&[
            "load-tests/load",
            "proto",
            "proto/cluster",
            "recorder/server",
            "service",
            "sfu/server",
            "signaling/server",
            "storage/database",
            "storage/objects",
            "storage/registry",
            "turn/server",
        ]),
        "load-tests/sim" | "load-tests/fuzz" => {
            any(&["proto", "recorder/core", "sfu/core", "sfu/rtc", "signaling/core", "turn/core"])
        }
        "load-tests/load" => any(&["proto", "sfu/rtc"]),
        "load-tests/e2e" => any(&[REAL_PARTS, "proto", "sfu/rtc"]),
        "load-tests/peer" => any(&["proto"]),
        REAL_PARTS | "xtask" => any(&[]),
        _ => None,
    }
}

pub(crate) fn findings(metadata: &Metadata) -> Vec<String> {
    let mut findings: Vec<String> = Vec::new();
    for (folder, package) in metadata.members() {
        match rule(folder) {
            None => {
                findings.push(format!("{folder}: has no arrows, so it isn't part of the design"))
            }
            Some(rule) => findings.extend(of_one(metadata, folder, package, &rule)),
        }
        if folder == "proto" || folder.ends_with("/core") {
            findings.extend(impurities(metadata, folder, package));
        }
    }
    findings
}

/// Judges the dependencies that one manifest names.
fn of_one(metadata: &Metadata, folder: &str, package: &Package, rule: &Rule) -> Vec<String> {
    let mut findings = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let is_test = dependency.kind.as_deref() == Some("dev");
        if let Some(path) = &dependency.path {
            let inside = path.strip_prefix(&metadata.workspace_root).unwrap_or(path);
            let target = inside.trim_start_matches('/');
            let is_for_tests = is_test && target == REAL_PARTS && is_shell(folder);
            if target != folder && !is_for_tests && !rule.ours.contains(&target) {
                findings.push(format!("{folder} → {target}: no such arrow"));
            }
        } else if is_test {
            // Tests may use an oracle of any kind.
        } else if let Some(outside) = rule.outside {
            if !outside.contains(&name) && !PURE.contains(&name) {
                findings.push(format!("{folder} → {name}: not on its list of allowed crates"));
            }
        } else if WEBRTC.contains(&name) && !folder.starts_with("load-tests/") {
            findings.push(format!("{folder} → {name}: only sfu/rtc names WebRTC libraries"));
        }
    }
    findings
}

/// Whether a crate may touch the operating system.
fn is_shell(folder: &str) -> bool {
    folder != "proto" && !folder.ends_with("/core")
}

/// Follows what a core brings in, build scripts and macros apart: those run on the builder.
fn impurities(metadata: &Metadata, folder: &str, package: &Package) -> Vec<String> {
    let packages: BTreeMap<&str, &Package> =
        metadata.packages.iter().map(|one| (one.id.as_str(), one)).collect();
    let edges: BTreeMap<&str, Vec<&str>> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            (node.id.as_str(), normal.map(|dependency| dependency.pkg.as_str()).collect())
        })
        .collect();
    let mut seen = BTreeSet::from([package.id.as_str()]);
    let mut queue = VecDeque::from([package.id.as_str()]);
    let mut findings = Vec::new();
    while let Some(id) = queue.pop_front() {
        for next in edges.get(id).into_iter().flatten() {
            let Some(dependency) = packages.get(next) else { continue };
            let is_macro = dependency
                .targets
                .iter()
                .any(|target| target.kind.iter().any(|kind| kind == "proc-macro"));
            if is_macro || !seen.insert(next) {
                continue;
            }
            if IMPURE.contains(&dependency.name.as_str()) {
                let by = packages.get(id).map_or("", |one| one.name.as_str());
                findings.push(format!("{folder}: {} arrives by way of {by}", dependency.name));
            }
            queue.push_back(next);
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn crate_in(folder: &str, dependencies: Value) -> Value {
        json!({
            "id": folder, "name": folder.replace('/', "-"), "targets": [],
            "manifest_path": format!("/root/{folder}/Cargo.toml"), "dependencies": dependencies,
        })
    }

    fn outside(name: &str, kind: Option<&str>) -> Value {
        json!({ "name": name, "kind": kind, "path": null })
    }

    fn ours(folder: &str) -> Value {
        json!({ "name": folder.replace('/', "-"), "kind": null, "path": format!("/root/{folder}") })
    }

    fn judge(packages: Vec<Value>, members: &[&str], nodes: Value) -> Vec<String> {
        let metadata = json!({
            "packages": packages, "workspace_members": members, "workspace_root": "/root",
            "resolve": { "nodes": nodes },
        });
        findings(&serde_json::from_value(metadata).expect("what cargo prints"))
    }

    fn judge_one(folder: &str, dependencies: Value) -> Vec<String> {
        judge(vec![crate_in(folder, dependencies)], &[folder], json!([]))
    }

    #[test]
    fn what_the_design_draws_is_allowed() {
        let own = json!([ours("sfu/core"), ours("sfu/rtc"), ours("proto"), ours("service")]);
        assert_eq!(judge_one("sfu/server", own), [""; 0]);
        let core = json!([ours("proto"), outside("bytes", None), outside("arbtest", Some("dev"))]);
        assert_eq!(judge_one("sfu/core", core), [""; 0]);
    }

    #[test]
    fn a_service_that_names_another_is_refused() {
        let found = judge_one("signaling/server", json!([ours("sfu/core")]));
        assert_eq!(found, ["signaling/server → sfu/core: no such arrow"]);
    }

    #[test]
    fn real_servers_are_for_the_tests_of_shells() {
        let (mut normal, mut test) = (ours(REAL_PARTS), ours(REAL_PARTS));
        normal["kind"] = Value::Null;
        test["kind"] = json!("dev");
        assert_eq!(judge_one("storage/registry", json!([test.clone()])), [""; 0]);
        assert_eq!(judge_one("storage/registry", json!([normal])).len(), 1);
        assert_eq!(judge_one("recorder/core", json!([test])).len(), 1);
    }

    #[test]
    fn a_core_that_names_tokio_is_refused() {
        let found = judge_one("sfu/core", json!([outside("tokio", None)]));
        assert_eq!(found, ["sfu/core → tokio: not on its list of allowed crates"]);
    }

    #[test]
    fn a_service_that_names_a_webrtc_library_is_refused() {
        let found = judge_one("sfu/server", json!([outside("dimpl", None)]));
        assert_eq!(found, ["sfu/server → dimpl: only sfu/rtc names WebRTC libraries"]);
    }

    #[test]
    fn a_crate_outside_the_design_is_refused() {
        assert_eq!(judge_one("tools/new", json!([])).len(), 1);
    }

    #[test]
    fn a_core_that_gets_a_socket_by_way_of_others_is_refused() {
        let packages = vec![
            crate_in("sfu/core", json!([outside("bytes", None)])),
            crate_in("bytes", json!([])),
            crate_in("mio", json!([])),
        ];
        let edge = |to: &str| json!([{ "pkg": to, "dep_kinds": [{ "kind": null }] }]);
        let nodes = json!([
            { "id": "sfu/core", "deps": edge("bytes") },
            { "id": "bytes", "deps": edge("mio") },
        ]);
        let found = judge(packages, &["sfu/core"], nodes);
        assert_eq!(found, ["sfu/core: mio arrives by way of bytes"]);
    }
}
