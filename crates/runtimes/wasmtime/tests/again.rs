//! Calls that others beat: they are run again in a fresh instance, until their
//! deadline; and calls in parts, of which the parts stay.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{PAGE, RUNTIME, call, entries, failed_call, load};
use wasm_storage_connect::Options;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Kind, NamespaceId, RunError, SessionOptions, Store};
use wasm_storage_host::GuestFailure;
use wasm_storage_testkit::fault::{Fault, FaultyKv};
use wasm_storage_testkit::guests;
use wasm_storage_testkit::rival::{RivalKv, Rivals};
use wasm_storage_wasmtime::{Answer, Call, CallError, Val};

/// Enough for a machine that is busy with other tests, and far below for ever.
const BOUND: Duration = Duration::from_secs(10);

const DENIED: i32 = -6;
const CONFLICT: i32 = -8;

/// Reads `key` and stores under `a` and `b`. It counts its attempts in a global and
/// in its memory.
const GUEST: &str = r#"(module
    (import "wasm_storage_v1" "finish" (func $finish (param i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "put" (func $put (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "commit" (func $commit (result i32)))
    (import "wasm_storage_v1" "abort" (func $abort (param i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "key")
    (data (i32.const 4) "a")
    (data (i32.const 5) "b")
    (data (i32.const 8) "value")
    (data (i32.const 16) "sold out")
    (global $attempts (mut i32) (i32.const 0))
    (func $look (result i32)
        (global.set $attempts (i32.add (global.get $attempts) (i32.const 1)))
        (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1)))
        (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 64)))
    (func $store (param $key i32)
        (if (call $put (i32.const 0) (local.get $key) (i32.const 1) (i32.const 8) (i32.const 5))
            (then unreachable)))
    (func $part (call $store (i32.const 4)) (if (call $commit) (then unreachable)))

    (func (export "look_and_store") (result i32 i32 i32)
        (local $length i32)
        (local.set $length (call $look))
        (call $store (i32.const 4))
        (global.get $attempts) (i32.load (i32.const 32)) (local.get $length))
    (func (export "leave_all_if_absent")
        (local $length i32)
        (local.set $length (call $look))
        (call $store (i32.const 4))
        (if (i32.lt_s (local.get $length) (i32.const 0)) (then
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (drop (memory.grow (i32.const 1)))
            (drop (call $finish (i32.const 0) (i32.const 8) (i32.const 5)))
            unreachable)
        (else
            (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)))))
    (func (export "straight")
        (drop (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 64)))
        (drop (call $put (i32.const 0) (i32.const 4) (i32.const 1) (i32.const 8) (i32.const 5))))
    (func (export "loop_if_as_long") (param $length i32)
        (if (i32.ge_s (call $look) (local.get $length))
            (then (loop $for_ever (br $for_ever))))
        (call $store (i32.const 4)))

    (func (export "try_part") (result i32)
        (call $store (i32.const 4))
        (call $commit))
    (func (export "two_parts") (result i32 i32 i32)
        (local $length i32)
        (call $part)
        (local.set $length (call $look))
        (call $store (i32.const 5))
        (call $commit)
        (call $look)
        (global.get $attempts))
    (func (export "first_part_after_look") (result i32)
        (drop (call $look))
        (call $part)
        (global.get $attempts))
    (func (export "part_then_lose")
        (call $part)
        (drop (call $look))
        (call $store (i32.const 5)))
    (func (export "part_then_store") (call $part) (call $store (i32.const 5)))
    (func (export "part_then_trap") (call $part) (call $store (i32.const 5)) unreachable)
    (func (export "part_then_abort") (call $part) (call $store (i32.const 5))
        (call $abort (i32.const 16) (i32.const 8)))
    (func (export "part_then_fail") (call $part) (call $store (i32.const 5))
        (drop (call $finish (i32.const 1) (i32.const 16) (i32.const 8))))
    (func (export "part_then_loop") (call $part) (call $store (i32.const 5))
        (loop $for_ever (br $for_ever)))
    (func (export "store_part_and_go_on") (result i32)
        (local $status i32)
        (call $store (i32.const 4))
        (local.set $status (call $commit))
        (drop (call $finish (i32.const 0) (i32.const 8) (i32.const 5)))
        (local.get $status))
)"#;

