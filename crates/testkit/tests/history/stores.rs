//! Correct stores under conflicting invocations: nothing is found.

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Store};
use wasm_storage_testkit::history::broken::{Broken, Defect};
use wasm_storage_testkit::history::check;
use wasm_storage_testkit::history::workload::{Plan, Run, Workload, hot, run};

const WORKLOADS: [Workload; 3] = [Workload::Mixed, Workload::Bank, Workload::Skew];

fn memory() -> Store {
    Store::new(Coordinator::open(MemoryKv::new(), None).unwrap())
}

#[track_caller]
fn assert_clean(store: &Store, workload: Workload, seed: u64, rerun: bool) -> Run {
    let plan = Plan {
        workload,
        threads: 8,
        invocations: 3000,
        seed,
        rerun,
    };
    let run = run(store, &plan, &mut |_| {}).unwrap();
    let report = check(&run.history);
    assert!(report.is_clean(), "{workload:?}\n{report}");
    assert_eq!(run.rule_broken, Vec::<String>::new(), "{workload:?}");
    assert_eq!(run.tally.invocations(), plan.invocations);
    assert_eq!(
        (run.tally.failed, run.tally.unknown),
        (0, 0),
        "{:?}",
        run.tally
    );
    run
}

#[test]
fn the_engine_in_memory_is_strictly_serializable() {
    for (seed, workload) in (0..).zip(WORKLOADS) {
        let run = assert_clean(&memory(), workload, seed, true);
        assert_eq!(run.tally.conflicts, 0);
    }
}

/// The same code as the stores with defects, without one: what is found there is the
/// defect's doing. Half of its invocations conflict.
#[test]
fn an_optimistic_store_without_a_defect_is_clean() {
    for (seed, workload) in (0..).zip(WORKLOADS) {
        let run = assert_clean(
            &Store::new(Broken::new(Defect::None)),
            workload,
            seed,
            false,
        );
        assert!(run.tally.conflicts > 0, "{:?}", run.tally);
        assert!(run.tally.committed > 100, "{:?}", run.tally);
    }
}

#[test]
fn a_hot_counter_fails_nobody_and_counts_exactly() {
    let store = memory();
    for raise in [hot::Raise::Add, hot::Raise::Increment] {
        let count = hot::run(&store, raise, 64, 2000, &mut |_| {}).unwrap();
        assert!(count.is_exact(), "{raise:?} {count:?}");
        assert_eq!(count.committed, 2000);
        assert!(count.attempts >= 2000);
    }
}

/// It is found out if the counter is wrong.
#[test]
fn a_hot_counter_that_loses_updates_is_not_exact() {
    let store = Store::new(Broken::new(Defect::LastWriterWins));
    let count = hot::run(&store, hot::Raise::Add, 8, 2000, &mut |_| {}).unwrap();
    assert!(!count.is_exact() && count.wrong_answers > 0, "{count:?}");
}
