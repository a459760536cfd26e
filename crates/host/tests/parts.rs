//! Parts of a call (`commit`), and calls that are run again: what stays, what is
//! gone, and what the guest and its caller are told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Guest, MEMORY, code, every_import, in_parts, memory_store};
use wasm_storage_codec::record;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Attempt, Coordinator, Done, Kind, RunError, RunOptions, SessionOptions, Store,
};
use wasm_storage_host::{
    FailedCall, GuestEnd, GuestFailure, InvocationOptions, Reply, Trap, calls,
};
use wasm_storage_testkit::fault::{Fault, FaultyKv};

const INVALID_ARGUMENT: i32 = -2;
const TYPE_MISMATCH: i32 = -3;
const DENIED: i32 = -6;
const CONFLICT: i32 = -8;
const OVERFLOW: i32 = -9;

/// Another call puts `value` under `key`, and is done.
fn rival(store: &Store, key: &[u8], value: &[u8]) {
    let ns = store.default_namespace().unwrap();
    let mut session = store.begin(SessionOptions::read_write());
    session.put(ns, key, value).unwrap();
    session.commit().into_result().unwrap();
}

/// What a fresh call finds under a key.
fn stored(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    Guest::over(store, MEMORY).value(key)
}

/// Runs a guest in parts, as the adapters do.
fn run(
    store: &Store,
    rerun: bool,
    mut guest: impl FnMut(Guest) -> Attempt<Result<Reply, GuestFailure>>,
) -> Result<Done<Result<Reply, GuestFailure>>, RunError> {
    let options = RunOptions {
        deadline: None,
        rerun,
    };
    store.run(options, |session| {
        guest(Guest::of(session, in_parts(store), MEMORY))
    })
}

#[test]
fn commit_is_denied_where_it_is_not_granted_and_the_call_goes_on() {
    let mut guest = Guest::new();
    let store = guest.store.clone();
    guest.put(0, b"k", b"v");
    assert_eq!(guest.commit(), DENIED);
    let text = guest.error_text();
    assert!(text.contains("commit: the host does not grant"), "{text}");
    assert_eq!(guest.value(b"k"), Some(b"v".into()));
    assert_eq!(stored(&store, b"k"), None);
    guest.end(GuestEnd::Returned).unwrap();
    assert_eq!(stored(&store, b"k"), Some(b"v".into()));
}

#[test]
fn a_part_is_visible_at_once_and_stays_whatever_the_guest_makes_of_the_rest() {
    type End = fn(&mut Guest) -> (GuestEnd, GuestFailure);
    let ends: [End; 5] = [
        |guest| {
            guest.call.finish(1, b"sold out").unwrap();
            let failed = GuestFailure::Failed("sold out".into());
            (GuestEnd::Returned, failed)
        },
        |guest| {
            guest.call.abort(b"out of luck");
            let aborted = GuestFailure::Aborted("out of luck".into());
            (GuestEnd::Trapped("aborted".into()), aborted)
        },
        |_| {
            let text = || "unreachable".to_string();
            (GuestEnd::Trapped(text()), GuestFailure::Trapped(text()))
        },
        |_| {
            let limit = Duration::from_secs(3);
            (GuestEnd::Deadline(limit), GuestFailure::Deadline(limit))
        },
        |_| {
            let text = || "out of order".to_string();
            (GuestEnd::Defect(text()), GuestFailure::Defect(text()))
        },
    ];
    for end in ends {
        let store = memory_store();
        let mut told = None;
        let done = run(&store, true, |mut guest| {
            for key in [b"1", b"2"] {
                guest.put(0, key, b"part");
                assert_eq!(guest.commit(), 0);
                assert_eq!(stored(&store, key), Some(b"part".into()));
            }
            guest.put(0, b"3", b"rest");
            let (end, failure) = end(&mut guest);
            told = Some(failure);
            guest.call.end(end)
        })
        .unwrap();
        assert_eq!((done.parts, done.attempts), (2, 1));
        let why = done.value.unwrap_err();
        assert_eq!(Some(&why), told.as_ref());
        let failed = FailedCall {
            why,
            parts: done.parts,
            attempts: done.attempts,
        };
        let text = failed.to_string();
        assert!(text.ends_with("; 2 parts of the call stay"), "{text}");
        assert_eq!(stored(&store, b"2"), Some(b"part".into()));
        assert_eq!(stored(&store, b"3"), None);
    }
}

