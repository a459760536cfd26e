//! The pages in `docs/` name the tests that prove what they say: whether those tests exist.
//!
//! A name in backticks that could be a test's (lower case, four words or more) must be a function
//! of some Rust file here. `name…` stands for all that begin so, `…name` for all that end so.

use crate::error::{At, Error, Result};
use crate::workspace::Workspace;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders without anything of ours in them.
const LEFT_OUT: &[&str] = &["target", "node_modules"];
/// Words that a test's name has at least; function names of the libraries have fewer.
const WORDS: usize = 4;

/// Checks all pages.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let functions: BTreeSet<String> = files(&workspace.root, "rs")?
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<_>>>()?
        .iter()
        .flat_map(|text| functions(text))
        .collect();
    let mut missing = Vec::new();
    let mut named = 0;
    for page in files(&workspace.root.join("docs"), "md")? {
        let text = read(&page)?;
        for name in names(&text) {
            named += 1;
            if !exists(&name, &functions) {
                missing.push(format!("{}: {name}", workspace.short(&page).display()));
            }
        }
    }
    if missing.is_empty() {
        println!("{named} tests are named in docs/, and all are there");
        return Ok(());
    }
    Err(Error::new(format!(
        "docs/ names tests that do not exist:\n  {}",
        missing.join("\n  ")
    ))
    .remedy("name the test that proves the sentence now, or take the sentence back"))
}

/// The files below a folder with this ending, hidden and generated folders left out.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).at("read", folder)?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.at("read", folder)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && !LEFT_OUT.contains(&&*name) {
                found.extend(files(&path, ending)?);
            }
        } else if path.extension().is_some_and(|of| of == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).at("read", path)
}

/// The names of all functions in a source text.
fn functions(source: &str) -> Vec<String> {
    source
        .split("fn ")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| is_of_name(*c)).collect())
        .collect()
}

fn is_of_name(character: char) -> bool {
    character == '_' || character.is_ascii_lowercase() || character.is_ascii_digit()
}

/// What a page has in backticks that could be the name of a test.
fn names(page: &str) -> Vec<String> {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| {
            let bare = quoted.trim_matches('…');
            let words = bare.split('_').filter(|word| !word.is_empty()).count();
            words >= WORDS && bare.chars().all(is_of_name)
        })
        .map(str::to_owned)
        .collect()
}

fn exists(name: &str, functions: &BTreeSet<String>) -> bool {
    let bare = name.trim_matches('…');
    match (name.starts_with('…'), name.ends_with('…')) {
        (false, false) => functions.contains(bare),
        (starts_open, ends_open) => functions.iter().any(|function| {
            (starts_open || function.starts_with(bare))
                && (ends_open || function.ends_with(bare))
                && function.contains(bare)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{exists, functions, names};

    #[test]
    fn names_of_tests_are_found_in_a_page_and_others_are_not() {
        let page = "It holds (`a_test_that_shows_it`, `…_on_redb_too_here…`). `wasm_storage_v1`, `KEY_BYTES`, `a b c d e`.";
        assert_eq!(names(page), ["a_test_that_shows_it", "…_on_redb_too_here…"]);
    }

    #[test]
    fn a_name_must_be_a_function_or_a_part_of_one_where_it_says_so() {
        let source = "#[test]\nfn a_test_that_shows_it() {}\nasync fn other<T>() {}";
        let functions = functions(source).into_iter().collect();
        assert!(exists("a_test_that_shows_it", &functions));
        assert!(exists("a_test_that…", &functions));
        assert!(exists("…that_shows_it", &functions));
        assert!(exists("…that_shows…", &functions));
        assert!(!exists("a_test_that", &functions));
        assert!(!exists("…a_test_that", &functions));
        assert!(!exists("a_test_of_old", &functions));
    }
}
