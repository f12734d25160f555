//! How files look before anybody reads them.

use std::collections::BTreeMap;

use crate::{check::rust, workspace::Source};

/// Lines of production code in one file.
const FILE_LINES_MAX: usize = 500;
/// Lines of a file of tests, which tell many small stories.
const TEST_FILE_LINES_MAX: usize = 1000;
const LINE_CHARS_MAX: usize = 100;
/// A crate with fewer lines of code than this is a stub.
const CRATE_LINES_MIN: usize = 10;

/// Names that say nothing about what is inside.
const REFUSED_NAMES: &[&str] =
    &["utils", "util", "common", "helpers", "helper", "misc", "types", "shared"];

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        findings.extend(name(source));
        findings.extend(unfinished(source));
        if source.is_rust() {
            findings.extend(first_line(source));
            findings.extend(length(source));
            findings.extend(untested_example(source));
        }
        if is_code(source) {
            findings.extend(wide_lines(source));
        }
        if source.file_name() == "Cargo.toml" {
            findings.extend(manifest(source));
        }
    }
    findings.extend(stubs(sources));
    findings
}

fn is_code(source: &Source) -> bool {
    let ends = [".rs", ".js", ".mjs", ".go", ".py", ".css"];
    ends.iter().any(|end| source.path.ends_with(end))
}

fn name(source: &Source) -> Option<String> {
    let path = &source.path;
    if source.file_name() == "mod.rs" {
        return Some(format!("{path}: a module is `foo.rs` beside `foo/`"));
    }
    let mut stems = path.split('/').map(|part| part.split('.').next().unwrap_or_default());
    let refused = stems.find(|stem| REFUSED_NAMES.contains(stem));
    refused.map(|stem| format!("{path}: `{stem}` names nothing; say what is inside"))
}

fn unfinished(source: &Source) -> Vec<String> {
    // In pieces, since this file is read too.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("HA", "CK")];
    let is_word = |line: &str, mark: &str| {
        line.match_indices(mark).any(|(at, _)| {
            let before = line.get(..at).and_then(|text| text.chars().next_back());
            let after = line.get(at + mark.len()..).and_then(|text| text.chars().next());
            let joined = |one: Option<char>| one.is_some_and(char::is_alphanumeric);
            !joined(before) && !joined(after)
        })
    };
    let mut findings = Vec::new();
    // Written by tools, with words of their own.
    if [".lock", ".sum", ".svg"].iter().any(|end| source.path.ends_with(end)) {
        return findings;
    }
    for (number, line) in source.text.lines().enumerate() {
        if let Some(mark) = marks.iter().find(|mark| is_word(line, mark)) {
            findings.push(format!("{}:{}: {mark}: finish it", source.path, number + 1));
        }
    }
    findings
}

fn first_line(source: &Source) -> Option<String> {
    let says = source.text.starts_with("//! ");
    (!says).then(|| format!("{}:1: begins with `//!` and what it is", source.path))
}

/// No step runs examples in documentation: looking for them costs a minute, and there is none.
fn untested_example(source: &Source) -> Option<String> {
    let is_fence = |line: &str| {
        let doc = ["///", "//!"].iter().find_map(|start| line.trim_start().strip_prefix(start));
        doc.is_some_and(|doc| doc.trim_start().starts_with("```"))
    };
    let at = source.text.lines().position(is_fence)?;
    Some(format!("{}:{}: an example that no test runs: make it a test", source.path, at + 1))
}

fn length(source: &Source) -> Option<String> {
    let is_test = source.path.contains("/tests/");
    let (lines, most) = if is_test {
        (source.text.lines().count(), TEST_FILE_LINES_MAX)
    } else {
        (source.production().lines().count(), FILE_LINES_MAX)
    };
    (lines > most).then(|| format!("{}: {lines} lines of at most {most}", source.path))
}

