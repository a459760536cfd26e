//! Modules of 2020 on the command line: each call is a process of its own.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;

#[test]
fn what_a_program_of_2020_stores_outlives_its_process_and_the_crate() {
    let place = Place::new();
    assert_eq!(place.run("ssvm_2020", &["store_all"]).success(), "13\n");
    assert_eq!(place.run("ssvm_2020", &["check_all"]).success(), "13\n");
    assert_eq!(place.run("wasmedge_2020", &["check_all"]).success(), "13\n");
    assert_eq!(place.run("compat_2020", &["check_all"]).success(), "13\n");

    assert_eq!(place.run("ssvm_2020", &["start_counting"]).success(), "");
    for (guest, count) in [
        ("ssvm_2020", "1\n"),
        ("ssvm_2020", "2\n"),
        ("wasmedge_2020", "3\n"),
        ("compat_2020", "4\n"),
    ] {
        assert_eq!(place.run(guest, &["increment"]).success(), count);
    }
}

#[test]
fn number_keys_outlive_their_process() {
    let place = Place::new();
    let key = place.run("numbers_2020", &["store_all"]).success();
    let checked = place.run("numbers_2020", &["check_all", key.trim()]);
    assert_eq!(checked.success(), "3\n");
}

#[test]
fn a_load_of_nothing_ends_that_call_only() {
    let place = Place::new();
    assert_eq!(place.run("ssvm_2020", &["store_all"]).success(), "13\n");
    let failed = place.run("ssvm_2020", &["load_nothing"]);
    failed.failure(1, &["nothing is stored under key", "2020-nothing"]);
    assert_eq!(place.run("ssvm_2020", &["check_all"]).success(), "13\n");
}