/// A store under which a rival can come first.
fn store() -> (Store, NamespaceId, Rivals) {
    let (kv, rivals) = RivalKv::new(MemoryKv::new());
    let store = Store::new(Coordinator::open(kv, None).unwrap());
    let ns = store.default_namespace().unwrap();
    (store, ns, rivals)
}

fn in_parts(function: &str, ns: NamespaceId) -> Call {
    Call {
        parts: true,
        ..Call::new(function, ns)
    }
}

fn numbers(answer: &Answer) -> Vec<i32> {
    answer.values.iter().map(Val::unwrap_i32).collect()
}

fn keys(store: &Store, ns: NamespaceId) -> Vec<String> {
    let keys = entries(store, ns).into_keys();
    keys.map(|key| String::from_utf8(key).unwrap()).collect()
}

fn refused(result: Result<Answer, CallError>) -> RunError {
    match result {
        Err(CallError::Store(error)) => error,
        other => panic!("the store should have refused: {other:?}"),
    }
}

#[test]
fn two_threads_that_call_counter_200_times_each_count_to_400_on_memory_and_fjall() {
    let dir = tempfile::tempdir().unwrap();
    let module = RUNTIME.load(&guests::path("counter")).unwrap();
    for url in ["memory:".into(), format!("fjall:{}", dir.path().display())] {
        let store = wasm_storage_connect::open(&url, &Options::default()).unwrap();
        let ns = store.default_namespace().unwrap();
        let answered = Mutex::new(BTreeSet::new());
        let attempts = Mutex::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let answer = call(&store, &module, &Call::new("increment", ns)).unwrap();
                        let number = answer.values[0].unwrap_i64();
                        assert!(answered.lock().unwrap().insert(number), "{number} twice");
                        *attempts.lock().unwrap() += answer.attempts;
                    }
                });
            }
        });
        assert!(answered.into_inner().unwrap().into_iter().eq(1..=400));
        let value = call(&store, &module, &Call::new("value", ns)).unwrap();
        assert_eq!(value.values[0].unwrap_i64(), 400);
        let attempts = attempts.into_inner().unwrap();
        println!("{url}: 400 calls of 2 threads, {attempts} attempts");
        store.close().unwrap();
    }
}

#[test]
fn a_call_that_lost_is_run_again_in_a_fresh_instance() {
    for losses in [1, 2, 3] {
        let (store, ns, rivals) = store();
        let module = load(GUEST);
        rivals.put(&store, ns, b"key", losses);
        let answer = call(&store, &module, &Call::new("look_and_store", ns)).unwrap();
        assert_eq!((answer.attempts, answer.parts), (losses + 1, 0));
        // It counts one attempt, and sees what the rival has put.
        assert_eq!(numbers(&answer), [1, 1, 5]);
        assert_eq!(keys(&store, ns), ["a", "key"]);
    }
}

/// What the lost attempt left: a result, a trap after it, memory near the limit, a
/// refusal of more.
#[test]
fn nothing_of_a_lost_attempt_is_in_the_answer_or_counts_against_a_limit() {
    let (store, ns, rivals) = store();
    let module = load(GUEST);
    let mut leaving = Call::new("leave_all_if_absent", ns);
    leaving.memory = 2 * PAGE;
    let answer = call(&store, &module, &leaving).unwrap();
    assert_eq!(answer.reply.result, Some(b"value".into()));
    assert!(
        answer.reply.trap.unwrap().contains("131072 bytes"),
        "refused"
    );
    assert_eq!(answer.attempts, 1);

    rivals.put(&store, ns, b"key", 1);
    let answer = call(&store, &module, &leaving).unwrap();
    assert_eq!(answer.attempts, 2);
    assert_eq!((answer.reply.result, answer.reply.trap), (None, None));
    assert!(answer.values.is_empty());
}

/// A rival whose value is longer each time.
fn growing_rival(store: &Store, ns: NamespaceId, rivals: &Rivals, times: u32) {
    let (store, value) = (store.clone(), Mutex::new(Vec::new()));
    rivals.send(ns, b"key", times, move || {
        let mut value = value.lock().unwrap();
        value.push(0);
        let mut session = store.begin(SessionOptions::read_write());
        session.put(ns, b"key", &value).unwrap();
        session.commit().into_result().unwrap();
    });
}

