//! Every link in a document leads to a file of ours, and to a heading in it.

use std::collections::BTreeSet;

use crate::workspace::Source;

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let files: BTreeSet<&str> = sources.iter().map(|source| source.path.as_str()).collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (line, target) in links(&source.text) {
            if let Err(why) = resolve(sources, &files, &source.path, &target) {
                findings.push(format!("{}:{line}: {target}: {why}", source.path));
            }
        }
    }
    findings
}

/// Targets of `[text](target)` and `![text](target)` outside code, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut is_code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect();
        for (at, _) in prose.match_indices("](") {
            let target = prose.get(at + 2..).and_then(|rest| rest.split_once(')'));
            links.extend(target.map(|(target, _)| (number + 1, target.to_owned())));
        }
    }
    links
}

fn resolve(
    sources: &[Source],
    files: &BTreeSet<&str>,
    from: &str,
    target: &str,
) -> Result<(), &'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { from.to_owned() } else { join(from, path) };
    let folder = format!("{}/", file.trim_end_matches('/'));
    let is_folder = files.iter().any(|one| one.starts_with(&folder));
    if !files.contains(file.as_str()) && !is_folder {
        return Err("no such file");
    }
    if anchor.is_empty() {
        return Ok(());
    }
    let text = sources.iter().find(|source| source.path == file).map(|source| &source.text);
    let headings = text.into_iter().flat_map(|text| text.lines());
    let mut anchors = headings.filter(|line| line.starts_with('#')).map(slug);
    if anchors.any(|one| one == anchor) { Ok(()) } else { Err("no such heading") }
}

/// Resolves `path` as seen from the file `from`.
fn join(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// The anchor that a forge gives a heading.
fn slug(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|one| one.is_alphanumeric() || matches!(one, ' ' | '-' | '_'));
    kept.map(|one| if one == ' ' { '-' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        findings(&[
            source("docs/a.md", text),
            source("docs/sub/b.md", "# One way: `in`\n"),
            source("README.md", "# Adda\n"),
        ])
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let text = "# Here\n[a](sub/b.md) [b](../README.md#adda) [c](sub/b.md#one-way-in)\n\
                    [d](#here) [e](sub) [f](https://example.org/x)\n\
                    `[code](nowhere.md)`\n```\n[code](nowhere.md)\n```\n";
        assert_eq!(judge(text), [""; 0]);
    }

    #[test]
    fn links_that_lead_nowhere_are_named() {
        let found = judge("[a](sub/c.md)\n[b](sub/b.md#two)\n");
        let expected =
            ["docs/a.md:1: sub/c.md: no such file", "docs/a.md:2: sub/b.md#two: no such heading"];
        assert_eq!(found, expected);
    }
}
