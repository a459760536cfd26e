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
    lost: u64,
    partial: u64,
    doubled: u64,
}

fn crash(backend: &str, more: &[&str]) -> Verdict {
    // Stores that are kept after a finding go with it.
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["crash", "--kills", "10", "--backend", backend])
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
            let (found, number) = numbers.next()?.split_once(' ')?;
            (found == word).then(|| number.parse().ok())?
        };
        Some(Verdict {
            good: output.status.success(),
            backend: name.to_owned(),
            kills: number("kills")?,
            acknowledged: number("acknowledged")?,
            lost: number("lost")?,
            partial: number("partial")?,
            doubled: number("doubled")?,
        })
    };
    read().unwrap_or_else(|| panic!("{out}\n{err}"))
}

fn assert_good(backend: &str, more: &[&str]) {
    let verdict = crash(backend, more);
    assert!(verdict.good, "{verdict:?}");
    assert_eq!(
        (verdict.lost, verdict.partial, verdict.doubled),
        (0, 0, 0),
        "{verdict:?}"
    );
    assert_eq!(verdict.backend, backend);
    assert_eq!(verdict.kills, 10);
    assert!(verdict.acknowledged > 10, "{verdict:?}");
}

#[test]
fn every_acknowledged_commit_survives_kills_on_fjall_once_and_whole() {
    assert_good("fjall", &[]);
}

#[test]
fn every_acknowledged_commit_survives_kills_on_redb_once_and_whole() {
    assert_good("redb", &[]);
}

#[test]
fn os_buffer_survives_kills() {
    assert_good("fjall", &["--durability", "os-buffer", "--seed", "2"]);
}

#[test]
fn a_commit_that_is_acknowledged_too_early_is_found_lost() {
    for backend in ["fjall", "redb"] {
        let verdict = crash(backend, &["--plant", "unsynced-acknowledge"]);
        assert!(!verdict.good && verdict.lost > 0, "{verdict:?}");
    }
}

#[test]
fn a_batch_that_is_applied_in_two_steps_is_found_partial() {
    for backend in ["fjall", "redb"] {
        let verdict = crash(backend, &["--plant", "torn-apply"]);
        assert!(!verdict.good && verdict.partial > 0, "{verdict:?}");
    }
}

#[test]
fn an_invocation_that_is_run_twice_is_found_doubled() {
    for backend in ["fjall", "redb"] {
        let verdict = crash(backend, &["--plant", "run-twice"]);
        assert!(!verdict.good && verdict.doubled > 0, "{verdict:?}");
    }
}

/// Nothing is planted here: the store in memory is what it says it is.
#[test]
fn everything_acknowledged_is_found_lost_where_nothing_is_kept() {
    let verdict = crash("memory", &["--durability", "memory"]);
    assert!(!verdict.good, "{verdict:?}");
    assert_eq!(verdict.lost, verdict.acknowledged, "{verdict:?}");
    assert_eq!((verdict.partial, verdict.doubled), (0, 0), "{verdict:?}");
}
