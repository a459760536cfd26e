//! The history check in short, on every engine, and the proof that it can fail.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// Whether the run called itself good, and the lines of its standard output.
fn history(backend: &str, invocations: &str, more: &[&str]) -> (bool, Vec<String>) {
    let output = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["history", "--backend", backend])
        .args(["--invocations", invocations])
        .args(more)
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let lines = out.lines().map(str::to_owned).collect();
    (output.status.success(), lines)
}

#[track_caller]
fn assert_clean(backend: &str) {
    let (good, lines) = history(backend, "1500", &["--threads", "8"]);
    assert!(good, "{lines:?}");
    let last = lines.last().unwrap();
    let start = format!("check-history {backend}: threads 8, invocations 1500, committed ");
    assert!(last.starts_with(&start), "{last}");
    assert!(last.ends_with(", anomalies 0"), "{last}");

    let (good, lines) = history(backend, "1500", &["--workload", "bank"]);
    assert!(good, "{lines:?}");
    let sum = lines.iter().find(|line| line.starts_with("audits "));
    assert!(sum.unwrap().ends_with("sum constant: yes"), "{lines:?}");

    let (good, lines) = history(backend, "1000", &["--workload", "hot"]);
    assert!(good, "{lines:?}");
    assert_eq!(
        lines.last().unwrap(),
        &format!("check-history {backend}: threads 64, totals exact: yes")
    );
}

#[test]
fn every_history_on_fjall_is_strictly_serializable() {
    assert_clean("fjall");
}

#[test]
fn every_history_on_redb_is_strictly_serializable() {
    assert_clean("redb");
}

#[test]
fn every_history_in_memory_is_strictly_serializable() {
    assert_clean("memory");
}

#[test]
fn a_store_that_loses_updates_is_told_transaction_by_transaction() {
    let (good, lines) = history("broken", "1500", &["--workload", "bank"]);
    assert!(!good, "{lines:?}");
    let said = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(said("lost update (P4) of key "), "{lines:?}");
    assert!(said("lost update (P4): "), "{lines:?}");
    assert!(said("check-history broken: threads 8, invocations 1500, "));
}
