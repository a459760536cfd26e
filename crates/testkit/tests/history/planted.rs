//! Stores with one defect each: the checker finds it, under the name that the
//! literature has for it.

use wasm_storage_engine::Store;
use wasm_storage_testkit::history::broken::{Broken, Defect};
use wasm_storage_testkit::history::workload::{Plan, Run, Workload, run};
use wasm_storage_testkit::history::{Anomaly, Finding, Report, check};

/// Runs a workload on a store with this defect, on other seeds until the anomaly is
/// found: what overlaps is up to the machine.
#[track_caller]
fn found(anomaly: Anomaly, defect: Defect, workload: Workload) -> (Run, Report) {
    let mut last = Report::default();
    for seed in 0..20 {
        let store = Store::new(Broken::new(defect));
        let plan = Plan {
            workload,
            threads: 6,
            invocations: 1000,
            seed,
            rerun: false,
        };
        let run = run(&store, &plan, &mut |_| {}).unwrap();
        last = check(&run.history);
        if last.count(anomaly) > 0 {
            return (run, last);
        }
    }
    panic!("no {anomaly} was found\n{last}")
}

#[test]
fn read_committed_has_lost_updates_and_read_skew() {
    for anomaly in [Anomaly::LostUpdate, Anomaly::ReadSkew, Anomaly::FuzzyRead] {
        found(anomaly, Defect::ReadCommitted, Workload::Mixed);
    }
    let (run, _) = found(Anomaly::ReadSkew, Defect::ReadCommitted, Workload::Bank);
    assert!(!run.rule_broken.is_empty(), "every audit saw the same sum");
}

#[test]
fn snapshot_isolation_has_write_skew_and_nothing_else() {
    let (_, report) = found(Anomaly::WriteSkew, Defect::NoReadValidation, Workload::Skew);
    assert_eq!(
        report.count(Anomaly::WriteSkew),
        report.anomalies(),
        "{report}"
    );
    found(Anomaly::Phantom, Defect::NoReadValidation, Workload::Mixed);
}

#[test]
fn the_last_writer_wins_is_lost_updates() {
    for workload in [Workload::Mixed, Workload::Bank] {
        found(Anomaly::LostUpdate, Defect::LastWriterWins, workload);
    }
}

#[test]
fn dirty_reads_are_aborted_reads() {
    for workload in [Workload::Mixed, Workload::Bank] {
        found(Anomaly::AbortedRead, Defect::DirtyReads, workload);
    }
}

#[test]
fn a_commit_in_pieces_is_read_skew() {
    found(Anomaly::ReadSkew, Defect::FracturedCommits, Workload::Mixed);
}

#[test]
fn old_snapshots_are_stale_reads_and_serializable() {
    let (_, report) = found(Anomaly::StaleRead, Defect::StaleSnapshots, Workload::Mixed);
    let in_real_time = |finding: &Finding| finding.in_real_time;
    assert!(report.findings.iter().all(in_real_time), "{report}");
}

#[test]
fn ranges_that_nobody_guards_have_phantoms() {
    found(Anomaly::Phantom, Defect::NoRangeValidation, Workload::Mixed);
}

/// What is committed between the two is never looked at.
#[test]
fn a_number_that_is_newer_than_its_snapshot_is_lost_updates() {
    found(Anomaly::LostUpdate, Defect::LateNumber, Workload::Mixed);
}
