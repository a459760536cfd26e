//! What is refused before anything runs: modules that cannot be loaded, functions
//! and arguments that do not fit. Each with a text that says what to change.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{GUEST, RUNTIME, call, load, refusal, refusal_of, store};
use wasm_storage_abi::v1;
use wasm_storage_wasmtime::{Call, CallError, Val};

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn a_file_that_is_no_module_is_refused() {
    for bytes in [
        &b""[..],
        b"\0as",
        b"#!/bin/sh\n",
        b"\0asm\x02\0\0\0",
        b"\x7fELF\x02\x01\x01\0",
    ] {
        has(&refusal_of(bytes), &["is not a Wasm module"]);
    }
    has(
        &refusal_of(b"\0asm\x0d\0\x01\0"),
        &["component", "wasm32-unknown-unknown"],
    );
    has(
        &refusal_of(b"\0asm\x01\0\0\0garbage"),
        &["is not a valid Wasm module"],
    );
    let missing = RUNTIME.load("no/such/file.wasm".as_ref()).unwrap_err();
    has(
        &missing.to_string(),
        &["no/such/file.wasm", "cannot be read"],
    );
}

#[test]
fn a_module_without_a_plain_32_bit_memory_is_refused() {
    has(
        &refusal("(module)"),
        &["exports no memory named \"memory\""],
    );
    has(
        &refusal(r#"(module (memory (export "mem") 1))"#),
        &["exports no memory named \"memory\""],
    );
    has(
        &refusal(r#"(module (func (export "memory")))"#),
        &["\"memory\"", "no memory"],
    );
    has(
        &refusal(r#"(module (memory (export "memory") i64 1))"#),
        &["64-bit memory", "32-bit"],
    );
}

/// Wasmtime is built without threads, and its own words for this were about a
/// proposal that must be enabled.
#[test]
fn a_shared_memory_is_refused_in_our_words_wherever_it_is() {
    for wat in [
        r#"(module (memory (export "memory") 1 2 shared))"#,
        r#"(module (memory (export "memory") 1) (memory 1 2 shared))"#,
        r#"(module (import "env" "memory" (memory 1 2 shared)) (export "memory" (memory 0)))"#,
    ] {
        has(&refusal(wat), &["has a shared memory", "not shared"]);
    }
}

#[test]
fn unknown_imports_are_named_all_of_them() {
    let text = refusal(&format!(
        r#"(module (import "env" "print" (func)) (import "wasm_storage_v1" "put_if" (func))
            (import "wasm_storage_v2" "get" (func)) {MEMORY})"#
    ));
    let names = [
        "\"env\" \"print\"",
        "\"wasm_storage_v1\" \"put_if\"",
        "\"wasm_storage_v2\" \"get\"",
    ];
    has(&text, &names);
    assert!(!text.contains("WASI"), "{text}");
    let text = refusal(&format!(
        r#"(module (import "wasi_snapshot_preview1" "fd_write"
            (func (param i32 i32 i32 i32) (result i32))) {MEMORY})"#
    ));
    has(&text, &["fd_write", "WASI", "wasm32-unknown-unknown"]);
}

#[test]
fn an_import_of_another_type_is_refused_by_its_name() {
    for wat in [
        r#"(import "wasm_storage_v1" "get" (func (param i32 i32) (result i32)))"#,
        r#"(import "wasm_storage_v1" "get" (func (param i32 i32 i32 i32 i32) (result i64)))"#,
        r#"(import "wasm_storage_v1" "get" (global i32))"#,
    ] {
        let text = refusal(&format!("(module {wat} {MEMORY})"));
        has(&text, &["cannot be linked", "wasm_storage_v1", "get"]);
    }
}

fn types(types: &[v1::Type]) -> String {
    let name = |ty: &v1::Type| match ty {
        v1::Type::I32 => " i32",
        v1::Type::I64 => " i64",
    };
    types.iter().map(name).collect()
}

#[test]
fn every_row_of_the_import_table_is_bound_with_its_exact_type() {
    let import = |row: &v1::Import, params: &str, results: &str| {
        format!(
            "(import {:?} {:?} (func (param{params}) (result{results})))\n",
            v1::MODULE,
            row.name
        )
    };
    let all: String = v1::IMPORTS
        .iter()
        .map(|row| import(row, &types(row.params), &types(row.results)))
        .collect();
    load(&format!("(module {all} {MEMORY})"));
    for row in v1::IMPORTS {
        let (params, results) = (types(row.params), types(row.results));
        let one_more = import(row, &format!("{params} i32"), &results);
        has(
            &refusal(&format!("(module {one_more} {MEMORY})")),
            &[row.name],
        );
        let other = if results.is_empty() { " i32" } else { "" };
        let other = import(row, &params, other);
        has(&refusal(&format!("(module {other} {MEMORY})")), &[row.name]);
    }
}

#[test]
fn every_import_called_with_the_wildest_arguments_answers_or_traps() {
    let (store, ns) = store();
    for row in v1::IMPORTS {
        for argument in ["-1", "0", "1", "0x7fffffff", "0x80000000", "65536"] {
            let args: String = row
                .params
                .iter()
                .map(|ty| match ty {
                    v1::Type::I32 => format!("(i32.const {argument})"),
                    v1::Type::I64 => format!("(i64.const {argument})"),
                })
                .collect();
            let module = load(&format!(
                r#"(module (import "wasm_storage_v1" "{name}"
                    (func $f (param{params}) (result{results}))) {MEMORY}
                    (func (export "f") (result{results}) (call $f {args})))"#,
                name = row.name,
                params = types(row.params),
                results = types(row.results),
            ));
            match call(&store, &module, &Call::new("f", ns)) {
                Ok(_) | Err(CallError::Guest(_)) => {}
                other => panic!("{} {argument}: {other:?}", row.name),
            }
        }
    }
}

fn usage(call_of: &Call) -> String {
    let (store, _) = store();
    match call(&store, &load(GUEST), call_of) {
        Err(CallError::Usage(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_function_that_is_not_exported_is_refused_with_those_that_are() {
    let (_, ns) = store();
    let text = usage(&Call::new("no_such", ns));
    has(&text, &["test.wasm", "\"no_such\"", "abort, ", "store"]);
    let text = usage(&Call::new("memory", ns));
    has(&text, &["no function \"memory\""]);
}

#[test]
fn arguments_that_do_not_fit_are_refused_with_both_types() {
    let (_, ns) = store();
    let mut growing = Call::new("grow", ns);
    has(&usage(&growing), &["\"grow\"", "(i32)", "()"]);
    growing.args = vec![Val::I32(1), Val::I32(2)].into();
    has(&usage(&growing), &["(i32)", "(i32, i32)"]);
    for (arg, name) in [
        (Val::I64(1), "(i64)"),
        (Val::F32(0), "(f32)"),
        (Val::F64(0), "(f64)"),
        (Val::V128(0u128.into()), "(v128)"),
        (Val::FuncRef(None), "(a reference)"),
    ] {
        growing.args = vec![arg].into();
        has(&usage(&growing), &["(i32)", name]);
    }
}