#[test]
fn what_follows_the_last_part_is_committed_when_the_guest_returns() {
    let store = memory_store();
    let done = run(&store, true, |mut guest| {
        guest.put(0, b"1", b"part");
        assert_eq!(guest.commit(), 0);
        assert_eq!(guest.commit(), 0, "nothing to commit is no part");
        guest.put(0, b"2", b"rest");
        guest.call.end(GuestEnd::Returned)
    })
    .unwrap();
    assert_eq!((done.parts, done.value), (1, Ok(Reply::default())));
    assert_eq!(store.outcome(done.commit.unwrap()).unwrap(), Some(true));
    assert_eq!(stored(&store, b"2"), Some(b"rest".into()));
}

#[test]
fn no_part_ends_while_a_savepoint_is_open_and_its_handle_names_none_after_the_part() {
    let store = memory_store();
    let mut guest = Guest::in_parts(&store);
    guest.put(0, b"k", b"1");
    let before = guest.call.savepoint().unwrap();
    guest.put(0, b"k", b"2");
    assert_eq!(guest.commit(), INVALID_ARGUMENT);
    assert!(guest.error_text().contains("savepoint"));
    assert_eq!(guest.call.rollback_to(before).unwrap(), 0);
    assert_eq!(guest.value(b"k"), Some(b"1".into()), "nothing is lost");
    assert_eq!(guest.call.release(before).unwrap(), 0);
    assert_eq!(guest.commit(), 0);

    guest.put(0, b"k", b"3");
    let after = guest.call.savepoint().unwrap();
    assert_ne!(
        after, before,
        "else an old handle would name a new savepoint"
    );
    guest.put(0, b"k", b"4");
    assert_eq!(guest.call.rollback_to(before).unwrap(), INVALID_ARGUMENT);
    assert_eq!(guest.value(b"k"), Some(b"4".into()));
    assert_eq!(guest.call.rollback_to(after).unwrap(), 0);
    assert_eq!(guest.value(b"k"), Some(b"3".into()));
}

#[test]
fn a_part_that_lost_is_gone_and_the_guest_goes_on_from_a_fresh_snapshot() {
    let store = memory_store();
    let mut attempts = 0;
    let done = run(&store, true, |mut guest| {
        attempts += 1;
        guest.put(0, b"first", b"part");
        assert_eq!(guest.commit(), 0);
        assert_eq!(guest.value(b"k"), None);
        rival(&store, b"k", b"rival");
        guest.put(0, b"lost", b"part");
        assert_eq!(guest.commit(), CONFLICT);
        assert!(guest.error_text().contains("\"k\""), "names the key");
        assert_eq!(guest.value(b"lost"), None);
        assert_eq!(guest.value(b"k"), Some(b"rival".into()));
        guest.put(0, b"k", b"mine");
        assert_eq!(guest.commit(), 0);
        guest.call.end(GuestEnd::Returned)
    })
    .unwrap();
    assert_eq!((done.parts, done.attempts, attempts), (2, 1, 1));
    assert_eq!(stored(&store, b"k"), Some(b"mine".into()));
    assert_eq!(stored(&store, b"lost"), None);
}

