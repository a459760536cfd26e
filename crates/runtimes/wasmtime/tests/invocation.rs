//! One call is one invocation: what is kept when it returns, and that nothing is
//! when it does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{GUEST, PAGE, call, entries, failure, load, store, trap};
use wasm_storage_engine::{Kind, SessionOptions};
use wasm_storage_host::GuestFailure;
use wasm_storage_wasmtime::{Call, CallError, Val};

/// Enough for a machine that is busy with other tests, and far below for ever.
const BOUND: Duration = Duration::from_secs(10);

#[test]
fn what_a_call_stores_is_committed_when_it_returns() {
    let (store, ns) = store();
    let module = load(GUEST);
    let answer = call(&store, &module, &Call::new("length", ns)).unwrap();
    assert!(matches!(answer.values[..], [Val::I32(-1)]), "absent");
    let answer = call(&store, &module, &Call::new("store", ns)).unwrap();
    assert!(answer.values.is_empty());
    assert_eq!(answer.reply.result, None);
    assert_eq!(store.outcome(answer.commit.unwrap()).unwrap(), Some(true));
    assert_eq!(
        entries(&store, ns),
        [(b"key".into(), b"value".into())].into()
    );
    let answer = call(&store, &module, &Call::new("length", ns)).unwrap();
    assert!(matches!(answer.values[..], [Val::I32(5)]));
}

#[test]
fn every_call_has_a_fresh_instance() {
    let (store, ns) = store();
    let module = load(
        r#"(module (memory (export "memory") 1) (global $calls (mut i32) (i32.const 0))
            (func (export "count") (result i32)
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                (i32.add (global.get $calls) (i32.load (i32.const 0)))))"#,
    );
    for _ in 0..3 {
        let answer = call(&store, &module, &Call::new("count", ns)).unwrap();
        assert!(matches!(answer.values[..], [Val::I32(2)]));
    }
}

#[test]
fn arguments_and_results_of_every_number_type_go_through() {
    let (store, ns) = store();
    let mut sums = Call::new("sums", ns);
    sums.args = vec![
        Val::I32(-1),
        Val::I64(i64::MIN + 1),
        Val::F32(0.5f32.to_bits()),
        Val::F64(0.25f64.to_bits()),
    ]
    .into();
    let answer = call(&store, &load(GUEST), &sums).unwrap();
    match answer.values[..] {
        [Val::I64(sum), Val::F64(float)] => {
            assert_eq!((sum, f64::from_bits(float)), (i64::MIN, 0.75));
        }
        _ => panic!("{:?}", answer.values),
    }
}

