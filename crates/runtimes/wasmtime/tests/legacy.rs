//! Modules of 2020: the published crates in guests that are otherwise as they were, and
//! small modules in WAT for what no crate does. `docs/guide/from-2020.md` tells users.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{RUNTIME, call, entries, load, refusal, store, trap};
use wasm_storage_abi::legacy::{Form, IMPORTS};
use wasm_storage_abi::v1::Type;
use wasm_storage_engine::{NamespaceId, Store};
use wasm_storage_testkit::guests;
use wasm_storage_wasmtime::{
    Call, CallError, Module, StorageState, Val, add_number_keys_to_linker, add_to_linker,
    has_number_keys,
};

fn guest(name: &str) -> Module {
    RUNTIME.load(&guests::path(name)).unwrap()
}

/// A call with time for millions of host calls that are not optimised.
fn long(function: &str, namespace: NamespaceId) -> Call {
    Call {
        deadline: Duration::from_secs(600),
        ..Call::new(function, namespace)
    }
}

/// The number that a function without arguments answers.
fn number(store: &Store, ns: NamespaceId, module: &Module, function: &str) -> i32 {
    let answer = call(store, module, &long(function, ns));
    let answer = answer.unwrap_or_else(|error| panic!("{}: {function}: {error}", module.name()));
    match answer.values[..] {
        [Val::I32(number)] => number,
        ref other => panic!("{other:?}"),
    }
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// The same program over the crates 0.1.30 and 0.2.0 as published, and over `compat`.
const PROGRAMS: [&str; 3] = ["ssvm_2020", "wasmedge_2020", "compat_2020"];

#[test]
fn every_function_of_the_published_crates_works_and_so_does_compat() {
    for name in PROGRAMS {
        let module = guest(name);
        let (store, ns) = store();
        for (function, checked) in [
            ("round_trip_bool", 2),
            ("round_trip_char", 4),
            ("round_trip_i8", 3),
            ("round_trip_i16", 3),
            ("round_trip_i32", 5),
            ("round_trip_i64", 4),
            ("round_trip_u8", 3),
            ("round_trip_string", 4),
            ("round_trip_struct", 3),
            ("known_forms", 6),
            ("update_replaces", 4),
        ] {
            assert_eq!(
                number(&store, ns, &module, function),
                checked,
                "{name}: {function}"
            );
        }
        // Nothing but records of 2020 is there.
        let entries = entries(&store, ns);
        assert!(entries.len() > 20);
        assert!(
            entries
                .keys()
                .all(|key| key.starts_with(&[0, 2]) && key.len() == 34)
        );
    }
}

#[test]
fn what_one_program_has_stored_each_of_the_others_loads() {
    for writer in PROGRAMS {
        let (store, ns) = store();
        assert_eq!(
            number(&store, ns, &guest(writer), "store_all"),
            13,
            "{writer}"
        );
        call(&store, &guest(writer), &Call::new("start_counting", ns)).unwrap();
        for (round, reader) in PROGRAMS.into_iter().enumerate() {
            let module = guest(reader);
            assert_eq!(
                number(&store, ns, &module, "check_all"),
                13,
                "{writer}, {reader}"
            );
            let counted = number(&store, ns, &module, "increment");
            assert_eq!(usize::try_from(counted).unwrap(), round + 1);
        }
    }
}

#[test]
fn old_and_new_crate_agree_in_one_call_whatever_the_value_is() {
    let module = guest("cross_2020");
    let (store, ns) = store();
    assert_eq!(number(&store, ns, &module, "agree_on_everything"), 300);
    assert_eq!(number(&store, ns, &module, "agree_on_every_length"), 300);
    assert_eq!(number(&store, ns, &module, "agree_on_long_keys"), 6);
}

#[test]
fn store_as_i32_vector_works_where_the_guests_allocator_has_room_for_its_defect() {
    let module = guest("vectors_2020");
    let (store, ns) = store();
    assert_eq!(number(&store, ns, &module, "vectors_ssvm"), 1000);
    assert_eq!(number(&store, ns, &module, "vectors_wasmedge"), 1000);
    assert_eq!(entries(&store, ns).len(), 2000);
}

#[test]
fn the_published_crate_with_number_keys_works() {
    let module = guest("numbers_2020");
    let (store, ns) = store();
    for (function, checked) in [
        ("round_trip_bool", 2),
        ("round_trip_char", 2),
        ("round_trip_i8", 2),
        ("round_trip_i16", 2),
        ("round_trip_i32", 2),
        ("round_trip_i64", 2),
        ("round_trip_u8", 2),
        ("round_trip_struct", 4),
        ("round_trip_vector", 2),
    ] {
        assert_eq!(number(&store, ns, &module, function), checked, "{function}");
    }
    let mut check = Call::new("check_all", ns);
    check.args = vec![Val::I32(number(&store, ns, &module, "store_all"))].into();
    let answer = call(&store, &module, &check).unwrap();
    assert!(matches!(answer.values[..], [Val::I32(3)]));
    // Keys are decimal numbers.
    for key in entries(&store, ns).into_keys() {
        let digits = std::str::from_utf8(key.strip_prefix(&[0, 2]).unwrap()).unwrap();
        digits.parse::<u32>().unwrap();
    }
    let text = trap(call(&store, &module, &Call::new("load_nothing", ns)));
    has(
        &text,
        &[
            "ssvm_storage_beginLoadTx",
            "nothing is stored under key \"0\"",
        ],
    );
}

/// Each bad input ends its call, with a text where the host sees it; what the call has
/// stored before is undone, and the next call is fine.
#[test]
fn bad_input_ends_that_call_and_leaves_the_store_as_it_was() {
    for name in PROGRAMS {
        let module = guest(name);
        let (store, ns) = store();
        number(&store, ns, &module, "store_all");
        let before = entries(&store, ns);
        for (function, old, new) in [
            (
                "load_nothing",
                "nothing is stored under key \"2020-nothing-0123456789abcdefghi\"",
                "load_as_i32: key \"2020-nothing-0123456789abcdefghi\" holds nothing",
            ),
            (
                "load_another_type",
                "unreachable",
                "holds something else than alloc::string::String: its text is not UTF-8",
            ),
            (
                "load_raw_numbers",
                "unreachable",
                "its numbers are no packed bytes",
            ),
            ("store_under_a_key_with_a_nul", "unreachable", "has a NUL"),
            ("store_all_and_trap", "unreachable", "unreachable"),
        ] {
            let Err(CallError::Guest(failure)) = call(&store, &module, &Call::new(function, ns))
            else {
                panic!("{name}: {function} should have failed");
            };
            let said = if name == "compat_2020" { new } else { old };
            has(&failure.to_string(), &[said]);
            assert!(entries(&store, ns) == before, "{name}: {function}");
        }
        assert_eq!(number(&store, ns, &module, "check_all"), 13);
    }
}

/// 16 MiB are 4,194,304 numbers, the count of the others among them.
#[test]
fn a_value_of_16_mib_goes_in_and_out_and_one_number_more_traps_at_its_call() {
    for name in ["ssvm_2020", "compat_2020"] {
        let module = guest(name);
        let (store, ns) = store();
        assert_eq!(
            number(&store, ns, &module, "store_much"),
            (4 << 20) - 1,
            "{name}"
        );
        let before = entries(&store, ns);
        assert_eq!(before.values().next().unwrap().len(), 16 << 20);
        let Err(CallError::Guest(failure)) = call(&store, &module, &long("store_too_much", ns))
        else {
            panic!("{name} should have failed");
        };
        let what = "a value of 16777220 bytes is over the limit of 16777216 bytes";
        let by = match name {
            "ssvm_2020" => "ssvm_storage_storeI32: ",
            _ => "update_as_i32_vector: ",
        };
        has(&failure.to_string(), &[by, what]);
        assert!(entries(&store, ns) == before);
    }
}

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

/// What no crate does: raw calls, under `key` at 0.
const RAW: &str = r#"(module
    (import "ssvm_native" "ssvm_storage_createUUID" (func $uuid (param i32)))
    (import "ssvm_native" "ssvm_storage_beginStoreTx" (func $begin_store (param i32)))
    (import "ssvm_native" "ssvm_storage_beginLoadTx" (func $begin_load (param i32)))
    (import "ssvm_native" "ssvm_storage_storeI32" (func $store (param i32)))
    (import "ssvm_native" "ssvm_storage_loadI32" (func $load (result i32)))
    (import "ssvm_native" "ssvm_storage_storeI64" (func $store_wide (param i64)))
    (import "ssvm_native" "ssvm_storage_loadI64" (func $load_wide (result i64)))
    (import "ssvm_native" "ssvm_storage_endStoreTx" (func $end_store))
    (import "wasmedge_native" "wasmedge_storage_beginLoadTx" (func $begin_load_2021 (param i32)))
    (import "wasmedge_native" "wasmedge_storage_loadI32" (func $load_2021 (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "a-key-of-32-bytes-0123456789abcd")
    (func $put (param $count i32)
        (call $begin_store (i32.const 0))
        (call $store (local.get $count))
        (call $store (i32.const 7))
        (call $end_store))
    (func (export "put") (call $put (i32.const 1)))
    (func (export "get_2021") (result i32)
        (call $begin_load_2021 (i32.const 0))
        (drop (call $load_2021))
        (call $load_2021))
    (func (export "wide") (result i64)
        (call $begin_store (i32.const 0))
        (call $store_wide (i64.const -5))
        (call $end_store)
        (call $begin_load (i32.const 0))
        (call $load_wide))
    (func (export "announce_too_much") (local $left i32)
        (call $put (i32.const 3))
        (call $begin_load (i32.const 0))
        (local.set $left (call $load))
        (loop $next
            (drop (call $load))
            (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
    (func (export "key_at_the_end") (call $put (i32.const 1))
        (call $begin_store (i32.const 65504))
        (call $store (i32.const 1))
        (call $end_store))
    (func (export "key_beyond_the_end") (call $put (i32.const 1))
        (call $begin_load (i32.const 65505)))
    (func (export "uuid_at_the_end") (call $uuid (i32.const 65503)))
    (func (export "uuid_beyond_the_end") (call $put (i32.const 1))
        (call $uuid (i32.const 65504)))
    (func (export "put_and_trap") (call $put (i32.const 1)) unreachable)
)"#;

#[test]
fn raw_calls_of_both_modules_meet_in_one_record() {
    let (store, ns) = store();
    let module = load(RAW);
    call(&store, &module, &Call::new("put", ns)).unwrap();
    assert_eq!(number(&store, ns, &module, "get_2021"), 7);
    let answer = call(&store, &module, &Call::new("wide", ns)).unwrap();
    assert!(matches!(answer.values[..], [Val::I64(-5)]));
    for function in ["key_at_the_end", "uuid_at_the_end"] {
        call(&store, &module, &Call::new(function, ns)).unwrap();
    }
}

#[test]
fn raw_calls_that_cannot_be_are_traps_that_say_what_is_wrong() {
    let (store, ns) = store();
    let module = load(RAW);
    let none = BTreeMap::new();
    for (function, parts) in [
        (
            "get_2021",
            &["wasmedge_storage_beginLoadTx: nothing", "a-key-of-32"][..],
        ),
        (
            "announce_too_much",
            &["ssvm_storage_loadI32", "8 bytes", "bytes 8 to 12"],
        ),
        (
            "key_beyond_the_end",
            &["ssvm_storage_beginLoadTx: 32 bytes at 0xffe1", "65536"],
        ),
        (
            "uuid_beyond_the_end",
            &["ssvm_storage_createUUID: 33 bytes at 0xffe0"],
        ),
        ("put_and_trap", &["unreachable"]),
    ] {
        has(
            &trap(call(&store, &module, &Call::new(function, ns))),
            parts,
        );
        assert_eq!(entries(&store, ns), none, "{function}");
    }
    call(&store, &module, &Call::new("put", ns)).unwrap();
    assert_eq!(number(&store, ns, &module, "get_2021"), 7);
}

fn types(types: &[Type]) -> String {
    let name = |ty: &Type| match ty {
        Type::I32 => " i32",
        Type::I64 => " i64",
    };
    types.iter().map(name).collect()
}

#[test]
fn every_row_of_both_forms_is_bound_with_its_exact_type_and_another_is_named() {
    let import = |(module, name): (&str, &str), params: &str, results: &str| {
        format!("(import {module:?} {name:?} (func (param{params}) (result{results})))\n")
    };
    for form in [Form::Text, Form::Number] {
        let rows = || IMPORTS.iter().filter(move |row| form.has(row.form));
        for of in [0, 1] {
            let whole = |row: &wasm_storage_abi::legacy::Import| {
                import(row.names[of], &types(row.params), &types(row.results))
            };
            let all: String = rows().map(whole).collect();
            load(&format!("(module {all} {MEMORY})"));
            let create: String = rows().take(1).map(whole).collect();
            for row in rows() {
                let (params, results) = (types(row.params), types(row.results));
                let one_more = import(row.names[of], &format!("{params} i32"), &results);
                let float = import(row.names[of], &params, " f32");
                let global = format!(
                    "(import {:?} {:?} (global i32))",
                    row.names[of].0, row.names[of].1
                );
                for other in [one_more, float, global] {
                    let text = refusal(&format!("(module {create} {other} {MEMORY})"));
                    has(&text, &["types", row.names[of].0, row.names[of].1]);
                }
            }
        }
    }
}

#[test]
fn imports_that_2020_did_not_have_are_named() {
    for (module, name) in [
        ("ssvm_native", "ssvm_storage_deleteTx"),
        ("ssvm_native", "wasmedge_storage_storeI32"),
        ("wasmedge_native", "wasmedge_storage_StoreI32"),
    ] {
        let text = refusal(&format!(
            "(module (import {module:?} {name:?} (func)) {MEMORY})"
        ));
        has(&text, &["does not provide", module, name]);
    }
    let text = refusal(&format!(
        r#"(module (import "env" "ssvm_storage_beginStoreTx" (func (param i64))) {MEMORY})"#
    ));
    has(&text, &["\"env\"", "0.1.22"]);
}

#[test]
fn begin_without_create_is_taken_for_text_keys() {
    let module = load(
        r#"(module
            (import "ssvm_native" "ssvm_storage_beginLoadTx" (func $begin (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "a-key-of-32-bytes-0123456789abcd")
            (func (export "f") (call $begin (i32.const 0))))"#,
    );
    let (store, ns) = store();
    has(
        &trap(call(&store, &module, &Call::new("f", ns))),
        &["\"a-key-of-32-bytes-0123456789abcd\""],
    );
}

/// One form for each import module: a program may link both crates.
#[test]
fn a_module_with_number_keys_of_2020_and_text_keys_of_2021_has_both() {
    let module = load(
        r#"(module
            (import "ssvm_native" "ssvm_storage_createUUID" (func $number (result i32)))
            (import "ssvm_native" "ssvm_storage_beginStoreTx" (func $begin (param i32)))
            (import "wasmedge_native" "wasmedge_storage_beginLoadTx" (func $begin_text (param i32)))
            (import "wasmedge_native" "wasmedge_storage_endStoreTx" (func $end))
            (memory (export "memory") 1)
            (data (i32.const 0) "a-key-of-32-bytes-0123456789abcd")
            (func (export "f") (drop (call $number))
                (call $begin (i32.const 0)) (call $end) (call $begin_text (i32.const 0))))"#,
    );
    let (store, ns) = store();
    has(
        &trap(call(&store, &module, &Call::new("f", ns))),
        &[
            "wasmedge_storage_beginLoadTx",
            "\"a-key-of-32-bytes-0123456789abcd\"",
        ],
    );
}

#[test]
fn an_embedder_gives_number_keys_to_a_module_that_has_them() {
    let engine = wasmtime::Engine::default();
    let module = |name| wasmtime::Module::from_file(&engine, guests::path(name)).unwrap();
    let (numbers, text) = (module("numbers_2020"), module("ssvm_2020"));
    assert!(has_number_keys(&numbers) && !has_number_keys(&text));
    let mut linker: wasmtime::Linker<StorageState> = wasmtime::Linker::new(&engine);
    add_to_linker(&mut linker, |state| state).unwrap();
    assert!(linker.instantiate_pre(&text).is_ok());
    assert!(linker.instantiate_pre(&numbers).is_err());
    add_number_keys_to_linker(&mut linker, |state| state).unwrap();
    assert!(linker.instantiate_pre(&numbers).is_ok());
    assert!(linker.instantiate_pre(&text).is_err());
}