#[test]
fn the_end_of_a_call_with_parts_that_lost_is_a_conflict_and_is_not_run_again() {
    let store = memory_store();
    let mut attempts = 0;
    let error = run(&store, true, |mut guest| {
        attempts += 1;
        guest.put(0, b"first", b"part");
        assert_eq!(guest.commit(), 0);
        assert_eq!(guest.value(b"k"), None);
        rival(&store, b"k", b"rival");
        guest.put(0, b"rest", b"lost");
        guest.call.end(GuestEnd::Returned)
    })
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!((error.parts(), error.attempts(), attempts), (1, 1, 1));
    let text = error.to_string();
    assert!(text.ends_with("; 1 part of the call stays"), "{text}");
    assert_eq!(stored(&store, b"first"), Some(b"part".into()));
    assert_eq!(stored(&store, b"rest"), None);
}

/// Of a lost attempt nothing may be seen in the next: no handle, no parked result,
/// no error text, no write, no input that was consumed, no savepoint.
#[test]
fn a_call_that_is_run_again_knows_nothing_of_the_attempt_that_lost() {
    let store = memory_store();
    let shop = store.namespace("shop", true).unwrap();
    let options = InvocationOptions {
        grants: common::grants([("shop", shop)]),
        input: b"argument".as_slice().into(),
        ..in_parts(&store)
    };
    let mut attempts = 0;
    let mut keys = Vec::new();
    let done = store.run(RunOptions::default(), |session| {
        attempts += 1;
        let mut guest = Guest::of(session, options.clone(), MEMORY);
        assert_eq!(guest.fetch(64), INVALID_ARGUMENT, "nothing is parked");
        let text = guest.error_text();
        assert!(text.contains("parked"), "its own and only error: {text}");
        assert_eq!(guest.put(1, b"k", b"v"), INVALID_ARGUMENT, "no handle");
        assert_eq!(guest.call.release(1).unwrap(), INVALID_ARGUMENT);
        assert_eq!(guest.value(b"written"), None);
        assert_eq!(guest.call.input(&mut []).unwrap(), 8);
        assert_eq!(guest.fetch(64), 8, "the input is whole again");

        assert_eq!(guest.open(b"shop", 0), 1);
        assert_eq!(guest.call.savepoint().unwrap(), 1);
        guest.put(0, b"written", b"by the first");
        let mut key = [0; 8];
        assert_eq!(guest.call.mint(0, b"minted", &mut key).unwrap(), 0);
        keys.push(i64::from_le_bytes(key));
        guest.value(b"k");
        if attempts == 1 {
            rival(&store, b"k", b"rival");
        } else {
            assert_eq!(guest.value(b"k"), Some(b"rival".into()));
            guest.put(0, b"written", b"by the second");
        }
        // The last thing is a parked result and an error.
        assert_eq!(guest.open(b"other", 0), DENIED);
        assert!(guest.get(0, b"written", 0) > 0);
        guest.call.end(GuestEnd::Returned)
    });
    let done = done.unwrap();
    assert_eq!((done.attempts, attempts, done.parts), (2, 2, 0));
    assert_eq!(done.value, Ok(Reply::default()));
    assert_eq!(stored(&store, b"written"), Some(b"by the second".into()));
    let minted = |number: i64| stored(&store, &[&[0, 1][..], &number.to_be_bytes()].concat());
    assert_ne!(keys[0], keys[1], "a key that was minted is used up");
    assert_eq!(minted(keys[0]), None);
    assert_eq!(minted(keys[1]), Some(b"minted".into()));
}

