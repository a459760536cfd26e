//! Instances from a pool: how many there are, what a module may ask of one, and that
//! none shows what the call before it has left.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::{GUEST, PAGE, pooled, store};
use wasm_storage_engine::{Kind, NamespaceId, Store};
use wasm_storage_host::{FailedCall, GuestFailure};
use wasm_storage_wasmtime::{Answer, Call, CallError, Module, Runtime, RuntimeOptions, Val};

fn load(runtime: &Runtime, wat: &str) -> Module {
    let bytes = wat::parse_str(wat).unwrap();
    runtime.load_bytes("test.wasm", &bytes).unwrap()
}

/// What a call without any time is told.
fn hasty(runtime: &Runtime, store: &Store, module: &Module, ns: NamespaceId) -> CallError {
    let mut hasty = Call::new("loop", ns);
    hasty.deadline = Duration::ZERO;
    runtime.call(store, module, &hasty).unwrap_err()
}

/// Keeps `busy` instances busy while `then` runs, with one call after the other.
fn while_busy(runtime: &Runtime, module: &Module, busy: usize, then: impl FnOnce()) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| {
                // A store of its own: only instances are waited for here.
                let (store, ns) = store();
                let mut looping = Call::new("loop", ns);
                looping.deadline = Duration::from_millis(100);
                while !over.load(Ordering::Relaxed) {
                    runtime.call(&store, module, &looping).unwrap_err();
                }
            });
        }
        then();
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn all_instances_run_at_a_time_and_a_call_beyond_them_is_told_so_at_its_deadline() {
    let runtime = pooled(2);
    let module = load(&runtime, GUEST);
    let (store, ns) = store();
    while_busy(&runtime, &module, 1, || {
        for _ in 0..100 {
            let error = hasty(&runtime, &store, &module, ns);
            assert!(matches!(error, CallError::Guest(_)), "{error:?}");
        }
    });
    while_busy(&runtime, &module, 2, || {
        // Now and then one of the two is between two calls.
        let error = loop {
            if let CallError::Refused(error) = hasty(&runtime, &store, &module, ns) {
                break error;
            }
        };
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("all 2 instances"), "{error}");
    });
}

#[test]
fn a_call_beyond_them_has_its_turn_when_an_instance_becomes_free() {
    let runtime = pooled(1);
    let module = load(&runtime, GUEST);
    let (store, ns) = store();
    while_busy(&runtime, &module, 3, || {
        for _ in 0..3 {
            let storing = Call::new("store", ns);
            runtime.call(&store, &module, &storing).unwrap();
        }
    });
}

/// However a call ends, its instance is free again.
#[test]
fn one_instance_serves_calls_of_all_endings_one_after_the_other() {
    let runtime = pooled(1);
    let module = load(&runtime, GUEST);
    let (store, ns) = store();
    for _ in 0..3 {
        for function in ["trap", "abort", "recurse", "fail", "finish_and_trap"] {
            let _any = runtime.call(&store, &module, &Call::new(function, ns));
            let mut growing = Call::new("grow_or_trap", ns);
            growing.args = vec![Val::I32(3)].into();
            growing.memory = 2 * PAGE;
            runtime.call(&store, &module, &growing).unwrap_err();
        }
        hasty(&runtime, &store, &module, ns);
        let mut too_much = Call::new("echo", ns);
        too_much.input = vec![0; (64 << 20) + 1].into();
        runtime.call(&store, &module, &too_much).unwrap_err();
        // Fails before its function runs.
        let refused = load(
            &runtime,
            r#"(module (memory (export "memory") 3) (func (export "f")))"#,
        );
        let mut small = Call::new("f", ns);
        small.memory = 2 * PAGE;
        runtime.call(&store, &refused, &small).unwrap_err();
        runtime
            .call(&store, &module, &Call::new("store", ns))
            .unwrap();
    }
}

