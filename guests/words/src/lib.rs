//! Counts words over many calls: maximal runs of ASCII letters, in lower case.
//!
//! Each export takes its text from the call's input and ends with a result of
//! text lines, `count word`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rust_storage_interface_library::{self as storage, Map, Result, Scan};

static WORDS: Map<&str, u64> = Map::new("words");

/// How many lines `top` has.
const TOP: usize = 10;

/// Counts the words of the input. Each distinct word is read and written once.
#[unsafe(no_mangle)]
pub extern "C" fn feed() -> i32 {
    end(|| {
        let text = storage::input_text().to_ascii_lowercase();
        let mut counts = BTreeMap::<&str, u64>::new();
        let mut all = 0_u64;
        let runs = text.split(|c: char| !c.is_ascii_lowercase());
        for word in runs.filter(|run| !run.is_empty()) {
            *counts.entry(word).or_default() += 1;
            all += 1;
        }
        for (word, count) in &counts {
            WORDS.update(word, |before| before.unwrap_or(0) + count)?;
        }
        Ok(format!("{all} words, {} distinct\n", counts.len()))
    })
}

/// The most frequent words; of equally frequent ones, the first by the alphabet.
#[unsafe(no_mangle)]
pub extern "C" fn top() -> i32 {
    end(|| {
        let mut rows = WORDS.iter().into_iter().collect::<Result<Vec<_>>>()?;
        rows.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        rows.truncate(TOP);
        Ok(lines(rows))
    })
}

/// The words of the input's range: `from to` gives every word w with from <= w < to.
#[unsafe(no_mangle)]
pub extern "C" fn range() -> i32 {
    let input = storage::input_text();
    let ends: Vec<&str> = input.split_whitespace().collect();
    match ends[..] {
        [from, to] => list(WORDS.range(from..to)),
        _ => storage::fail("range: the input must be two words, `from to`"),
    }
}

/// Every word.
#[unsafe(no_mangle)]
pub extern "C" fn all() -> i32 {
    list(WORDS.iter())
}

/// How many words were counted, and how many distinct ones.
#[unsafe(no_mangle)]
pub extern "C" fn total() -> i32 {
    end(|| {
        let (mut all, mut distinct) = (0_u64, 0_u64);
        for row in WORDS.iter() {
            all += row?.1;
            distinct += 1;
        }
        Ok(format!("{all} words, {distinct} distinct\n"))
    })
}

fn list(scan: Scan<&'static str, u64>) -> i32 {
    end(|| Ok(lines(scan.into_iter().collect::<Result<Vec<_>>>()?)))
}

fn lines(rows: Vec<(String, u64)>) -> String {
    let mut text = String::new();
    for (word, count) in rows {
        let _ = writeln!(text, "{count} {word}");
    }
    text
}

/// Ends the call with the text that `work` makes, or with its error.
fn end(work: impl FnOnce() -> Result<String>) -> i32 {
    storage::report_panics!();
    match work() {
        Ok(text) => storage::finish(text.as_bytes()),
        Err(error) => storage::fail(&error.to_string()),
    }
}