/// The first part is where a call can still be run again: the guest is ended in
/// `commit`, and whatever it makes of that.
#[test]
fn a_call_whose_first_part_lost_is_doomed_every_import_traps_and_it_is_run_again() {
    every_import(|name, call| {
        let ends: [fn() -> GuestEnd; 2] = [
            || GuestEnd::Returned,
            || GuestEnd::Trapped("the call cannot commit any more".into()),
        ];
        for end in ends {
            let store = memory_store();
            let mut attempts = 0;
            let done = run(&store, true, |mut guest| {
                attempts += 1;
                let seen = guest.value(b"k");
                guest.put(0, b"mine", b"part");
                if attempts == 2 {
                    assert_eq!(seen, Some(b"rival".into()));
                    assert_eq!(guest.commit(), 0);
                    return guest.call.end(GuestEnd::Returned);
                }
                rival(&store, b"k", b"rival");
                let ended = calls::commit(&mut guest.call, &mut [][..]);
                assert!(matches!(ended, Err(Trap::Doomed)), "{ended:?}");
                match call(&mut guest) {
                    Ok(length) if name == "info" => assert_eq!(length, 32),
                    Err(Trap::Doomed) => {}
                    other => panic!("{name}: {other:?}"),
                }
                let ended = guest.call.end(end());
                match &ended {
                    Attempt::Commit(_, answer) => assert_eq!(*answer, Err(GuestFailure::Over)),
                    Attempt::Rollback(..) => panic!("commit says how it ended"),
                }
                ended
            })
            .unwrap();
            assert_eq!((done.attempts, done.parts), (2, 1), "{name}");
            assert_eq!(stored(&store, b"mine"), Some(b"part".into()));
        }
    });
}

#[test]
fn where_nothing_is_run_again_the_first_part_that_lost_is_a_conflict_like_any_other() {
    let store = memory_store();
    let mut guest = Guest::in_parts(&store);
    assert_eq!(guest.value(b"k"), None);
    rival(&store, b"k", b"rival");
    guest.put(0, b"mine", b"part");
    assert_eq!(guest.commit(), CONFLICT);
    assert_eq!(guest.value(b"mine"), None);
    guest.end(GuestEnd::Returned).unwrap();
    assert_eq!(stored(&store, b"mine"), None);
}

#[test]
fn an_increment_of_what_is_no_number_is_refused_at_the_part_and_its_writes_are_gone() {
    let store = memory_store();
    rival(&store, b"text", b"\x0f\0hello");
    rival(&store, b"full", &record::i64_entry(i64::MAX));
    let mut guest = Guest::in_parts(&store);
    for (key, status) in [(&b"text"[..], TYPE_MISMATCH), (b"full", OVERFLOW)] {
        guest.put(0, b"beside", b"it");
        assert_eq!(guest.increment(key, 1), 0, "blind");
        assert_eq!(guest.commit(), status);
        let text = guest.error_text();
        assert!(text.contains(std::str::from_utf8(key).unwrap()), "{text}");
        assert_eq!(guest.value(b"beside"), None);
    }
    guest.put(0, b"beside", b"it");
    assert_eq!(guest.commit(), 0);
}

#[test]
fn an_increment_of_what_is_no_number_fails_in_line_when_the_call_is_run_again() {
    let store = memory_store();
    rival(&store, b"text", b"\x0f\0hello");
    let mut answers = Vec::new();
    let done = run(&store, true, |mut guest| {
        answers.push(guest.increment(b"text", 1));
        guest.call.end(GuestEnd::Returned)
    })
    .unwrap();
    assert_eq!((done.attempts, &answers[..]), (2, &[0, TYPE_MISMATCH][..]));
}

#[test]
fn increments_of_one_key_by_calls_that_overlap_are_all_kept() {
    let store = memory_store();
    let mut guests: Vec<Guest> = (0..5).map(|_| Guest::in_parts(&store)).collect();
    for guest in &mut guests {
        assert_eq!(guest.increment(b"n", 1), 0);
    }
    for mut guest in guests {
        assert_eq!(guest.commit(), 0);
        assert_eq!(guest.increment(b"n", 10), 0);
        guest.end(GuestEnd::Returned).unwrap();
    }
    assert_eq!(stored(&store, b"n").unwrap(), record::i64_entry(55));
}

