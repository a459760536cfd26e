//! The proof that the scenarios can fail: on a coordinator with a defect, those
//! named here do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm_storage_engine::coordinator::hooks::Defect::{self, *};

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_testkit::conformance;
use wasm_storage_testkit::schedule::Schedule;

use crate::world::World;
use crate::{groups, order, reads, recent, reservations};

type Scenario = fn(&World);

/// Which scenarios find which defect.
const FOUND: &[(Defect, Scenario)] = &[
    (NoTestInsideGroup, groups::two_increments_in_one_group),
    (LosersWokenAtOnce, groups::a_loser_waits_for_its_winner),
    (
        ToldBeforePublished,
        order::durable_then_visible_then_acknowledged,
    ),
    (SnapshotBeforeNumber, order::a_snapshot_and_its_number),
    (RangesNotRecorded, reads::a_page_forward),
    (
        RecordAfterPublished,
        recent::catching_up_with_a_group_in_flight,
    ),
    (FloorNotChecked, recent::older_than_what_is_remembered),
    (CatchUpUntested, recent::catching_up_keeps_reads_consistent),
    (
        NothingReserved,
        reservations::the_fourth_attempt_cannot_lose,
    ),
    (
        OwnReservationIgnored,
        reservations::the_fourth_attempt_cannot_lose,
    ),
];

#[test]
fn every_planted_defect_is_found_by_its_scenario() {
    for (number, (defect, scenario)) in FOUND.iter().enumerate() {
        eprintln!("planted: {defect:?}");
        let world = World::planted(*defect);
        let found = catch_unwind(AssertUnwindSafe(|| scenario(&world))).is_err();
        assert!(found, "{defect:?} is not found by scenario {number}");
    }
}

/// The suite that every store passes sees what takes no two threads to happen.
#[test]
fn the_conformance_suite_finds_what_single_sessions_can_show() {
    let store = || Schedule::planted(RangesNotRecorded).store(MemoryKv::new());
    let suite = catch_unwind(AssertUnwindSafe(|| conformance::store(&store)));
    assert!(suite.is_err());
}
