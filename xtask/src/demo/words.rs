//! What the demo's word counts must be: those of the shell's own tools.
//!
//! A word is a maximal run of ASCII letters, lowercased; the guest `words` counts by the same
//! sentence. A text is a list of lines `count word`, which `uniq -c` and the guest both print.

use crate::error::{Error, Result};
use crate::process;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// No word runs from one file into the next: each ends with a line feed here.
const SHELL: &str = r#"for f in "$@"; do cat "$f"; echo; done |
    tr -cs 'A-Za-z' '\n' | tr 'A-Z' 'a-z' | sort | uniq -c"#;

/// How often each word occurs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<String, u64>);

/// Counts the words of files by `tr | sort | uniq -c`.
pub(super) fn by_shell(files: &[PathBuf]) -> Result<Counts> {
    let mut shell = process::command("sh");
    shell
        .args(["-c", SHELL, "sh"])
        .args(files)
        .env("LC_ALL", "C");
    println!(
        "$ for f in FILES; do cat $f; echo; done | tr -cs 'A-Za-z' '\\n' | tr 'A-Z' 'a-z' | sort | uniq -c"
    );
    parse(&process::output(&mut shell)?)
}

/// Reads lines of `count word`; `uniq -c` indents, and counts the empty line before the first word.
pub(super) fn parse(text: &str) -> Result<Counts> {
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split_whitespace();
        let count = parts.next().and_then(|count| count.parse::<u64>().ok());
        match (count, parts.next(), parts.next()) {
            (Some(count), Some(word), None) => match counts.insert(word.to_owned(), count) {
                None => {}
                Some(_) => return Err(Error::new(format!("{word:?} is counted on two lines"))),
            },
            (Some(_), None, _) => {}
            _ => return Err(Error::new(format!("{line:?} is not a line `count word`"))),
        }
    }
    Ok(Counts(counts))
}

impl Counts {
    /// Different words.
    pub(super) fn distinct(&self) -> usize {
        self.0.len()
    }

    /// All words, repeated ones as often as they occur.
    pub(super) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The most frequent words, the most frequent first.
    pub(super) fn most(&self, limit: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|(word, count)| (word.as_str(), *count))
            .collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all.truncate(limit);
        all
    }

    /// The words from `from` to before `to`.
    pub(super) fn range(&self, from: &str, to: &str) -> Self {
        let within = self.0.range::<str, _>((
            std::ops::Bound::Included(from),
            std::ops::Bound::Excluded(to),
        ));
        Self(within.map(|(word, count)| (word.clone(), *count)).collect())
    }

    /// Whether every word of `part` is counted alike here.
    pub(super) fn agrees_on(&self, part: &Self) -> bool {
        part.0
            .iter()
            .all(|(word, count)| self.0.get(word) == Some(count))
    }

    /// The first word that `other` counts differently.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let words = self.0.keys().chain(other.0.keys());
        let mut counts = words.map(|word| (word, self.0.get(word), other.0.get(word)));
        let (word, ours, theirs) = counts.find(|(_, ours, theirs)| ours != theirs)?;
        let shown = |count: Option<&u64>| count.map_or("no".to_owned(), ToString::to_string);
        Some(format!(
            "{word}: {} by the shell, {} by the guest",
            shown(ours),
            shown(theirs)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_uniq_prints() {
        let counts = parse("      1 \n     12 the\n      3 of\n").unwrap();
        assert_eq!((counts.distinct(), counts.total()), (2, 15));
        assert_eq!(counts, parse("3 of\n12 the").unwrap());
        assert!(parse("the 12").is_err());
        assert!(parse("1 a b").is_err());
        assert!(parse("1 a\n2 a").is_err());
    }

    #[test]
    fn the_most_frequent_come_first_and_a_range_ends_before_its_end() {
        let counts = parse("1 a\n5 b\n3 c\n").unwrap();
        assert_eq!(counts.most(2), [("b", 5), ("c", 3)]);
        assert_eq!(counts.range("a", "c"), parse("1 a\n5 b").unwrap());
        assert_eq!(counts.range("b", "bb").distinct(), 1);
    }

    #[test]
    fn a_difference_names_the_word_and_both_counts() {
        let (shell, guest) = (parse("2 a\n1 b").unwrap(), parse("2 a\n4 b\n").unwrap());
        assert_eq!(
            shell.difference(&guest).as_deref(),
            Some("b: 1 by the shell, 4 by the guest")
        );
        let missing = parse("2 a").unwrap();
        assert_eq!(
            shell.difference(&missing).as_deref(),
            Some("b: 1 by the shell, no by the guest")
        );
        assert_eq!(shell.difference(&shell), None);
        assert!(shell.agrees_on(&missing) && !shell.agrees_on(&guest));
    }
}
