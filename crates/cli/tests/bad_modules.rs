//! Modules that cannot be run and calls that do not fit them: exit code 2, a
//! message that names what is wrong, and no store made.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Place;

/// `run` of this module is refused with these words.
#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let place = Place::new();
    let module = place.module("guest.wasm", text);
    let ended = place.cli(["run", &module, "run"]);
    ended.failure(2, words);
    ended.failure(2, &["guest.wasm"]);
    assert!(!place.store().exists(), "no store is made");
}

#[test]
fn a_file_that_is_not_there_or_cannot_be_read() {
    let place = Place::new();
    let missing = place.cli(["run", "no-such.wasm", "run"]);
    missing.failure(2, &["no-such.wasm", "cannot be read"]);
    place
        .cli(["run", ".", "run"])
        .failure(2, &["cannot be read"]);
    assert!(!place.store().exists());
}

#[test]
fn a_file_that_is_no_wasm_module() {
    let place = Place::new();
    let cases: [(&str, &[u8]); 4] = [
        ("text.wasm", b"#!/bin/sh\necho hello\n"),
        ("empty.wasm", b""),
        ("short.wasm", b"\0asm"),
        ("future.wasm", b"\0asm\x02\0\0\0"),
    ];
    for (name, bytes) in cases {
        let file = place.file(name, bytes);
        let ended = place.cli(["run", &file, "run"]);
        ended.failure(2, &[name, "is not a Wasm module"]);
    }
    let file = place.file("damaged.wasm", b"\0asm\x01\0\0\0\xff\xff\xff");
    let ended = place.cli(["run", &file, "run"]);
    ended.failure(2, &["damaged.wasm", "is not a valid Wasm module"]);
    assert!(!place.store().exists());
}

#[test]
fn a_component() {
    refused(
        "(component)",
        &["is a Wasm component", "wasm32-unknown-unknown"],
    );
}

#[test]
fn unknown_imports_are_all_named() {
    refused(
        r#"(module
            (import "wasm_storage_v1" "put_if" (func))
            (import "env" "now" (func (result i64)))
            (memory (export "memory") 1) (func (export "run")))"#,
        &[
            "imports",
            "\"wasm_storage_v1\" \"put_if\"",
            "\"env\" \"now\"",
        ],
    );
    refused(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1) (func (export "run")))"#,
        &[
            "\"fd_write\"",
            "WASI is not provided",
            "wasm32-unknown-unknown",
        ],
    );
}

#[test]
fn a_known_import_with_another_type() {
    refused(
        r#"(module
            (import "wasm_storage_v1" "savepoint" (func (param i64)))
            (memory (export "memory") 1) (func (export "run")))"#,
        &["cannot be linked", "savepoint"],
    );
}

#[test]
fn no_memory_or_one_that_storage_calls_cannot_use() {
    refused(
        r#"(module (func (export "run")))"#,
        &["exports no memory named \"memory\""],
    );
    refused(
        r#"(module (memory 1) (func (export "run")))"#,
        &["exports no memory named \"memory\""],
    );
    refused(
        r#"(module (func (export "memory")) (func (export "run")))"#,
        &["exports \"memory\", but it is no memory"],
    );
    refused(
        r#"(module (memory (export "memory") i64 1) (func (export "run")))"#,
        &["64-bit memory"],
    );
    refused(
        r#"(module (memory (export "memory") 1 2 shared) (func (export "run")))"#,
        &["shared memor"],
    );
}

#[test]
fn an_export_that_is_missing_and_those_that_are_there() {
    let place = Place::new();
    let missing = place.run("counter", &["incremet"]);
    missing.failure(2, &["no function \"incremet\"", "increment", "value"]);
    // An export of this name, but no function.
    let memory = place.run("counter", &["memory"]);
    memory.failure(2, &["no function \"memory\""]);
    let none = place.module("none.wasm", r#"(module (memory (export "memory") 1))"#);
    place
        .cli(["run", &none, "run"])
        .failure(2, &["no function at all"]);
    assert!(!place.store().exists());
}

/// Functions with arguments.
const ARGUMENTS: &str = r#"(module (memory (export "memory") 1)
    (func (export "none"))
    (func (export "one") (param i32))
    (func (export "four") (param i32 i64 f32 f64))
    (func (export "vector") (param v128)))"#;

#[test]
fn a_wrong_number_of_arguments() {
    let place = Place::new();
    let module = place.module("guest.wasm", ARGUMENTS);
    let run = |args: &[&str]| place.cli([&["run", &module], args].concat());
    run(&["none", "1"]).failure(2, &["\"none\"", "takes 0 arguments", "not 1"]);
    run(&["one"]).failure(2, &["\"one\"", "takes 1 argument (i32)", "not 0"]);
    run(&["four", "1", "2"]).failure(2, &["takes 4 arguments (i32, i64, f32, f64)", "not 2"]);
    assert!(!place.store().exists());
}

#[test]
fn an_argument_of_the_wrong_type_or_out_of_range() {
    let place = Place::new();
    let module = place.module("guest.wasm", ARGUMENTS);
    let four = |args: [&str; 4]| place.cli([&["run", &module, "four"], &args[..]].concat());
    assert_eq!(four(["1", "2", "3", "4"]).success(), "");
    let i32_range = "-2147483648 to 4294967295";
    let i64_range = "-9223372036854775808 to 18446744073709551615";
    for (args, words) in [
        (
            ["x", "2", "3", "4"],
            ["argument 1", "\"x\"", "i32", i32_range],
        ),
        (
            ["1.5", "2", "3", "4"],
            ["argument 1", "\"1.5\"", "i32", "0x hex"],
        ),
        (
            ["4294967296", "2", "3", "4"],
            ["argument 1", "4294967296", "i32", i32_range],
        ),
        (
            ["-2147483649", "2", "3", "4"],
            ["argument 1", "-2147483649", "i32", i32_range],
        ),
        (
            ["1", "0x10000000000000000", "3", "4"],
            ["argument 2", "\"four\"", "i64", i64_range],
        ),
        (
            ["1", "2", "three", "4"],
            ["argument 3", "\"three\"", "f32", "1.5"],
        ),
        (
            ["1", "2", "1e39", "4"],
            ["argument 3", "\"1e39\"", "f32", "1.5"],
        ),
        (
            ["1", "2", "3", "1e309"],
            ["argument 4", "\"1e309\"", "f64", "1.5"],
        ),
    ] {
        four(args).failure(2, &words);
    }
    let vector = place.cli(["run", &module, "vector", "1"]);
    vector.failure(2, &["argument 1", "v128"]);
}

#[test]
fn options_that_make_no_sense() {
    let place = Place::new();
    let run = |args: &[&str]| place.run("counter", &[&["increment"], args].concat());
    run(&["--timeout", "10"]).misuse(&["--timeout", "'10'", "unit"]);
    run(&["--timeout", "0s"]).misuse(&["--timeout", "0s"]);
    run(&["--memory", "256MB"]).misuse(&["--memory", "256MB", "MiB"]);
    run(&["--no-such-option"]).misuse(&["--no-such-option"]);
    place.cli::<&str>([]).misuse(&["Usage"]);
    place.cli(["run"]).misuse(&["MODULE", "FUNCTION"]);
    place.cli(["stop"]).misuse(&["stop"]);
    assert!(!place.store().exists());
}