#[test]
fn a_deadline_is_for_all_attempts_together_and_its_message_counts_them() {
    for (losses, text) in [
        (0, ""),
        (1, " (attempt 2; another call was faster in the one before)"),
        (3, " (attempt 4; other calls were faster in the 3 before)"),
    ] {
        let (store, ns, rivals) = store();
        growing_rival(&store, ns, &rivals, losses);
        let mut looping = Call::new("loop_if_as_long", ns);
        looping.args = vec![Val::I32(i32::try_from(losses).unwrap())].into();
        looping.deadline = Duration::from_secs(1);
        if losses == 0 {
            looping.args = vec![Val::I32(-1)].into(); // as absent is
        }
        let began = Instant::now();
        let failed = failed_call(call(&store, &load(GUEST), &looping));
        assert!(began.elapsed() >= looping.deadline && began.elapsed() < BOUND);
        assert_eq!(failed.why, GuestFailure::Deadline(looping.deadline));
        assert_eq!((failed.attempts, failed.parts), (losses + 1, 0));
        let message = CallError::Guest(failed).to_string();
        let expected = format!("the guest was not done after 1s and was stopped{text}");
        assert_eq!(message, expected);
        assert!(!keys(&store, ns).contains(&"a".into()));
    }
}

#[test]
fn a_call_that_lost_when_its_deadline_had_passed_is_a_conflict_and_not_run_again() {
    let (store, ns, rivals) = store();
    let mut late = Call::new("straight", ns);
    late.deadline = Duration::from_millis(50);
    let at = Instant::now() + Duration::from_secs(1);
    let inner = store.clone();
    rivals.send(ns, b"key", 9, move || {
        let mut session = inner.begin(SessionOptions::read_write());
        session.put(ns, b"key", b"rival").unwrap();
        session.commit().into_result().unwrap();
        // Beyond the deadline of the call, which stops no guest without loops and calls.
        while Instant::now() < at {
            std::hint::spin_loop();
        }
    });
    let error = refused(call(&store, &load(GUEST), &late));
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!((error.attempts(), error.parts()), (1, 0));
    assert!(error.to_string().contains("\"key\""), "{error}");
}

/// After three losses the call waits for what it touches; here for a commit that
/// does not return before its deadline.
#[test]
fn a_call_that_waits_for_the_store_until_its_deadline_is_a_conflict() {
    let (kv, faults) = FaultyKv::new(MemoryKv::new());
    let (kv, rivals) = RivalKv::new(kv);
    let store = Store::new(Coordinator::open(kv, None).unwrap());
    let ns = store.default_namespace().unwrap();
    let put = move |store: &Store, key: &[u8]| {
        let mut session = store.begin(SessionOptions::read_write());
        session.put(ns, key, b"rival").unwrap();
        session.commit().into_result().unwrap();
    };
    let (held, threads) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(Vec::new())));
    let seen = Mutex::new(0);
    let (store_of_rivals, hold, spawned) = (store.clone(), held.clone(), threads.clone());
    rivals.send(ns, b"key", 3, move || {
        put(&store_of_rivals, b"key");
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        if *seen == 3 {
            let held = faults.hold();
            let store = store_of_rivals.clone();
            let thread = thread::spawn(move || put(&store, b"another"));
            held.wait_for(1);
            spawned.lock().unwrap().push(thread);
            *hold.lock().unwrap() = Some(held);
        }
    });
    let mut losing = Call::new("look_and_store", ns);
    losing.deadline = Duration::from_secs(2);
    let began = Instant::now();
    let error = refused(call(&store, &load(GUEST), &losing));
    assert!(began.elapsed() >= losing.deadline);
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!((error.attempts(), error.parts()), (4, 0));
    let text = CallError::Store(error).to_string();
    assert!(
        text.starts_with("other calls were faster in all 4 attempts; in the last one: "),
        "{text}"
    );
    drop(held.lock().unwrap().take());
    for thread in threads.lock().unwrap().drain(..) {
        thread.join().unwrap();
    }
    assert_eq!(keys(&store, ns), ["another", "key"]);
}

#[test]
fn parts_are_denied_unless_the_call_grants_them() {
    let (store, ns, _) = store();
    let module = load(GUEST);
    let answer = call(&store, &module, &Call::new("try_part", ns)).unwrap();
    assert_eq!((numbers(&answer), answer.parts), (vec![DENIED], 0));
    let answer = call(&store, &module, &in_parts("try_part", ns)).unwrap();
    assert_eq!((numbers(&answer), answer.parts), (vec![0], 1));
    assert_eq!(store.outcome(answer.commit.unwrap()).unwrap(), Some(true));
}

