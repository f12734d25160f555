//! Words that are often misspelt, in code and prose alike.

use std::collections::BTreeMap;

use crate::workspace::Source;

/// One pair a line: as it is written by mistake, as it should be.
const LIST: &str = include_str!("../../../spelling.txt");

pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    let pairs = LIST.lines().filter_map(|line| line.split_once(' '));
    let wrong: BTreeMap<&str, &str> = pairs.collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_ours(source)) {
        for (number, line) in source.text.lines().enumerate() {
            for word in words(line) {
                if let Some(right) = wrong.get(word.as_str()) {
                    let at = format!("{}:{}", source.path, number + 1);
                    findings.push(format!("{at}: {word}: write {right}"));
                }
            }
        }
    }
    findings
}

fn is_ours(source: &Source) -> bool {
    let ends = [".rs", ".md", ".js", ".mjs", ".html", ".css", ".py", ".go", ".toml", ".proto"];
    ends.iter().any(|end| source.path.ends_with(end))
}

/// Splits at anything that is no letter and before a capital: `sendBuffer` has two words.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for one in line.chars().chain([' ']) {
        let starts = one.is_uppercase() && was_lower;
        if (!one.is_alphabetic() || starts) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if one.is_alphabetic() {
            word.extend(one.to_lowercase());
        }
        was_lower = one.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Vec<String> {
        findings(&[Source { path: "docs/a.md".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_misspelt_word_is_named_with_the_right_one() {
        // In pieces, since this file is read too.
        let wrong = concat!("rec", "ieve");
        assert_eq!(
            judge(&format!("We {wrong} it.")),
            [format!("docs/a.md:1: {wrong}: write receive")]
        );
        assert_eq!(judge(&format!("fn {wrong}Buffer() {{}}")).len(), 1);
    }

    #[test]
    fn good_words_pass_in_either_spelling_of_english() {
        assert_eq!(judge("We receive the colour, the color, separate occurrences."), [""; 0]);
    }
}