/// Leaves a secret wherever a guest can leave something, and looks for one.
///
/// `hide` grows the memory by its argument in pages, and writes to each KiB of it, to
/// the globals and the tables; `look` grows the memory too and counts what is not as
/// the module says.
const SECRETS: &str = r#"(module
    (memory (export "memory") 2) (memory $other 1)
    (data (i32.const 100000) "\11\11\11\11\11\11\11\11")
    (global $number (mut i64) (i64.const 0))
    (global $function (mut funcref) (ref.null func))
    (table $functions 8 funcref)
    (func $f) (elem declare func $f)
    (func (export "hide") (param $pages i32) (local $at i32)
        (drop (memory.grow (local.get $pages)))
        (drop (memory.grow $other (local.get $pages)))
        (loop $next
            (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e75ec2))
            (local.set $at (i32.add (local.get $at) (i32.const 1024)))
            (br_if $next (i32.lt_u (local.get $at)
                (i32.mul (memory.size) (i32.const 65536)))))
        (i64.store (i32.const 100000) (i64.const 0x5ec2e75ec2e75ec2))
        (i64.store $other (i32.const 65528) (i64.const 0x5ec2e75ec2e75ec2))
        (global.set $number (i64.const 0x5ec2e75ec2e75ec2))
        (global.set $function (ref.func $f))
        (drop (table.grow $functions (ref.func $f) (i32.const 1000)))
        (table.set $functions (i32.const 7) (ref.func $f)))
    (func (export "hide_and_trap") (param $pages i32)
        (call 1 (local.get $pages)) unreachable)
    (func (export "hide_and_loop") (param $pages i32)
        (call 1 (local.get $pages)) (loop $for_ever (br $for_ever)))
    (func (export "look") (param $pages i32) (result i32)
        (local $at i32) (local $found i32)
        (local.set $found
            (i32.add (i32.ne (memory.size) (i32.const 2))
                (i32.ne (table.size $functions) (i32.const 8))))
        (drop (memory.grow (local.get $pages)))
        (drop (memory.grow $other (local.get $pages)))
        (drop (table.grow $functions (ref.null func) (i32.const 1000)))
        (if (i64.eq (i64.load (i32.const 100000)) (i64.const 0x1111111111111111))
            (then (i64.store (i32.const 100000) (i64.const 0)))
            (else (local.set $found (i32.add (local.get $found) (i32.const 1)))))
        (loop $next
            (local.set $found (i32.add (local.get $found)
                (i64.ne (i64.load (local.get $at)) (i64.const 0))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (br_if $next (i32.lt_u (local.get $at)
                (i32.mul (memory.size) (i32.const 65536)))))
        (local.set $found (i32.add (local.get $found)
            (i64.ne (i64.load $other (i32.const 65528)) (i64.const 0))))
        (local.set $found (i32.add (local.get $found)
            (i64.ne (global.get $number) (i64.const 0))))
        (local.set $found (i32.add (local.get $found)
            (i32.eqz (ref.is_null (global.get $function)))))
        (local.set $at (i32.const 0))
        (loop $next
            (local.set $found (i32.add (local.get $found)
                (i32.eqz (ref.is_null (table.get $functions (local.get $at))))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (table.size $functions))))
        (local.get $found))
)"#;

#[test]
fn a_call_finds_nothing_of_what_the_call_before_it_in_the_same_slot_has_left() {
    let runtime = pooled(1);
    // The second one is the same in all but its compiled code: slots know their module.
    let other = SECRETS.replace("0x5ec2e75ec2e75ec2", "0x5ec2e75ec2e75ec3");
    let modules = [load(&runtime, SECRETS), load(&runtime, &other)];
    let (store, ns) = store();
    let call = |module: &Module, function: &str, pages: i32| {
        let mut call = Call::new(function, ns);
        call.args = vec![Val::I32(pages)].into();
        if function == "hide_and_loop" {
            call.deadline = Duration::from_millis(50);
        }
        runtime.call(&store, module, &call)
    };
    // Below what is cleaned in place, and far beyond it.
    for pages in [0, 3, 100] {
        for (hides, looks) in [(0, 0), (0, 1), (1, 0)] {
            for function in ["hide", "hide_and_trap", "hide_and_loop"] {
                let ended = call(&modules[hides], function, pages);
                assert_eq!(ended.is_ok(), function == "hide", "{ended:?}");
                for _ in 0..2 {
                    let found = number(&call(&modules[looks], "look", pages).unwrap());
                    assert_eq!(found, 0, "after {function} of {pages} pages");
                }
            }
        }
    }
}

/// What [`SECRETS`] looks for is what it hides.
#[test]
fn the_guest_that_looks_finds_a_secret_that_is_there() {
    let both = SECRETS.replace(
        r#"(func (export "look") (param $pages i32) (result i32)"#,
        r#"(func (export "hide_and_look") (result i32)
            (call 1 (i32.const 1)) (call $look (i32.const 0)))
        (func $look (export "look") (param $pages i32) (result i32)"#,
    );
    let runtime = pooled(1);
    let module = load(&runtime, &both);
    let (store, ns) = store();
    let both = Call::new("hide_and_look", ns);
    let found = number(&runtime.call(&store, &module, &both).unwrap());
    // Both sizes, the data and 192 KiB of memory (less the data, which is set to 0
    // where it was not found), the other memory, two globals, 1,001 table entries.
    assert_eq!(found, 2 + 1 + 3 * 64 + 1 + 1 + 2 + 1001);
}

fn number(answer: &Answer) -> i32 {
    match answer.values[..] {
        [Val::I32(number)] => number,
        _ => panic!("{answer:?}"),
    }
}

#[test]
fn a_slot_holds_all_the_memory_that_32_bits_can_reach() {
    let runtime = pooled(1);
    let (store, ns) = store();
    let module = load(
        &runtime,
        r#"(module (memory (export "memory") 65536)
            (func (export "f") (result i32)
                (i32.store8 (i32.const -1) (i32.const 7)) (i32.load8_u (i32.const -1))))"#,
    );
    let mut call = Call::new("f", ns);
    call.memory = 65_536 * PAGE;
    for _ in 0..2 {
        assert_eq!(number(&runtime.call(&store, &module, &call).unwrap()), 7);
    }
    call.memory -= 1;
    match runtime.call(&store, &module, &call) {
        Err(CallError::Guest(FailedCall {
            why: GuestFailure::Trapped(text),
            ..
        })) => {
            assert!(text.contains("4294967296 bytes") && text.contains("4294967295 bytes"));
        }
        other => panic!("{other:?}"),
    }
    // A second memory may have 64 bits, and begin larger than that.
    let wat = r#"(module (memory (export "memory") 1) (memory i64 65537))"#;
    let error = runtime.load_bytes("test.wasm", &wat::parse_str(wat).unwrap());
    let text = error.unwrap_err().to_string();
    assert!(text.contains("4295032832"), "{text}");
}