/// Comments too wide to read. Code is as wide as its formatter makes it.
fn wide_lines(source: &Source) -> Vec<String> {
    let is_wide =
        |line: &str| line.trim_start().starts_with("//") && line.chars().count() > LINE_CHARS_MAX;
    let lines = source.text.lines().enumerate();
    let wide = lines.filter(|(_, line)| source.is_rust() && is_wide(line));
    wide.map(|(number, line)| {
        let chars = line.chars().count();
        format!("{}:{}: {chars} characters of {LINE_CHARS_MAX}", source.path, number + 1)
    })
    .collect()
}

fn manifest(source: &Source) -> Option<String> {
    let is_crate = source.text.contains("[package]");
    let inherits = source.text.contains("[lints]\nworkspace = true");
    (is_crate && !inherits).then(|| format!("{}: lacks `[lints] workspace = true`", source.path))
}

/// Crates that hold a place for later.
fn stubs(sources: &[Source]) -> Vec<String> {
    let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
    let folders = sources.iter().filter_map(|source| source.path.strip_suffix("/Cargo.toml"));
    for folder in folders {
        lines.insert(folder, 0);
    }
    for source in sources.iter().filter(|source| source.is_rust()) {
        let owner = lines.iter_mut().filter(|(folder, _)| source.path.starts_with(**folder));
        let code = rust::without_comments(&source.text);
        let count = code.lines().filter(|line| !line.trim().is_empty()).count();
        for (_, sum) in owner {
            *sum += count;
        }
    }
    let stubs = lines.iter().filter(|(_, lines)| **lines < CRATE_LINES_MIN);
    stubs
        .map(|(folder, _)| format!("{folder}: an empty crate; write it when it is needed"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    fn judge(path: &str, text: &str) -> Vec<String> {
        findings(&[source(path, text)])
    }

    #[test]
    fn a_tidy_file_is_left_alone() {
        assert_eq!(judge("a/src/room.rs", "//! A room.\nfn f() {}\n"), [""; 0]);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_refused() {
        assert_eq!(judge("a/src/room.rs", "fn f() {}\n").len(), 1);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in ["a/src/utils.rs", "a/src/common/b.rs", "a/src/mod.rs", "web/helpers.js"] {
            assert_eq!(judge(path, "//! Things.\n").len(), 1, "{path}");
        }
    }

    #[test]
    fn unfinished_work_is_refused() {
        let text = format!("//! A.\n// {}: later\n", concat!("TO", "DO"));
        assert_eq!(judge("a/src/b.rs", &text).len(), 1);
    }

    #[test]
    fn examples_that_nothing_runs_are_refused() {
        assert_eq!(judge("a/src/b.rs", "//! A.\n\n/// ```\n/// f();\n/// ```\n").len(), 1);
    }

    #[test]
    fn long_files_and_wide_lines_are_refused() {
        let long = format!("//! A.\n{}", "fn f() {}\n".repeat(500));
        assert_eq!(judge("a/src/b.rs", &long).len(), 1);
        let tested = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}", "fn f() {}\n".repeat(600));
        assert_eq!(judge("a/src/b.rs", &tested), [""; 0]);
        let wide = format!("//! A.\n// {}\n", "x".repeat(100));
        assert_eq!(judge("a/src/b.rs", &wide).len(), 1);
    }

    #[test]
    fn a_crate_without_our_lints_or_without_code_is_refused() {
        let manifest = "[package]\n[lints]\nworkspace = true\n";
        let body = "fn f() {}\n".repeat(20);
        let full = source("a/src/lib.rs", &format!("//! A.\n{body}"));
        assert_eq!(findings(&[source("a/Cargo.toml", manifest), full.clone()]), [""; 0]);
        assert_eq!(findings(&[source("a/Cargo.toml", "[package]\n"), full]).len(), 1);
        let empty = source("a/src/lib.rs", "//! See elsewhere.\n");
        assert_eq!(findings(&[source("a/Cargo.toml", manifest), empty]).len(), 1);
    }
}
