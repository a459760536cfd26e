//! The crash test in short, and the proof that it can fail: bugs planted on purpose
//! are found by it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// What the last line says, and whether the run called it good.
#[derive(Debug)]
struct Verdict {
    good: bool,
    backend: String,
    kills: u64,
    acknowledged: u64,
    unknown: u64,
    wrong_outcomes: u64,
    lost: u64,
    partial: u64,
    doubled: u64,
}

fn crash(backend: &str, more: &[&str]) -> Verdict {
    // Stores that are kept after a finding go with it.
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["crash", "--backend", backend])
        .args(more)
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    let last = out.lines().last().unwrap_or_default();
    let read = || {
        let (name, numbers) = last.strip_prefix("crash ")?.split_once(": ")?;
        let mut numbers = numbers.split(", ");
        let mut number = |word: &str| -> Option<u64> {
            let (found, number) = numbers.next()?.rsplit_once(' ')?;
            (found == word).then(|| number.parse().ok())?
        };
        Some(Verdict {
            good: output.status.success(),
            backend: name.to_owned(),
            kills: number("kills")?,
            acknowledged: number("acknowledged")?,
            unknown: number("unknown")?,
            wrong_outcomes: number("wrong outcomes")?,
            lost: number("lost")?,
            partial: number("partial")?,
            doubled: number("doubled")?,
        })
    };
    read().unwrap_or_else(|| panic!("{out}\n{err}"))
}

/// As many kills as there are kinds of them.
const KILLS: [&str; 2] = ["--kills", "12"];
const FOUR_WRITERS: [&str; 2] = ["--writers", "4"];

fn assert_good(backend: &str, more: &[&str]) {
    let verdict = crash(backend, &[&KILLS, more].concat());
    assert!(verdict.good, "{verdict:?}");
    let bad = [verdict.lost, verdict.partial, verdict.doubled];
    assert_eq!(bad, [0; 3], "{verdict:?}");
    assert_eq!(verdict.wrong_outcomes, 0, "{verdict:?}");
    assert_eq!(verdict.backend, backend);
    assert_eq!(verdict.kills, 12);
    assert!(verdict.acknowledged > 12, "{verdict:?}");
    assert!(verdict.unknown > 0, "{verdict:?}");
}

fn with_plant(backend: &str, plant: &str) -> Verdict {
    let plant = ["--plant", plant];
    crash(backend, &[KILLS, FOUR_WRITERS, plant].concat())
}

#[test]
fn every_acknowledged_commit_survives_kills_on_fjall_once_and_whole() {
    assert_good("fjall", &["--writers", "16"]);
}

#[test]
fn every_acknowledged_commit_survives_kills_on_redb_once_and_whole() {
    assert_good("redb", &["--writers", "16"]);
}

#[test]
fn os_buffer_survives_kills() {
    let words = ["--durability", "os-buffer", "--seed", "2"];
    assert_good("fjall", &[words.as_slice(), &FOUR_WRITERS].concat());
}

#[test]
fn a_commit_that_is_acknowledged_too_early_is_found_lost() {
    for backend in ["fjall", "redb"] {
        let verdict = with_plant(backend, "unsynced-acknowledge");
        assert!(!verdict.good && verdict.lost > 0, "{verdict:?}");
    }
}

#[test]
fn a_group_that_is_acknowledged_before_it_is_applied_is_found_lost() {
    for backend in ["fjall", "redb"] {
        let verdict = with_plant(backend, "unsynced-group");
        assert!(!verdict.good && verdict.lost > 0, "{verdict:?}");
    }
}

#[test]
fn a_batch_that_is_applied_in_two_steps_is_found_partial() {
    for backend in ["fjall", "redb"] {
        let verdict = with_plant(backend, "torn-apply");
        assert!(!verdict.good && verdict.partial > 0, "{verdict:?}");
    }
}

#[test]
fn an_invocation_that_is_run_twice_is_found_doubled() {
    for backend in ["fjall", "redb"] {
        let verdict = with_plant(backend, "run-twice");
        assert!(!verdict.good && verdict.doubled > 0, "{verdict:?}");
    }
}

#[test]
fn a_lost_attempt_that_counts_beside_its_second_is_found_doubled() {
    let words = ["--plant", "rerun-applied"];
    let verdict = crash("redb", &[KILLS, ["--writers", "16"], words].concat());
    assert!(!verdict.good && verdict.doubled > 0, "{verdict:?}");
}

#[test]
fn an_outcome_that_is_told_by_the_number_of_its_group_alone_is_found_wrong() {
    for backend in ["fjall", "redb"] {
        let verdict = with_plant(backend, "outcome-by-number");
        assert!(!verdict.good && verdict.wrong_outcomes > 0, "{verdict:?}");
        let others = [verdict.lost, verdict.partial, verdict.doubled];
        assert_eq!(others, [0; 3], "{verdict:?}");
    }
}

#[test]
fn a_commit_that_happened_and_is_called_unavailable_is_found_wrong() {
    let words = ["--plant", "unknown-as-unavailable", "--seed", "3"];
    let verdict = crash("redb", &[&KILLS, &FOUR_WRITERS, &words[..]].concat());
    assert!(!verdict.good && verdict.wrong_outcomes > 0, "{verdict:?}");
}

/// Nothing is planted here: the store in memory is what it says it is.
#[test]
fn everything_acknowledged_is_found_lost_where_nothing_is_kept() {
    let words = ["--durability", "memory"];
    let verdict = crash("memory", &[KILLS, FOUR_WRITERS, words].concat());
    assert!(!verdict.good, "{verdict:?}");
    assert_eq!(verdict.lost, verdict.acknowledged, "{verdict:?}");
    assert_eq!((verdict.partial, verdict.doubled), (0, 0), "{verdict:?}");
}