#[test]
fn a_call_whose_first_part_lost_is_run_again() {
    let (store, ns, rivals) = store();
    rivals.put(&store, ns, b"key", 2);
    let answer = call(&store, &load(GUEST), &in_parts("first_part_after_look", ns)).unwrap();
    assert_eq!((answer.attempts, answer.parts), (3, 1));
    assert_eq!(numbers(&answer), [1]);
}

#[test]
fn a_part_that_lost_after_another_is_a_conflict_to_the_guest_and_is_not_run_again() {
    let (store, ns, rivals) = store();
    rivals.put(&store, ns, b"key", 1);
    let answer = call(&store, &load(GUEST), &in_parts("two_parts", ns)).unwrap();
    assert_eq!((answer.attempts, answer.parts), (1, 1));
    // Afterwards it sees what the rival has put; it has looked twice in one attempt.
    assert_eq!(numbers(&answer), [CONFLICT, 5, 2]);
    assert_eq!(keys(&store, ns), ["a", "key"], "nothing of the second part");
}

#[test]
fn the_end_that_lost_after_a_part_is_a_conflict_to_the_caller_and_is_not_run_again() {
    let (store, ns, rivals) = store();
    rivals.put(&store, ns, b"key", 1);
    let error = refused(call(&store, &load(GUEST), &in_parts("part_then_lose", ns)));
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!((error.attempts(), error.parts()), (1, 1));
    let text = CallError::Store(error).to_string();
    assert!(text.ends_with("; 1 part of the call stays"), "{text}");
    assert_eq!(keys(&store, ns), ["a", "key"]);
}

#[test]
fn parts_stay_after_a_trap_an_abort_an_error_and_the_deadline_and_the_caller_is_told() {
    for function in [
        "part_then_trap",
        "part_then_abort",
        "part_then_fail",
        "part_then_loop",
    ] {
        let (store, ns, _) = store();
        let mut ending = in_parts(function, ns);
        if function == "part_then_loop" {
            // Long enough for a busy machine to come to the loop.
            ending.deadline = Duration::from_secs(1);
        }
        let failed = failed_call(call(&store, &load(GUEST), &ending));
        assert_eq!((failed.parts, failed.attempts), (1, 1), "{function}");
        let fits = match &failed.why {
            GuestFailure::Trapped(text) => {
                function == "part_then_trap" && text.contains("unreachable")
            }
            GuestFailure::Aborted(text) => function == "part_then_abort" && text == "sold out",
            GuestFailure::Failed(text) => function == "part_then_fail" && text == "sold out",
            GuestFailure::Deadline(_) => function == "part_then_loop",
            _ => false,
        };
        assert!(fits, "{function}: {failed:?}");
        let text = failed.to_string();
        assert!(text.ends_with("; 1 part of the call stays"), "{text}");
        assert_eq!(keys(&store, ns), ["a"], "{function}");
    }
}

#[test]
fn an_unknown_outcome_is_told_with_its_commit_wherever_it_befalls_the_call() {
    for (function, parts, at) in [
        ("store_part_and_go_on", 0, 0), // the first part; the guest goes on and finishes
        ("part_then_store", 1, 1),      // the end
    ] {
        for fault in [Fault::UnknownWritten, Fault::UnknownUnwritten] {
            let memory = MemoryKv::new();
            let (kv, faults) = FaultyKv::new(memory.clone());
            let store = Store::new(Coordinator::open(kv, None).unwrap());
            let ns = store.default_namespace().unwrap();
            faults.arm_after(at, fault);
            let error = refused(call(&store, &load(GUEST), &in_parts(function, ns)));
            assert_eq!(error.kind(), Kind::UnknownOutcome, "{function}");
            assert_eq!((error.parts(), error.attempts()), (parts, 1));
            let commit = error.commit().unwrap();
            let text = CallError::Store(error).to_string();
            assert!(text.contains(&commit.to_string()), "{text}");
            let reopened = Store::new(Coordinator::open(memory, None).unwrap());
            let happened = fault == Fault::UnknownWritten;
            assert_eq!(reopened.outcome(commit).unwrap(), Some(happened));
            let all = if function == "part_then_store" { 2 } else { 1 };
            let there = keys(&reopened, ns).len();
            assert_eq!(there, all - usize::from(!happened), "{function}");
        }
    }
}
