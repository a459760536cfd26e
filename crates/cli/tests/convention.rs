//! `run` of functions that take text and bytes: `--text`, `--bytes`, `--bytes-out`.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ended, Place};
use wasm_storage_testkit::guests::BINDGEN;

/// A place with the guest in it.
fn place() -> Place {
    let place = Place::new();
    place.module("guest.wasm", BINDGEN);
    place
}

fn run(place: &Place, args: &[&str]) -> Ended {
    place.cli([&["run", "guest.wasm"], args].concat())
}

#[test]
fn text_goes_in_text_comes_out_and_what_is_stored_stays() {
    let place = place();
    let said = run(&place, &["say", "--text", "Tim"]);
    assert_eq!(said.success(), "hello Tim\n");
    assert_eq!(run(&place, &["say", "--text", ""]).success(), "hello \n");
    let said = run(&place, &["say", "--text", "-é 1"]);
    assert_eq!(said.success(), "hello -é 1\n");
    let get = place.cli(["get", "said", "--raw"]);
    assert_eq!(get.success(), "-é 1");
    // One that takes nothing needs no option.
    assert_eq!(run(&place, &["what"]).success(), "said\n");
    assert_eq!(run(&place, &["nothing"]).success(), "\n");
}

#[test]
fn text_and_bytes_are_passed_in_the_order_they_are_given() {
    let place = place();
    let file = place.file("data", b"\xff\n");
    let join = |args: &[&str]| run(&place, &[&["join"], args].concat());
    assert_eq!(join(&["--text", "a", "--text", "b"]).success(), "ab\n");
    let ended = join(&["--bytes", &file, "--text", "b", "--bytes-out"]);
    assert_eq!(
        (ended.code, &ended.out[..], &*ended.err),
        (Some(0), &b"\xff\nb"[..], "")
    );
    let ended = join(&["--bytes-out", "--text", "b", "--bytes", &file]);
    assert_eq!(ended.out, b"b\xff\n");
    // As text, what is none is replaced.
    let ended = join(&["--bytes", &file, "--text", "b"]);
    assert_eq!(ended.success(), "\u{fffd}\nb\n");

    let words = ["run", "guest.wasm", "join", "--text", "a", "--bytes", "-"];
    assert_eq!(
        place.cli_with(b"from stdin", words).success(),
        "afrom stdin\n"
    );
}

#[test]
fn a_result_that_is_nowhere_is_the_guests_failure_and_nothing_stays() {
    let place = place();
    run(&place, &["wild"]).failure(1, &["the guest trapped: the result", "0x1fff0"]);
    run(&place, &["already_freed"]).failure(1, &["unreachable", "in __wbindgen_free"]);
    assert_eq!(place.cli(["scan"]).success(), "");
}

#[test]
fn numbers_still_go_in_where_numbers_are_given() {
    let place = place();
    assert_eq!(run(&place, &["set", "4"]).success(), "");
    assert_eq!(place.cli(["get", "said", "--raw"]).success(), "hell");
    assert_eq!(run(&place, &["initialized"]).success(), "1\n");
}

#[test]
fn arguments_that_do_not_fit_make_no_store() {
    let place = place();
    run(&place, &["say"]).failure(2, &["\"say\"", "takes 1 text or byte array, not 0"]);
    run(&place, &["join", "--text", "a"]).failure(2, &["takes 2 texts or byte arrays, not 1"]);
    run(&place, &["what", "--text", "a"]).failure(2, &["takes no text or bytes, not 1"]);
    // What one tries first.
    run(&place, &["say", "Tim"]).failure(
        2,
        &[
            "takes 3 arguments (i32, i32, i32), not 1",
            "or 1 text or byte array, by --text or --bytes",
        ],
    );
    run(&place, &["initialized", "--text", "a"]).failure(2, &["odd number of i32"]);
    run(&place, &["initialized", "--bytes-out"]).failure(2, &["odd number of i32"]);
    run(&place, &["no_such", "--text", "a"]).failure(2, &["exports no function", "say"]);

    let numbers = ["7", "--text", "a"];
    run(&place, &[&["say"], &numbers[..]].concat()).misuse(&["--text", "NUMBERS"]);
    run(&place, &["say", "--bytes", "f", "7"]).misuse(&["--bytes", "NUMBERS"]);
    run(&place, &["set", "4", "--bytes-out"]).misuse(&["--bytes-out", "NUMBERS"]);
    assert!(!place.store().exists());
}

#[test]
fn a_module_without_the_convention_takes_no_text() {
    let place = Place::new();
    place.module(
        "guest.wasm",
        r#"(module (memory (export "memory") 1)
            (func (export "say") (param i32 i32 i32) unreachable)
            (func (export "__wbindgen_malloc") (param i32 i32) (result i32) unreachable)
            (func (export "__wbindgen_free") (param i32 i32 i32) unreachable))"#,
    );
    let said = run(&place, &["say", "--text", "Tim"]);
    said.failure(
        2,
        &["guest.wasm", "\"say\"", "later wasm-bindgen", "0.2.61"],
    );
    place.module(
        "guest.wasm",
        r#"(module (memory (export "memory") 1) (func (export "say") (param i32)))"#,
    );
    let said = run(&place, &["say", "--text", "Tim"]);
    said.failure(2, &["takes (i32)", "exports no __wbindgen_malloc"]);
    run(&place, &["say"]).failure(2, &["takes 1 argument (i32), not 0"]);
    assert!(!place.store().exists());
}

#[test]
fn bytes_that_cannot_be_had_are_named() {
    let place = place();
    let missing = run(&place, &["say", "--bytes", "no-such.txt"]);
    missing.failure(2, &["no-such.txt", "the bytes cannot be read"]);
    let twice = run(&place, &["join", "--bytes", "-", "--bytes", "-"]);
    twice.failure(2, &["standard input can be read once"]);
    let twice = run(&place, &["say", "--bytes", "-", "--input", "-"]);
    twice.failure(2, &["standard input can be read once"]);

    let file = std::fs::File::create(place.path("large")).unwrap();
    file.set_len(64 << 20).unwrap();
    let over = run(&place, &["join", "--text", "a", "--bytes", "large"]);
    over.failure(2, &["large", "together", "limit of 67108864 bytes"]);
    assert!(!place.store().exists());
}