#[test]
fn after_a_part_of_unknown_outcome_every_import_answers_so_and_the_caller_gets_the_commit() {
    for fault in [Fault::UnknownWritten, Fault::UnknownUnwritten] {
        every_import(|name, call| {
            let memory = MemoryKv::new();
            let (kv, faults) = FaultyKv::new(memory.clone());
            let store = Store::new(Coordinator::open(kv, None).unwrap());
            store.default_namespace().unwrap();
            let error = run(&store, true, |mut guest| {
                guest.put(0, b"1", b"part");
                assert_eq!(guest.commit(), 0);
                guest.put(0, b"2", b"part");
                faults.arm(fault);
                assert_eq!(guest.commit(), code(Kind::UnknownOutcome));
                let text = guest.error_text();
                assert!(text.contains("may or may not have happened"), "{text}");
                let answer = call(&mut guest);
                match name {
                    // They touch no store.
                    "input" | "open" | "fetch" | "info" | "error_text" | "finish" => {
                        let status = answer.unwrap();
                        assert_ne!(status, code(Kind::UnknownOutcome), "{name}");
                    }
                    "abort" => assert!(matches!(answer, Err(Trap::Aborted))),
                    // Of length 0 they are refused before; see below.
                    "scan" | "exec" => {}
                    _ => assert_eq!(answer.unwrap(), code(Kind::UnknownOutcome), "{name}"),
                }
                guest.call.end(GuestEnd::Returned)
            })
            .unwrap_err();
            assert_eq!((error.kind(), error.parts()), (Kind::UnknownOutcome, 1));
            let commit = error.commit().unwrap();
            let text = error.to_string();
            for part in [&commit.to_string(), "; 1 part of the call stays"] {
                assert!(text.contains(part), "{text}");
            }
            let reopened = Coordinator::open(memory, None).unwrap();
            let happened = Some(fault == Fault::UnknownWritten);
            assert_eq!(Store::new(reopened).outcome(commit).unwrap(), happened);
        });
    }
}

#[test]
fn scan_and_each_operation_of_exec_answer_so_too() {
    let (kv, faults) = FaultyKv::new(MemoryKv::new());
    let store = Store::new(Coordinator::open(kv, None).unwrap());
    let mut guest = Guest::in_parts(&store);
    guest.put(0, b"k", b"v");
    faults.arm(Fault::UnknownUnwritten);
    let unknown = code(Kind::UnknownOutcome);
    assert_eq!(guest.commit(), unknown);
    assert_eq!(guest.scan(&[0; 20], 64), unknown);
    let get = [&[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], b"k"].concat();
    let command = |flags: u8| [&[1, flags, 2, 0][..], &get, &get].concat();
    assert_eq!(guest.exec(&command(0), 64), 16);
    let reply = [unknown.to_le_bytes(), [0; 4]].concat();
    assert_eq!(guest.bytes(common::OUT, 16), [&reply[..], &reply].concat());
    let atomic = wasm_storage_abi::wire::exec::ATOMIC;
    assert_eq!(guest.exec(&command(atomic), 64), unknown);
}

#[test]
fn a_part_that_a_closed_store_refuses_ends_the_call_and_every_later_import_says_so() {
    let (kv, faults) = FaultyKv::new(MemoryKv::new());
    let store = Store::new(Coordinator::open(kv, None).unwrap());
    store.default_namespace().unwrap();
    let unavailable = code(Kind::Unavailable);
    let error = run(&store, true, |mut guest| {
        guest.put(0, b"1", b"part");
        assert_eq!(guest.commit(), 0);
        guest.put(0, b"2", b"part");
        // Another call ends in an unknown outcome.
        faults.arm(Fault::UnknownUnwritten);
        let mut other = store.begin(SessionOptions::read_write());
        let ns = store.default_namespace().unwrap();
        other.put(ns, b"other", b"").unwrap();
        let failed = other.commit().into_result().unwrap_err();
        assert_eq!(failed.kind(), Kind::UnknownOutcome);
        for _ in 0..2 {
            assert_eq!(guest.commit(), unavailable);
        }
        assert_eq!(guest.get(0, b"1", 64), unavailable);
        guest.call.finish(0, b"done").unwrap();
        guest.call.end(GuestEnd::Returned)
    })
    .unwrap_err();
    assert_eq!((error.kind(), error.parts()), (Kind::Unavailable, 1));
    assert_eq!(error.commit(), None, "nothing of this call is unknown");
}
