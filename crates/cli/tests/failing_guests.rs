//! Guests that fail, never end, take too much or forge pointers: the message says
//! what happened, nothing of the call stays, and the next call is fine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;

/// The next call after a failure works, and sees nothing of it.
#[track_caller]
fn nothing_stays(place: &Place) {
    assert_eq!(place.scan(), "");
    assert_eq!(place.run("counter", &["increment"]).success(), "1\n");
    assert_eq!(place.scan(), "counter\ti64 1\n");
}

#[test]
fn a_trap_after_two_writes_leaves_nothing() {
    let place = Place::new();
    let trapped = place.run("trap_midway", &["store_twice_then_trap"]);
    trapped.failure(1, &["the guest trapped", "unreachable"]);
    nothing_stays(&place);
}

#[test]
fn an_abort_after_two_writes_leaves_nothing_and_its_message_is_shown() {
    let place = Place::new();
    let aborted = place.run("trap_midway", &["store_twice_then_abort"]);
    aborted.failure(1, &["the guest aborted", "out of luck"]);
    nothing_stays(&place);
}

#[test]
fn an_error_after_two_writes_leaves_nothing_and_its_text_is_shown() {
    let place = Place::new();
    let failed = place.run("trap_midway", &["store_twice_then_fail"]);
    failed.failure(1, &["out of stock"]);
    nothing_stays(&place);
}

#[test]
fn a_panic_after_two_writes_leaves_nothing_and_its_text_is_shown_on_one_line() {
    let place = Place::new();
    let panicked = place.run("trap_midway", &["store_twice_then_panic"]);
    panicked.failure(
        1,
        &["the guest aborted", "panicked at", "lib.rs", "out of ideas"],
    );
    nothing_stays(&place);
}

#[test]
fn a_failed_call_leaves_what_was_there_before() {
    let place = Place::new();
    assert_eq!(place.run("trap_midway", &["store_twice"]).success(), "");
    let before = place.scan();
    assert_eq!(before, "first\tu32 1\nsecond\tu32 2\n");
    place.run("grow_memory", &["grow_forever"]).failure(1, &[]);
    place
        .run("trap_midway", &["store_twice_then_trap"])
        .failure(1, &[]);
    assert_eq!(place.scan(), before);
}

#[test]
fn a_trap_after_finish_is_a_warning_and_the_call_counts() {
    let place = Place::new();
    let finished = place.run("trap_midway", &["store_then_finish_then_trap"]);
    let printed = finished.success_saying("warning", &["finished", "unreachable"]);
    assert_eq!(printed, "stored");
    assert_eq!(place.scan(), "first\tu32 1\nsecond\tu32 2\n");
}

#[test]
fn a_guest_that_never_ends_is_stopped_in_its_own_code_and_between_host_calls() {
    let place = Place::new();
    for function in ["spin", "spin_storing"] {
        let stopped = place.run("infinite_loop", &[function, "--timeout", "200ms"]);
        stopped.failure(1, &["not done after 200ms", "stopped"]);
    }
    nothing_stays(&place);
}

#[test]
fn a_deadline_does_not_undo_a_call_that_has_finished() {
    let place = Place::new();
    let module = place.module(
        "finish.wasm",
        r#"(module
            (import "wasm_storage_v1" "finish" (func $finish (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "done")
            (func (export "run")
                (drop (call $finish (i32.const 0) (i32.const 0) (i32.const 4)))
                (loop br 0)))"#,
    );
    let finished = place.cli(["run", &module, "run", "--timeout", "200ms"]);
    assert_eq!(
        finished.success_saying("warning", &["not done after 200ms"]),
        "done"
    );
}

#[test]
fn a_guest_that_never_stops_growing_is_told_its_limit() {
    let place = Place::new();
    let grown = place.run("grow_memory", &["grow_forever"]);
    grown.failure(1, &["the guest trapped", "limit is 268435456 bytes"]);
    let grown = place.run("grow_memory", &["grow_forever", "--memory", "16MiB"]);
    grown.failure(1, &["the guest trapped", "limit is 16777216 bytes"]);
    nothing_stays(&place);
}

#[test]
fn a_guest_that_copes_with_its_memory_limit_may_go_on() {
    let place = Place::new();
    let grown = place.run("grow_memory", &["grow_and_go_on", "--memory", "16MiB"]);
    assert_eq!(
        grown.success(),
        "256\n",
        "pages: it came to the limit itself"
    );
    assert_eq!(place.scan(), "modest\ti64 1\n");
}

#[test]
fn a_module_that_begins_with_more_memory_than_its_limit_does_not_start() {
    let place = Place::new();
    let module = place.module(
        "large.wasm",
        r#"(module (memory (export "memory") 17) (func (export "run")))"#,
    );
    let run = |memory| place.cli(["run", &module, "run", "--memory", memory]);
    run("1MiB").failure(1, &["memory", "limit is 1048576 bytes"]);
    assert_eq!(run("1088KiB").success(), "");
}

#[test]
fn a_forged_pointer_traps_and_names_the_call_and_the_range() {
    let place = Place::new();
    // The import that each case of the guest calls.
    let imports = "put put put put put get get get has delete add add increment mint mint \
                   scan scan exec exec fetch open input info error_text finish abort";
    for (case, import) in imports.split_whitespace().enumerate() {
        let forged = place.run("forged_pointer", &["forged", &case.to_string()]);
        let import = format!("{import}: ");
        forged.failure(
            1,
            &[
                "the guest trapped",
                &import,
                "not inside the guest's memory",
            ],
        );
    }
    let cases = imports.split_whitespace().count();
    nothing_stays(&place);
    let none = place.run("forged_pointer", &["forged", &cases.to_string()]);
    assert_eq!(none.success(), "-1\n", "there are {cases} cases");
}

#[test]
fn ranges_that_are_odd_but_inside_the_memory_are_allowed() {
    let place = Place::new();
    for (case, answer) in [
        ("0", "0\n"),  // length 0, wild pointers
        ("1", "22\n"), // a buffer of length 0 at a wild pointer
        ("2", "22\n"), // the answer over the key
        ("3", "4\n"),  // key and value are the same bytes
        ("4", "22\n"), // the buffer ends where the memory ends
        ("5", "22\n"), // the buffer is a whole page
        ("6", "-1\n"), // no such case
    ] {
        let odd = place.run("forged_pointer", &["odd", case]);
        assert_eq!(odd.success(), answer, "case {case}");
    }
    let shown = place.scan();
    assert!(
        shown.contains("\"\"\thex (0 bytes)\n"),
        "the empty key: {shown}"
    );
}

#[test]
fn a_parked_result_is_fetched_in_time_or_not_at_all() {
    let place = Place::new();
    for (case, answer) in [
        ("0", "-2\n"), // nothing is parked
        ("1", "22\n"), // in time
        ("2", "-2\n"), // after another call
        ("3", "22\n"), // too small twice, then large enough
        ("4", "-2\n"), // twice
        ("5", "22\n"), // info and error_text do not count
        ("6", "-1\n"), // no such case
    ] {
        let parked = place.run("forged_pointer", &["parked", case]);
        assert_eq!(parked.success(), answer, "case {case}");
    }
}

#[test]
fn handles_and_flags_that_make_no_sense_are_refused_and_the_guest_goes_on() {
    let place = Place::new();
    assert_eq!(place.run("forged_pointer", &["nonsense"]).success(), "-2\n");
    assert_eq!(place.scan(), "before\ti64 1\n");
}
