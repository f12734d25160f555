//! Reads Rust just far enough to see which paths a file names.

/// Returns `text` without comments and with string and character literals emptied; line breaks
/// stay, so that positions keep their line.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, out.chars().next_back()) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if is_char_literal(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (gone, after) = rest.split_at(skipped.min(rest.len()));
        out.extend(gone.chars().filter(|one| *one == '\n'));
        out.push(' ');
        rest = after;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, unless the `r` ends a longer name.
fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|one| one.is_alphanumeric() || one == '_') {
        return None;
    }
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let quoted = body.trim_start_matches('#');
    let hashes = "#".repeat(body.len() - quoted.len());
    let inside = quoted.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let length = inside.find(&end).unwrap_or(inside.len());
    Some(text.len() - inside.len() + length + end.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, one) in text.char_indices().skip(1) {
        match one {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if one == quote => return at + one.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_char_literal(text: &str) -> bool {
    let mut chars = text.chars();
    let (first, second, third) = (chars.next(), chars.next(), chars.next());
    first == Some('\'') && (second == Some('\\') || third == Some('\''))
}

/// Every path that `text` names, `use` trees written out: `std::net::UdpSocket`, with its line.
pub(crate) fn paths(text: &str) -> Vec<(usize, String)> {
    let clean = without_comments(text);
    let mut paths = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut prefix = String::new();
    let mut is_use = false;
    for (line, token) in tokens(&clean) {
        match token {
            "use" => {
                is_use = true;
                prefix.clear();
            }
            ";" if is_use => {
                flush(&mut paths, line, &mut prefix, &open);
                is_use = false;
                open.clear();
            }
            "{" if is_use => {
                open.push(std::mem::take(&mut prefix));
            }
            "," | "}" if is_use => {
                flush(&mut paths, line, &mut prefix, &open);
                if token == "}" {
                    open.pop();
                }
            }
            _ if is_path_part(token) => prefix.push_str(token),
            _ => flush(&mut paths, line, &mut prefix, &open),
        }
    }
    paths
}

fn flush(paths: &mut Vec<(usize, String)>, line: usize, prefix: &mut String, open: &[String]) {
    if !prefix.is_empty() {
        paths.push((line, format!("{}{prefix}", open.concat())));
        prefix.clear();
    }
}

fn is_path_part(token: &str) -> bool {
    token == "::" || token.starts_with(|one: char| one.is_alphabetic() || one == '_')
}

/// Names, `::` and single signs, each with the number of its line. Two names in a row get an
/// empty sign between them, so that `as x` and `fn x` don't run together.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = if first.is_alphanumeric() || first == '_' {
                rest.find(|one: char| !one.is_alphanumeric() && one != '_').unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, after) = rest.split_at(length);
            rest = after;
            if token.trim().is_empty() {
                continue;
            }
            let follows_name = tokens.last().is_some_and(|(_, last): &(usize, &str)| is_name(last));
            if follows_name && is_name(token) {
                tokens.push((number + 1, ""));
            }
            tokens.push((number + 1, token));
        }
    }
    tokens
}

fn is_name(token: &str) -> bool {
    token != "::" && is_path_part(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        paths(text).into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn a_use_tree_is_written_out() {
        let tree = "use std::{fs, net::{IpAddr, UdpSocket as Socket}, time::Instant};";
        let paths = named(tree);
        for path in ["std::fs", "std::net::IpAddr", "std::net::UdpSocket", "std::time::Instant"] {
            assert!(paths.iter().any(|one| one == path), "{path} in {paths:?}");
        }
    }

    #[test]
    fn a_path_in_an_expression_is_seen_with_its_line() {
        let text = "fn f() -> Instant {\n    std::time::Instant::now()\n}";
        assert!(paths(text).contains(&(2, "std::time::Instant::now".to_owned())));
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        let text = "// std::fs\n/* std::fs /* std::fs */ */ let a = \"std::fs\"; let b = 'x';\n\
                    let c = r#\"std::fs \" \"#; fn d<'a>(e: &'a str) {}";
        assert!(!named(text).iter().any(|path| path.contains("fs")), "{:?}", named(text));
    }
}
