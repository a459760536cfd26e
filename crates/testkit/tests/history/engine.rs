//! The engine's own commit protocol, broken on purpose (feature `planted`): the
//! history checker finds each defect without knowing where it is.

use std::thread::yield_now;
use std::time::Instant;

use wasm_storage_engine::coordinator::hooks::{Defect, Hooks, Moment};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Store};
use wasm_storage_testkit::history::workload::{Plan, Workload, run};
use wasm_storage_testkit::history::{Anomaly, Report, check};

/// Gives others a turn at every moment, so that groups are large and snapshots old.
struct Planted(Option<Defect>);

impl Hooks for Planted {
    fn at(&self, _: Moment) {
        for _ in 0..4 {
            yield_now();
        }
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn defect(&self) -> Option<Defect> {
        self.0
    }
}

fn verdict(defect: Option<Defect>, workload: Workload, seed: u64) -> Report {
    let hooks = Planted(defect);
    let store = Store::new(Coordinator::open_with_hooks(MemoryKv::new(), None, hooks).unwrap());
    let plan = Plan {
        workload,
        threads: 8,
        invocations: 1000,
        seed,
        rerun: true,
    };
    let run = run(&store, &plan, &mut |_| {}).unwrap();
    assert_eq!(run.tally.failed, 0, "{:?}", run.tally);
    check(&run.history)
}

#[track_caller]
fn found(anomaly: Anomaly, defect: Defect, workload: Workload) {
    let mut last = Report::default();
    for seed in 0..20 {
        last = verdict(Some(defect), workload, seed);
        if last.count(anomaly) > 0 {
            return;
        }
    }
    panic!("no {anomaly} was found\n{last}")
}

#[test]
fn members_of_a_group_that_are_not_tested_against_each_other_lose_updates_and_skew() {
    for workload in [Workload::Mixed, Workload::Bank] {
        found(Anomaly::LostUpdate, Defect::NoTestInsideGroup, workload);
    }
    found(
        Anomaly::WriteSkew,
        Defect::NoTestInsideGroup,
        Workload::Skew,
    );
    found(Anomaly::Phantom, Defect::NoTestInsideGroup, Workload::Mixed);
}

#[test]
fn a_snapshot_that_is_older_than_its_number_loses_updates() {
    found(
        Anomaly::LostUpdate,
        Defect::SnapshotBeforeNumber,
        Workload::Bank,
    );
}

#[test]
fn ranges_that_are_not_recorded_have_phantoms() {
    found(Anomaly::Phantom, Defect::RangesNotRecorded, Workload::Mixed);
}

#[test]
fn without_a_defect_the_same_interleavings_are_clean() {
    for workload in [Workload::Mixed, Workload::Bank, Workload::Skew] {
        for defect in [None, Some(Defect::LosersWokenAtOnce)] {
            let report = verdict(defect, workload, 1);
            assert!(report.is_clean(), "{defect:?} {workload:?}\n{report}");
        }
    }
}