#[test]
fn a_module_may_have_4_memories_and_4_tables_and_a_heap_and_no_more() {
    let runtime = pooled(1);
    let (store, ns) = store();
    let module = |memories: usize, tables: usize| {
        let wat = format!(
            r#"(module (type $pair (struct (field i32) (field i32)))
                (memory (export "memory") 1) {} {}
                (func (export "f") (result i32)
                    (struct.get $pair 0 (struct.new $pair (i32.const 7) (i32.const 8)))))"#,
            "(memory 1)".repeat(memories - 1),
            "(table 1 funcref)".repeat(tables),
        );
        runtime.load_bytes("test.wasm", &wat::parse_str(wat).unwrap())
    };
    let most = module(4, 4).unwrap();
    for _ in 0..2 {
        let answer = runtime.call(&store, &most, &Call::new("f", ns)).unwrap();
        assert_eq!(number(&answer), 7);
    }
    for (memories, tables) in [(5, 0), (1, 5)] {
        let text = module(memories, tables).unwrap_err().to_string();
        assert!(text.contains("limit of 4"), "{text}");
    }
}

#[test]
fn a_pool_that_no_address_space_is_large_enough_for_is_refused() {
    let error = Runtime::new(&RuntimeOptions {
        instances: NonZeroU32::new(u32::MAX),
        ..RuntimeOptions::default()
    })
    .unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert!(error.to_string().contains("4294967295"), "{error}");
}