#[test]
fn input_goes_in_and_the_bytes_of_finish_come_out() {
    let (store, ns) = store();
    let mut echo = Call::new("echo", ns);
    for input in [&b""[..], b"hello", &[0xff; PAGE]] {
        echo.input = input.into();
        let answer = call(&store, &load(GUEST), &echo).unwrap();
        assert!(answer.reply.result.as_deref() == Some(input));
    }
    echo.input = vec![0; (64 << 20) + 1].into();
    match call(&store, &load(GUEST), &echo) {
        Err(CallError::Refused(error)) => assert_eq!(error.kind(), Kind::TooLarge),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_kept_after_a_trap() {
    let (store, ns) = store();
    let module = load(GUEST);
    let text = trap(call(&store, &module, &Call::new("trap", ns)));
    assert!(text.contains("unreachable"), "{text}");
    let text = trap(call(&store, &module, &Call::new("recurse", ns)));
    assert!(text.contains("stack"), "{text}");
    let text = trap(call(&store, &module, &Call::new("wild", ns)));
    for part in ["get", "64 bytes", "0xfffa", "65536"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(entries(&store, ns).is_empty());
    call(&store, &module, &Call::new("store", ns)).unwrap();
}

#[test]
fn nothing_is_kept_after_abort_even_if_the_guest_could_return() {
    let (store, ns) = store();
    let module = load(GUEST);
    for function in ["abort", "abort_and_return"] {
        let failed = failure(call(&store, &module, &Call::new(function, ns)));
        assert_eq!(failed, GuestFailure::Aborted("sold out".into()));
        assert!(failed.to_string().contains("sold out"));
    }
    assert!(entries(&store, ns).is_empty());
}

#[test]
fn finish_0_commits_with_its_bytes_and_finish_1_rolls_back_with_its_text() {
    let (store, ns) = store();
    let module = load(GUEST);
    let failed = failure(call(&store, &module, &Call::new("fail", ns)));
    assert_eq!(failed, GuestFailure::Failed("sold out".into()));
    assert!(entries(&store, ns).is_empty());
    let answer = call(&store, &module, &Call::new("finish", ns)).unwrap();
    assert_eq!(answer.reply.result, Some(b"value".into()));
    assert_eq!(answer.reply.trap, None);
    assert!(matches!(answer.values[..], [Val::I32(7)]));
    assert_eq!(entries(&store, ns).len(), 1);
}

#[test]
fn what_happens_after_finish_0_is_reported_and_undoes_nothing() {
    for (function, text) in [
        ("finish_and_trap", "unreachable"),
        ("finish_and_store", "put: called after finish"),
        ("finish_and_loop", "was stopped"),
    ] {
        let (store, ns) = store();
        let mut ending = Call::new(function, ns);
        if function == "finish_and_loop" {
            // Long enough for a busy machine to come to `finish`.
            ending.deadline = Duration::from_secs(1);
        }
        let answer = call(&store, &load(GUEST), &ending).unwrap();
        assert_eq!(answer.reply.result, Some(b"value".into()), "{function}");
        let trap = answer.reply.trap.unwrap();
        assert!(trap.contains(text), "{trap}");
        assert_eq!(entries(&store, ns).len(), 1, "{function}");
    }
}

#[test]
fn a_guest_that_never_ends_is_stopped_at_its_deadline_and_nothing_is_kept() {
    let (store, ns) = store();
    let module = load(GUEST);
    for deadline in [Duration::ZERO, Duration::from_millis(50)] {
        let mut looping = Call::new("loop", ns);
        looping.deadline = deadline;
        let began = Instant::now();
        let failed = failure(call(&store, &module, &looping));
        assert_eq!(failed, GuestFailure::Deadline(deadline));
        assert!(began.elapsed() >= deadline, "not before its deadline");
        assert!(began.elapsed() < BOUND);
        assert!(entries(&store, ns).is_empty());
    }
    call(&store, &module, &Call::new("store", ns)).unwrap();
}

#[test]
fn a_start_function_that_never_ends_is_stopped_too() {
    let (store, ns) = store();
    let module = load(
        r#"(module (memory (export "memory") 1)
            (func $start (loop $for_ever (br $for_ever))) (start $start)
            (func (export "f")))"#,
    );
    let mut looping = Call::new("f", ns);
    looping.deadline = Duration::from_millis(20);
    let failed = failure(call(&store, &module, &looping));
    assert_eq!(failed, GuestFailure::Deadline(looping.deadline));
}

#[test]
fn a_deadline_beyond_the_end_of_time_is_none() {
    let (store, ns) = store();
    let module = load(GUEST);
    for seconds in [u64::MAX, u64::MAX / 2, 60_000_000_000_000_000] {
        let mut patient = Call::new("store", ns);
        patient.deadline = Duration::from_secs(seconds);
        call(&store, &module, &patient).unwrap();
    }
}

/// A guest can be interrupted only while its own code runs: 10,000 counts of a
/// namespace in one `exec` went on far beyond the deadline.
#[test]
fn a_long_host_call_ends_at_the_deadline_of_its_guest() {
    let (store, ns) = store();
    let mut session = store.begin(SessionOptions::read_write());
    for n in 0..20_000u32 {
        session.put(ns, &n.to_be_bytes(), b"").unwrap();
    }
    session.commit();
    let mut command = vec![1, 0];
    command.extend(10_000u16.to_le_bytes());
    for _ in 0..10_000 {
        command.extend([8, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0]);
        command.extend([4, 0, 0, 0]); // COUNT_ONLY, then no limit and no ends.
        command.extend([0; 16]);
    }
    let mut counting = Call::new("exec_input", ns);
    counting.input = command.into();
    counting.deadline = Duration::from_millis(100);
    let began = Instant::now();
    let failed = failure(call(&store, &load(GUEST), &counting));
    assert_eq!(failed, GuestFailure::Deadline(counting.deadline));
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
}

#[test]
fn a_guest_may_grow_to_its_memory_limit_and_not_one_page_beyond() {
    let (store, ns) = store();
    let module = load(GUEST);
    let mut growing = Call::new("grow", ns);
    growing.memory = 3 * PAGE;
    for (pages, answer) in [(0, 1), (2, 1), (3, -1), (-1, -1)] {
        growing.args = vec![Val::I32(pages)].into();
        let grown = call(&store, &module, &growing).unwrap();
        match grown.values[..] {
            [Val::I32(old)] => assert_eq!(old, answer, "{pages} pages"),
            _ => panic!("{grown:?}"),
        }
    }
    growing.function = "grow_or_trap".into();
    growing.args = vec![Val::I32(2)].into();
    call(&store, &module, &growing).unwrap();
    growing.memory = 3 * PAGE - 1;
    let text = trap(call(&store, &module, &growing));
    assert!(text.contains("196608") && text.contains("196607"), "{text}");
}

#[test]
fn nothing_is_kept_of_a_guest_that_dies_of_its_memory_limit_and_the_text_says_why() {
    let (store, ns) = store();
    let mut growing = Call::new("grow_or_trap", ns);
    growing.memory = 2 * PAGE;
    growing.args = vec![Val::I32(2)].into();
    let text = trap(call(&store, &load(GUEST), &growing));
    for part in [
        "unreachable",
        "196608 bytes of memory",
        "limit is 131072 bytes",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(entries(&store, ns).is_empty());
}

#[test]
fn a_memory_that_begins_over_the_limit_is_refused_with_both_sizes() {
    let (store, ns) = store();
    let mut storing = Call::new("f", ns);
    let module = load(r#"(module (memory (export "memory") 3) (func (export "f")))"#);
    storing.memory = 3 * PAGE;
    call(&store, &module, &storing).unwrap();
    storing.memory = 3 * PAGE - 1;
    let text = trap(call(&store, &module, &storing));
    assert!(text.contains("196608") && text.contains("196607"), "{text}");
}

/// Each memory and each table of a guest had the whole limit for itself: a module
/// with a hundred memories could take a hundred times as much.
#[test]
fn all_memories_of_a_guest_together_are_limited() {
    let (store, ns) = store();
    let module = load(
        r#"(module (memory (export "memory") 1 4) (memory $second 1)
            (func (export "grow_both") (result i32 i32 i32)
                (memory.grow 0 (i32.const 1))
                (memory.grow $second (i32.const 1))
                (memory.grow $second (i32.const 1)))
            (func (export "grow_beyond_its_own_maximum") (result i32 i32)
                (memory.grow 0 (i32.const 4))
                (memory.grow $second (i32.const 2))))"#,
    );
    let mut growing = Call::new("grow_both", ns);
    for (pages, expected) in [
        (2, [-1, -1, -1]),
        (3, [1, -1, -1]),
        (4, [1, 1, -1]),
        (5, [1, 1, 2]),
    ] {
        growing.memory = pages * PAGE;
        let answer = call(&store, &module, &growing).unwrap();
        let grown: Vec<i32> = answer.values.iter().map(Val::unwrap_i32).collect();
        assert_eq!(grown, expected, "{pages} pages");
    }
    growing.memory = PAGE;
    let text = trap(call(&store, &module, &growing));
    assert!(text.contains("131072") && text.contains("65536"), "{text}");

    growing.function = "grow_beyond_its_own_maximum".into();
    growing.memory = 4 * PAGE;
    let answer = call(&store, &module, &growing).unwrap();
    let grown: Vec<i32> = answer.values.iter().map(Val::unwrap_i32).collect();
    assert_eq!(grown, [-1, 1], "what it did not get does not count");
}

#[test]
fn tables_together_are_limited_too() {
    let (store, ns) = store();
    let module = load(
        r#"(module (memory (export "memory") 1) (table $a 0 funcref) (table $b 0 funcref)
            (func (export "grow") (param i32 i32) (result i32 i32)
                (table.grow $a (ref.null func) (local.get 0))
                (table.grow $b (ref.null func) (local.get 1))))"#,
    );
    let most = 1 << 20;
    for (a, b, expected) in [
        (most, 0, [0, 0]),
        (most + 1, 1, [-1, 0]),
        (most, 1, [0, -1]),
        (most / 2, most / 2, [0, 0]),
    ] {
        let mut growing = Call::new("grow", ns);
        growing.args = vec![Val::I32(a), Val::I32(b)].into();
        let answer = call(&store, &module, &growing).unwrap();
        let grown: Vec<i32> = answer.values.iter().map(Val::unwrap_i32).collect();
        assert_eq!(grown, expected, "{a} {b}");
    }
}

#[test]
fn a_start_function_belongs_to_the_invocation() {
    let (store, ns) = store();
    let start = |then: &str| {
        load(&format!(
            r#"(module
                (import "wasm_storage_v1" "put"
                    (func $put (param i32 i32 i32 i32 i32) (result i32)))
                (memory (export "memory") 1)
                (data (i32.const 0) "started")
                (func $start (drop (call $put
                    (i32.const 0) (i32.const 0) (i32.const 7) (i32.const 0) (i32.const 7))))
                (start $start)
                (func (export "f") {then}))"#
        ))
    };
    let text = trap(call(&store, &start("unreachable"), &Call::new("f", ns)));
    assert!(text.contains("unreachable"), "{text}");
    assert!(entries(&store, ns).is_empty());
    call(&store, &start(""), &Call::new("f", ns)).unwrap();
    assert_eq!(
        entries(&store, ns),
        [(b"started".into(), b"started".into())].into()
    );
}

#[test]
fn a_guest_opens_the_namespaces_it_was_granted() {
    let (store, ns) = store();
    let other = store.namespace("other", true).unwrap();
    let module = load(GUEST);
    let mut storing = Call::new("store_in_other", ns);
    let answer = call(&store, &module, &storing).unwrap();
    assert!(
        matches!(answer.values[..], [Val::I32(-2)]),
        "a handle of -6 is none"
    );
    storing.grants = std::sync::Arc::new([("other".to_string(), other)].into());
    let answer = call(&store, &module, &storing).unwrap();
    assert!(matches!(answer.values[..], [Val::I32(0)]));
    assert!(entries(&store, ns).is_empty());
    assert_eq!(entries(&store, other).len(), 1);
    // The namespace of handle 0 is the caller's choice.
    call(&store, &module, &Call::new("store", other)).unwrap();
    assert!(entries(&store, ns).is_empty());
}
