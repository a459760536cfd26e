//! Every import of `wasm_storage_v1` over a byte array as the guest's memory.
//! (What `scan` and `exec` say in their own languages: `scan.rs`, `exec.rs`.)
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Guest, INPUT, MEMORY, OUT, OUT_OF_8, RANGES, code, every_import, grants};
use wasm_storage_abi::{limits, v1, wire};
use wasm_storage_codec::record;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::memory::{MemoryKv, MemorySnapshot};
use wasm_storage_engine::{
    Capabilities, Coordinator, Durability, Error, KeyRange, Kind, NamespaceId, Order,
    SessionOptions, Store, Visit,
};
use wasm_storage_host::{
    Grants, GuestEnd, GuestFailure, Invocation, InvocationOptions, Reply, Trap, calls,
};

const NOT_FOUND: i32 = -1;
const INVALID_ARGUMENT: i32 = -2;
const TYPE_MISMATCH: i32 = -3;
const TOO_LARGE: i32 = -4;
const DENIED: i32 = -6;
const OVERFLOW: i32 = -9;

#[test]
fn every_row_of_the_import_table_is_called_in_this_file() {
    let mut names = BTreeSet::new();
    every_import(|name, _| {
        names.insert(name);
    });
    let rows: BTreeSet<&str> = v1::IMPORTS.iter().map(|import| import.name).collect();
    assert_eq!(names, rows);
}

#[test]
fn values_are_put_got_measured_and_deleted() {
    let mut guest = Guest::new();
    assert_eq!(guest.value(b"k"), None);
    assert_eq!(guest.put(0, b"k", b"value"), 0);
    assert_eq!(guest.get(0, b"k", 5), 5);
    assert_eq!(guest.bytes(OUT, 6), b"value\xaa", "no byte more");
    let (k, n) = guest.at(INPUT, b"k");
    assert_eq!(
        calls::has(&mut guest.call, &mut guest.memory[..], 0, k, n).unwrap(),
        5
    );
    assert_eq!(guest.put(0, b"k", b""), 0);
    assert_eq!(guest.value(b"k"), Some(vec![]), "0 is a true empty value");
    assert_eq!(guest.put(0, b"", b"empty key"), 0);
    assert_eq!(guest.value(b""), Some(b"empty key".into()));
    let (k, n) = guest.at(INPUT, b"k");
    let memory = &mut guest.memory[..];
    assert_eq!(calls::delete(&mut guest.call, memory, 0, k, n).unwrap(), 0);
    assert_eq!(calls::delete(&mut guest.call, memory, 0, k, n).unwrap(), 0);
    assert_eq!(
        calls::has(&mut guest.call, memory, 0, k, n).unwrap(),
        NOT_FOUND
    );
}

#[test]
fn mint_writes_the_key_that_its_value_is_under() {
    let mut guest = Guest::new();
    let mut last = 0;
    for value in [&b"one"[..], b"two"] {
        let (v, n) = guest.at(INPUT, value);
        let memory = &mut guest.memory[..];
        assert_eq!(
            calls::mint(&mut guest.call, memory, 0, v, n, OUT + 1).unwrap(),
            0
        );
        let number = i64::from_le_bytes(guest.bytes(OUT + 1, 8).try_into().unwrap());
        assert!(number > last);
        last = number;
        let key = [&[0, 1][..], &number.to_be_bytes()].concat();
        assert_eq!(guest.value(&key).unwrap(), value);
    }
}

#[test]
fn add_and_increment_write_i64_entries_and_add_writes_the_sum() {
    let mut guest = Guest::new();
    let (k, n) = guest.at(INPUT, b"n");
    let memory = &mut guest.memory[..];
    assert_eq!(
        calls::add(&mut guest.call, memory, 0, k, n, -5, OUT).unwrap(),
        0
    );
    assert_eq!(guest.bytes(OUT, 8), (-5i64).to_le_bytes());
    let memory = &mut guest.memory[..];
    assert_eq!(
        calls::increment(&mut guest.call, memory, 0, k, n, 7).unwrap(),
        0
    );
    assert_eq!(guest.value(b"n").unwrap(), record::i64_entry(2));

    guest.at(OUT, &[0xaa; 8]);
    let (k, n) = guest.at(INPUT, b"n");
    let memory = &mut guest.memory[..];
    let status = calls::add(&mut guest.call, memory, 0, k, n, i64::MAX, OUT).unwrap();
    assert_eq!(status, OVERFLOW);
    assert_eq!(
        guest.bytes(OUT, 8),
        [0xaa; 8],
        "a failed add writes nothing"
    );
    assert!(guest.error_text().contains("\"n\""));
    guest.put(0, b"text", b"\x0f\0hello");
    let (k, n) = guest.at(INPUT, b"text");
    let memory = &mut guest.memory[..];
    let status = calls::add(&mut guest.call, memory, 0, k, n, 1, OUT).unwrap();
    assert_eq!(status, TYPE_MISMATCH);
}

#[test]
fn nothing_can_be_added_in_the_raw_key_spaces_even_if_it_looks_like_an_i64() {
    let mut guest = Guest::new();
    for space in [[0, 2], [0, 3]] {
        let key = [&space[..], b"k"].concat();
        for value in [None, Some(record::i64_entry(1))] {
            if let Some(entry) = value {
                guest.put(0, &key, &entry);
            }
            let (k, n) = guest.at(INPUT, &key);
            let memory = &mut guest.memory[..];
            let added = calls::add(&mut guest.call, memory, 0, k, n, 1, OUT).unwrap();
            assert_eq!(added, TYPE_MISMATCH);
            let counted = calls::increment(&mut guest.call, memory, 0, k, n, 1).unwrap();
            assert_eq!(counted, TYPE_MISMATCH);
            assert_eq!(guest.value(&key), value.map(|entry| entry.to_vec()));
        }
    }
}

#[test]
fn input_is_given_whole_or_parked() {
    let store = common::memory_store();
    let mut guest = Guest::with(&store, MEMORY, Grants::default(), b"argument");
    for cap in [8, 20] {
        guest.at(OUT, &[0xaa; 20]);
        let memory = &mut guest.memory[..];
        assert_eq!(calls::input(&mut guest.call, memory, OUT, cap).unwrap(), 8);
        assert_eq!(guest.bytes(OUT, 9), b"argument\xaa");
    }
    guest.at(OUT, &[0xaa; 8]);
    let memory = &mut guest.memory[..];
    assert_eq!(calls::input(&mut guest.call, memory, OUT, 7).unwrap(), 8);
    assert_eq!(guest.bytes(OUT, 8), [0xaa; 8], "nothing is written");
    assert_eq!(guest.fetch(8), 8);
    assert_eq!(guest.bytes(OUT, 8), b"argument");
    assert_eq!(guest.fetch(8), INVALID_ARGUMENT, "it was fetched");

    let mut guest = Guest::new();
    let memory = &mut guest.memory[..];
    assert_eq!(calls::input(&mut guest.call, memory, OUT, 0).unwrap(), 0);
    assert_eq!(guest.fetch(8), INVALID_ARGUMENT, "an empty input fits");
}

#[test]
fn an_input_of_64_mib_is_taken_and_one_byte_more_is_not() {
    let store = common::memory_store();
    let namespace = store.default_namespace().unwrap();
    let options = |bytes: usize| InvocationOptions {
        input: vec![7; bytes].into(),
        ..InvocationOptions::new(namespace)
    };
    let session = || store.begin(SessionOptions::read_write());
    let mut call = Invocation::new(session(), options(limits::INPUT_BYTES)).unwrap();
    let mut out = vec![0; limits::INPUT_BYTES];
    let length = i32::try_from(limits::INPUT_BYTES).unwrap();
    assert_eq!(call.input(&mut []).unwrap(), length);
    assert_eq!(call.fetch(&mut out).unwrap(), length);
    assert!(out.iter().all(|byte| *byte == 7));
    let over = Invocation::new(session(), options(limits::INPUT_BYTES + 1));
    let (session, error) = over.unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(error.to_string().contains("67108865"), "{error}");
    session.rollback();
}

#[test]
fn a_result_of_64_mib_is_taken_and_one_byte_more_is_not() {
    let mut guest = Guest::new();
    let mut result = vec![7; limits::RESULT_BYTES + 1];
    for status in [0, 1] {
        assert_eq!(guest.call.finish(status, &result).unwrap(), TOO_LARGE);
    }
    assert!(guest.error_text().contains("67108865"));
    result.pop();
    assert_eq!(guest.call.finish(0, &result).unwrap(), 0);
    let reply = guest.end(GuestEnd::Returned).unwrap();
    assert!(reply.result == Some(result));
}

#[test]
fn a_result_that_does_not_fit_is_parked_until_a_buffer_is_large_enough() {
    let mut guest = Guest::new();
    guest.put(0, b"k", b"value");
    guest.at(OUT, &[0xaa; 8]);
    assert_eq!(guest.get(0, b"k", 4), 5);
    assert_eq!(guest.bytes(OUT, 8), [0xaa; 8], "nothing is written");
    assert_eq!(guest.fetch(4), 5, "too small keeps it");
    assert_eq!(guest.fetch(0), 5);
    assert_eq!(guest.bytes(OUT, 8), [0xaa; 8]);
    let memory = &mut guest.memory[..];
    calls::info(&mut guest.call, memory, INPUT, 64).unwrap();
    calls::error_text(&mut guest.call, memory, INPUT, 64).unwrap();
    assert_eq!(guest.fetch(5), 5, "info and error_text keep it too");
    assert_eq!(guest.bytes(OUT, 6), b"value\xaa");
    assert_eq!(guest.fetch(5), INVALID_ARGUMENT);
    assert!(guest.error_text().contains("parked"));
}

#[test]
fn every_import_but_fetch_info_and_error_text_drops_a_parked_result() {
    every_import(|name, call| {
        if ["fetch", "info", "error_text", "finish", "abort"].contains(&name) {
            return; // They keep it, or seal the call.
        }
        let mut guest = Guest::new();
        guest.put(0, b"p", b"parked");
        assert_eq!(guest.get(0, b"p", 0), 6);
        guest.at(INPUT, b"another key");
        call(&mut guest).unwrap();
        // Where the import has parked something itself, it is not the old value.
        let left = guest.fetch(64);
        assert!(
            left == INVALID_ARGUMENT || guest.bytes(OUT, 6) != b"parked",
            "{name}: {left}"
        );
    });
    // Also an import that refuses.
    let mut guest = Guest::new();
    guest.put(0, b"k", b"value");
    assert_eq!(guest.get(0, b"k", 0), 5);
    assert_eq!(guest.get(9, b"k", 0), INVALID_ARGUMENT);
    assert_eq!(guest.fetch(64), INVALID_ARGUMENT);
}

#[test]
fn every_range_outside_the_memory_traps_before_anything_is_touched() {
    let end = u32::try_from(MEMORY).unwrap();
    let bad = [
        (end, 1),
        (end - 3, 4),
        (0, end + 1),
        (1, u32::MAX),
        (u32::MAX, 1),
        (u32::MAX, u32::MAX),
        (u32::MAX - 3, 8),
        (0x8000_0000, 0x8000_0000),
    ];
    let untouched = |guest: &mut Guest, before: &[u8], what: &str| {
        assert!(guest.memory == before, "{what}: the memory was written");
        assert_eq!(guest.fetch(8), 5, "{what}: the parked result is kept");
        assert_eq!(guest.value(b"k"), Some(b"value".into()), "{what}");
    };
    let prepared = || {
        let mut guest = Guest::new();
        guest.put(0, b"k", b"value");
        guest.get(0, b"k", 0);
        let before = guest.memory.clone();
        (guest, before)
    };
    for (name, call) in RANGES {
        for (pointer, length) in bad {
            let (mut guest, before) = prepared();
            match call(&mut guest, pointer, length) {
                Err(Trap::OutOfBounds {
                    import,
                    pointer: p,
                    length: n,
                    memory,
                }) => assert_eq!((import, p, n, memory), (*name, pointer, length, MEMORY)),
                other => panic!("{name} {pointer} {length}: {other:?}"),
            }
            untouched(&mut guest, &before, name);
        }
    }
    for (name, call) in OUT_OF_8 {
        for pointer in [end - 7, end, u32::MAX - 7, u32::MAX] {
            let (mut guest, before) = prepared();
            let trap = call(&mut guest, pointer).unwrap_err();
            assert!(matches!(trap, Trap::OutOfBounds { .. }), "{name}: {trap}");
            untouched(&mut guest, &before, name);
        }
    }
}

#[test]
fn a_bad_range_traps_whatever_else_is_wrong_with_the_call() {
    let size = 2 * limits::KEY_BYTES;
    let mut guest = Guest::over(&common::memory_store(), size);
    let memory = &mut guest.memory[..];
    let (over, end) = (4097, u32::try_from(size).unwrap());
    let call = &mut guest.call;
    let answers = [
        calls::get(call, memory, 9, 0, over, end, 1),
        calls::get(call, memory, 9, end, 1, 0, 0),
        calls::put(call, memory, 9, 0, over, end, 1),
        calls::mint(call, memory, 9, 0, 1, end),
        calls::add(call, memory, 9, 0, over, 1, end),
        calls::scan(call, memory, 9, 0, end, end, 1),
        calls::exec(call, memory, 0, end, end, 1),
        calls::open(call, memory, end, 300, 1),
        calls::finish(call, memory, 7, end, 1),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let trapped = matches!(answer, Err(Trap::OutOfBounds { .. }));
        assert!(trapped, "{number}: {answer:?}");
    }
}

#[test]
fn a_range_that_ends_with_the_memory_is_inside() {
    let end = u32::try_from(MEMORY).unwrap();
    for (name, call) in RANGES {
        for (pointer, length) in [(end - 4, 4), (0, end)] {
            let trapped = call(&mut Guest::new(), pointer, length);
            assert!(
                !matches!(trapped, Err(Trap::OutOfBounds { .. })),
                "{name} {pointer} {length}: {trapped:?}"
            );
        }
    }
    for (_, call) in OUT_OF_8 {
        assert_eq!(call(&mut Guest::new(), end - 8).unwrap(), 0);
    }
}

#[test]
fn of_length_0_the_pointer_is_not_looked_at() {
    for memory in [0, MEMORY] {
        for (name, call) in RANGES {
            for pointer in [u32::MAX, u32::try_from(memory).unwrap(), 0x8000_0000] {
                let mut guest = Guest::over(&common::memory_store(), memory);
                let answer = call(&mut guest, pointer, 0);
                // The other ranges of the call need a memory.
                let named = matches!(
                    &answer,
                    Err(Trap::OutOfBounds { pointer: p, .. }) if *p == pointer
                );
                assert!(!named || pointer == 0, "{name} {pointer}: {answer:?}");
            }
        }
    }
}

#[test]
fn ranges_may_overlap_inputs_are_consumed_first() {
    let mut guest = Guest::new();
    guest.put(0, b"key", b"the value");
    // get: the value over its own key.
    let (k, n) = guest.at(100, b"key");
    let memory = &mut guest.memory[..];
    assert_eq!(
        calls::get(&mut guest.call, memory, 0, k, n, k, 9).unwrap(),
        9
    );
    assert_eq!(guest.bytes(100, 9), b"the value");
    // put: key and value in one range.
    let (k, n) = guest.at(100, b"both");
    let memory = &mut guest.memory[..];
    assert_eq!(
        calls::put(&mut guest.call, memory, 0, k, n, k, n).unwrap(),
        0
    );
    assert_eq!(guest.value(b"both"), Some(b"both".into()));
    // add: the sum over the key.
    let (k, n) = guest.at(100, b"counter");
    let memory = &mut guest.memory[..];
    calls::add(&mut guest.call, memory, 0, k, n, 7, k).unwrap();
    assert_eq!(guest.bytes(100, 8), 7i64.to_le_bytes());
    assert!(guest.value(b"counter").is_some());
    // mint: the key over the value.
    let (v, n) = guest.at(100, b"minted value");
    let memory = &mut guest.memory[..];
    calls::mint(&mut guest.call, memory, 0, v, n, v).unwrap();
    let number = i64::from_le_bytes(guest.bytes(100, 8).try_into().unwrap());
    let key = [&[0, 1][..], &number.to_be_bytes()].concat();
    assert_eq!(guest.value(&key), Some(b"minted value".into()));
    // scan: the page over the spec; exec: the replies over the command.
    let (s, n) = guest.at(100, &[0; 20]);
    let memory = &mut guest.memory[..];
    let page = calls::scan(&mut guest.call, memory, 0, s, n, s, 512).unwrap();
    assert_eq!(guest.bytes(100, page)[..4], 4u32.to_le_bytes());
    let command = [
        &[1, 0, 1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..],
        b"key",
    ]
    .concat();
    let (c, n) = guest.at(100, &command);
    let memory = &mut guest.memory[..];
    let reply = calls::exec(&mut guest.call, memory, c, n, c, 64).unwrap();
    assert_eq!(guest.bytes(100, reply), b"\0\0\0\0\x09\0\0\0the value");
}

#[test]
fn a_key_of_4096_bytes_is_taken_by_every_import_and_one_of_4097_by_none() {
    let longest = u32::try_from(limits::KEY_BYTES).unwrap();
    let keyed: Vec<_> = RANGES
        .iter()
        .filter(|(name, _)| ["get", "put", "delete", "has", "add", "increment"].contains(name))
        .collect();
    assert_eq!(keyed.len(), 8, "get and put have two ranges");
    for (name, call) in keyed {
        let mut guest = Guest::over(&common::memory_store(), 2 * limits::KEY_BYTES);
        guest.memory.fill(b'k');
        let taken = call(&mut guest, 0, longest).unwrap();
        assert!(taken == NOT_FOUND || taken >= 0, "{name}: {taken}");
        let refused = call(&mut guest, 0, longest + 1).unwrap();
        // The second ranges are a value and a buffer.
        if refused != 0 && refused != NOT_FOUND {
            assert_eq!(refused, TOO_LARGE, "{name}");
            let text = guest.error_text();
            assert!(text.contains("4097") && text.contains("4096"), "{text}");
        }
    }
    let mut guest = Guest::over(&common::memory_store(), 2 * limits::KEY_BYTES);
    let memory = &mut guest.memory[..];
    let over = longest + 1;
    let call = &mut guest.call;
    assert_eq!(
        calls::get(call, memory, 0, 0, over, 0, 0).unwrap(),
        TOO_LARGE
    );
    assert_eq!(
        calls::put(call, memory, 0, 0, over, 0, 0).unwrap(),
        TOO_LARGE
    );
    assert_eq!(calls::has(call, memory, 0, 0, over).unwrap(), TOO_LARGE);
    assert_eq!(calls::delete(call, memory, 0, 0, over).unwrap(), TOO_LARGE);
    assert_eq!(
        calls::add(call, memory, 0, 0, over, 1, 0).unwrap(),
        TOO_LARGE
    );
    assert_eq!(
        calls::increment(call, memory, 0, 0, over, 1).unwrap(),
        TOO_LARGE
    );
}

#[test]
fn a_value_of_16_mib_goes_in_and_out_and_one_byte_more_does_not_go_in() {
    let size = u32::try_from(limits::VALUE_BYTES).unwrap();
    let mut guest = Guest::over(&common::memory_store(), limits::VALUE_BYTES + 64);
    let out = size + 1;
    let memory = &mut guest.memory[..];
    let call = &mut guest.call;
    assert_eq!(
        calls::put(call, memory, 0, 0, 1, 0, size + 1).unwrap(),
        TOO_LARGE
    );
    assert_eq!(
        calls::mint(call, memory, 0, 0, size + 1, out).unwrap(),
        TOO_LARGE
    );
    assert_eq!(memory[limits::VALUE_BYTES + 1..][..8], [0xaa; 8], "no key");
    assert_eq!(calls::put(call, memory, 0, 0, 1, 0, size).unwrap(), 0);
    memory.fill(0);
    memory[0] = 0xaa;
    let length = i32::try_from(size).unwrap();
    assert_eq!(calls::get(call, memory, 0, 0, 1, 0, 0).unwrap(), length);
    assert_eq!(calls::fetch(call, memory, 0, size).unwrap(), length);
    assert!(memory[..limits::VALUE_BYTES].iter().all(|b| *b == 0xaa));
    assert_eq!(memory[limits::VALUE_BYTES], 0);
}

#[test]
fn after_finish_every_import_but_info_traps_and_says_so() {
    for status in [0, 1] {
        every_import(|name, call| {
            let mut guest = Guest::new();
            guest.call.finish(status, b"over").unwrap();
            match call(&mut guest) {
                Ok(length) if name == "info" => assert_eq!(length, 32),
                Err(Trap::Finished { import }) => assert_eq!(import, name),
                other => panic!("{name}: {other:?}"),
            }
        });
    }
}

#[test]
fn abort_dooms_the_call_first_and_every_later_import_traps() {
    every_import(|name, call| {
        let mut guest = Guest::new();
        guest.put(0, b"k", b"v");
        let (p, n) = guest.at(INPUT, b"out of stock");
        let memory = &mut guest.memory[..];
        let trap = calls::abort(&mut guest.call, memory, p, n).unwrap_err();
        assert!(matches!(trap, Trap::Aborted), "{trap}");
        match call(&mut guest) {
            Ok(length) if name == "info" => assert_eq!(length, 32),
            Err(Trap::Aborted) => {}
            other => panic!("{name}: {other:?}"),
        }
        // Whatever the runtime makes of it, nothing stays.
        let store = guest.store.clone();
        let failure = guest.end(GuestEnd::Returned).unwrap_err();
        assert_eq!(failure, GuestFailure::Aborted("out of stock".into()));
        assert_eq!(Guest::over(&store, MEMORY).value(b"k"), None);
    });
}

#[test]
fn the_message_of_abort_is_cut_at_4_kib_and_need_not_be_utf8() {
    let mut guest = Guest::new();
    guest.call.abort(&vec![b'x'; limits::ERROR_TEXT_BYTES + 1]);
    match guest.end(GuestEnd::Trapped("unreachable".into())) {
        Err(GuestFailure::Aborted(text)) => assert_eq!(text, "x".repeat(4096)),
        other => panic!("{other:?}"),
    }
    let mut guest = Guest::new();
    guest.call.abort(b"\xff?");
    match guest.end(GuestEnd::Trapped(String::new())) {
        Err(GuestFailure::Aborted(text)) => assert_eq!(text, "\u{fffd}?"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn finish_takes_status_0_and_1_and_a_refused_one_does_not_end_the_call() {
    let mut guest = Guest::new();
    for status in [2, -1, i32::MIN, i32::MAX] {
        let refused = guest.call.finish(status, b"").unwrap();
        assert_eq!(refused, INVALID_ARGUMENT);
        assert!(guest.error_text().contains(&status.to_string()));
    }
    assert_eq!(guest.put(0, b"k", b"v"), 0);
    let (p, n) = guest.at(INPUT, b"result");
    let memory = &mut guest.memory[..];
    assert_eq!(calls::finish(&mut guest.call, memory, 0, p, n).unwrap(), 0);
    let store = guest.store.clone();
    let reply = guest.end(GuestEnd::Returned).unwrap();
    assert_eq!(reply.result, Some(b"result".into()));
    assert_eq!(Guest::over(&store, MEMORY).value(b"k"), Some(b"v".into()));
}

#[test]
fn how_the_guest_ended_and_what_it_said_decide_between_commit_and_rollback() {
    let ends: [fn() -> GuestEnd; 4] = [
        || GuestEnd::Returned,
        || GuestEnd::Trapped("unreachable".into()),
        || GuestEnd::Deadline(Duration::from_secs(1)),
        || GuestEnd::Defect("out of order".into()),
    ];
    for end in ends {
        // Nothing said: committed if it returned.
        let mut guest = Guest::new();
        guest.put(0, b"k", b"v");
        let store = guest.store.clone();
        let answer = guest.end(end());
        let kept = Guest::over(&store, MEMORY).value(b"k").is_some();
        match end() {
            GuestEnd::Returned => assert_eq!((answer, kept), (Ok(Reply::default()), true)),
            GuestEnd::Trapped(text) => {
                assert_eq!((answer, kept), (Err(GuestFailure::Trapped(text)), false));
            }
            GuestEnd::Deadline(limit) => {
                assert_eq!((answer, kept), (Err(GuestFailure::Deadline(limit)), false));
            }
            GuestEnd::Defect(text) => {
                assert_eq!((answer, kept), (Err(GuestFailure::Defect(text)), false));
            }
        }

        // finish(0): committed, the trap is reported beside the result.
        let mut guest = Guest::new();
        guest.put(0, b"k", b"v");
        guest.call.finish(0, b"result").unwrap();
        let store = guest.store.clone();
        let reply = guest.end(end()).unwrap();
        assert_eq!(reply.result, Some(b"result".into()));
        assert_eq!(reply.trap.is_some(), !matches!(end(), GuestEnd::Returned));
        assert!(Guest::over(&store, MEMORY).value(b"k").is_some());

        // finish(1): rolled back with its text.
        let mut guest = Guest::new();
        guest.put(0, b"k", b"v");
        guest.call.finish(1, b"sold out").unwrap();
        let store = guest.store.clone();
        let failure = guest.end(end()).unwrap_err();
        assert_eq!(failure, GuestFailure::Failed("sold out".into()));
        assert_eq!(failure.to_string(), "sold out");
        assert_eq!(Guest::over(&store, MEMORY).value(b"k"), None);
    }
}

#[test]
fn open_gives_handles_of_granted_namespaces_alone() {
    let store = common::memory_store();
    let shop = store.namespace("shop", true).unwrap();
    let default = store.default_namespace().unwrap();
    let granted = grants([("shop", shop), ("mine", default)]);
    let mut guest = Guest::with(&store, MEMORY, granted, b"");
    assert_eq!(guest.open(b"shop", 0), 1);
    assert_eq!(guest.open(b"mine", 0), 2, "the own one by its name");
    assert_eq!(guest.open(b"shop", 0), 1, "the same handle again");
    for denied in [&b"other"[..], b"", b"default", b"sho", b"shop\0", b"\xff"] {
        assert_eq!(guest.open(denied, 0), DENIED, "{denied:?}");
    }
    assert!(guest.error_text().contains("not granted"));
    for flags in [1, -1, i32::MIN] {
        assert_eq!(guest.open(b"shop", flags), INVALID_ARGUMENT);
    }
    assert_eq!(guest.put(1, b"k", b"shop"), 0);
    assert_eq!(guest.put(2, b"k", b"mine"), 0);
    assert_eq!(guest.value(b"k"), Some(b"mine".into()));
    assert_eq!(guest.get(1, b"k", 64), 4);
    assert_eq!(guest.bytes(OUT, 4), b"shop");
}

/// A name was made readable before it was looked up, so that bytes which are no
/// UTF-8 opened a namespace whose name has the replacement character.
#[test]
fn a_name_is_looked_up_as_its_bytes() {
    let store = common::memory_store();
    let granted = grants([("a\u{fffd}", NamespaceId(9))]);
    let mut guest = Guest::with(&store, MEMORY, granted, b"");
    assert_eq!(guest.open(b"a\xff", 0), DENIED);
    assert_eq!(guest.open("a\u{fffd}".as_bytes(), 0), 1);
}

#[test]
fn a_namespace_name_of_256_bytes_is_looked_up_and_one_of_257_is_not() {
    let store = common::memory_store();
    let longest = "n".repeat(limits::NAMESPACE_NAME_BYTES);
    let granted = grants([(&longest[..], NamespaceId(9))]);
    let mut guest = Guest::with(&store, MEMORY, granted, b"");
    assert_eq!(guest.open(longest.as_bytes(), 0), 1);
    let over = [longest.as_bytes(), b"n"].concat();
    assert_eq!(guest.open(&over, 0), TOO_LARGE);
    assert!(guest.error_text().contains("257"));
}

#[test]
fn handles_256_are_open_and_one_more_is_refused() {
    let store = common::memory_store();
    let names: Vec<String> = (0..=limits::NAMESPACE_HANDLES)
        .map(|n| format!("tenant {n}"))
        .collect();
    let ids = (100..).map(NamespaceId);
    let granted = grants(names.iter().map(String::as_str).zip(ids));
    let mut guest = Guest::with(&store, MEMORY, granted, b"");
    for (n, name) in names.iter().take(limits::NAMESPACE_HANDLES).enumerate() {
        let handle = guest.open(name.as_bytes(), 0);
        assert_eq!(usize::try_from(handle).unwrap(), n + 1);
    }
    let last = names.last().unwrap().as_bytes();
    assert_eq!(guest.open(last, 0), TOO_LARGE);
    assert!(guest.error_text().contains("256"));
    assert_eq!(guest.open(names[7].as_bytes(), 0), 8, "open ones still are");
    assert_eq!(guest.put(256, b"k", b"v"), 0);
    assert_eq!(guest.get(257, b"k", 8), INVALID_ARGUMENT);
}

#[test]
fn a_handle_that_is_not_open_is_refused_everywhere() {
    let mut guest = Guest::new();
    let (k, n) = guest.at(INPUT, b"k");
    for ns in [1, 256, 0x8000_0000, u32::MAX] {
        let memory = &mut guest.memory[..];
        let call = &mut guest.call;
        let answers = [
            calls::get(call, memory, ns, k, n, OUT, 8).unwrap(),
            calls::put(call, memory, ns, k, n, k, n).unwrap(),
            calls::mint(call, memory, ns, k, n, OUT).unwrap(),
            calls::delete(call, memory, ns, k, n).unwrap(),
            calls::has(call, memory, ns, k, n).unwrap(),
            calls::add(call, memory, ns, k, n, 1, OUT).unwrap(),
            calls::increment(call, memory, ns, k, n, 1).unwrap(),
            calls::scan(call, memory, ns, k, 0, OUT, 8).unwrap(),
        ];
        assert_eq!(answers, [INVALID_ARGUMENT; 8]);
        assert!(guest.error_text().contains(&ns.to_string()));
    }
    assert_eq!(guest.bytes(OUT, 8), [0xaa; 8]);
}

#[test]
fn savepoints_undo_and_keep_and_64_of_them_are_open() {
    let mut guest = Guest::new();
    guest.put(0, b"k", b"1");
    let memory = &mut [][..];
    let first = calls::savepoint(&mut guest.call, memory).unwrap();
    assert!(first > 0);
    guest.put(0, b"k", b"2");
    for handle in [0, -1, first + 1, i32::MIN, i32::MAX] {
        let released = calls::release(&mut guest.call, memory, handle).unwrap();
        assert_eq!(released, INVALID_ARGUMENT);
        let undone = calls::rollback_to(&mut guest.call, memory, handle).unwrap();
        assert_eq!(undone, INVALID_ARGUMENT);
    }
    assert!(guest.error_text().contains("savepoint"));
    let call = &mut guest.call;
    assert_eq!(calls::rollback_to(call, memory, first).unwrap(), 0);
    assert_eq!(guest.value(b"k"), Some(b"1".into()));
    guest.put(0, b"k", b"3");
    let call = &mut guest.call;
    assert_eq!(calls::release(call, memory, first).unwrap(), 0);
    assert_eq!(
        calls::release(call, memory, first).unwrap(),
        INVALID_ARGUMENT
    );
    for _ in 0..limits::SAVEPOINTS {
        assert!(calls::savepoint(call, memory).unwrap() > first);
    }
    assert_eq!(calls::savepoint(call, memory).unwrap(), TOO_LARGE);
    assert_eq!(guest.value(b"k"), Some(b"3".into()));
}

#[test]
fn info_says_minor_capabilities_and_limits() {
    let mut guest = Guest::new();
    let memory = &mut guest.memory[..];
    assert_eq!(calls::info(&mut guest.call, memory, OUT, 31).unwrap(), 32);
    assert_eq!(guest.bytes(OUT, 32), [0xaa; 32], "all of it or nothing");
    assert_eq!(guest.fetch(64), INVALID_ARGUMENT, "never parked");
    let memory = &mut guest.memory[..];
    assert_eq!(calls::info(&mut guest.call, memory, OUT, 64).unwrap(), 32);
    let info = guest.bytes(OUT, 33);
    let u32_at = |at: usize| u32::from_le_bytes(info[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(0), v1::MINOR);
    assert_eq!(
        u32_at(4),
        wire::info::BLIND_INCREMENT | wire::info::NAMESPACES
    );
    assert_eq!(u32_at(8), 4096);
    assert_eq!(u32_at(12), 16 << 20);
    assert_eq!(u32_at(16), 1 << 20);
    assert_eq!(u32_at(20), 10_000);
    assert_eq!(
        u64::from_le_bytes(info[24..32].try_into().unwrap()),
        64 << 20
    );
    assert_eq!(info[32], 0xaa);

    let mut guest = Guest::in_parts(&common::memory_store());
    let memory = &mut guest.memory[..];
    assert_eq!(calls::info(&mut guest.call, memory, OUT, 64).unwrap(), 32);
    assert_eq!(
        guest.bytes(OUT + 4, 4),
        (wire::info::PARTS | wire::info::BLIND_INCREMENT | wire::info::NAMESPACES).to_le_bytes()
    );
}

#[test]
fn error_text_gives_as_much_as_fits_and_stays() {
    let mut guest = Guest::new();
    let memory = &mut guest.memory[..];
    let length = calls::error_text(&mut guest.call, memory, OUT, 64).unwrap();
    assert_eq!(length, 0, "no error yet");
    assert_eq!(guest.fetch(8), INVALID_ARGUMENT);
    let text = guest.error_text();
    assert!(text.contains("parked"), "{text}");
    assert_eq!(guest.put(0, b"k", b"v"), 0);
    assert_eq!(guest.error_text(), text, "until the next error");
    let memory = &mut guest.memory[..];
    let length = calls::error_text(&mut guest.call, memory, OUT, 5).unwrap();
    assert_eq!(usize::try_from(length).unwrap(), text.len());
    assert_eq!(
        guest.bytes(OUT, 6),
        [&text.as_bytes()[..5], b"\xaa"].concat()
    );
    assert_eq!(guest.fetch(8), INVALID_ARGUMENT, "never parked");
}

/// An engine whose reads fail as told.
struct Failing {
    kv: MemoryKv,
    fault: Fault,
}

type Fault = Arc<Mutex<Option<(Kind, String)>>>;

struct FailingSnapshot(MemorySnapshot, Fault);

impl OrderedKv for Failing {
    type Snapshot = FailingSnapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<FailingSnapshot, Error> {
        Ok(FailingSnapshot(
            self.kv.snapshot()?,
            Arc::clone(&self.fault),
        ))
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        self.kv.apply(batch, durability)
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}

impl Snapshot for FailingSnapshot {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        match &*self.1.lock().unwrap() {
            Some((kind, text)) => {
                // The worst an engine can do: an answer, and then an error.
                out(b"\0half of an answer");
                Err(Error::new(*kind, text.clone()))
            }
            None => self.0.get(key, out),
        }
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.0.scan(range, order, visit)?;
        match &*self.1.lock().unwrap() {
            Some((kind, text)) => Err(Error::new(*kind, text.clone())),
            None => Ok(()),
        }
    }
}

fn failing() -> (Store, Fault) {
    let fault = Fault::default();
    let kv = Failing {
        kv: MemoryKv::new(),
        fault: Arc::clone(&fault),
    };
    (Store::new(Coordinator::open(kv, None).unwrap()), fault)
}

#[test]
fn each_kind_of_failure_is_its_status_and_a_defect_of_the_host_is_a_trap() {
    let (store, fault) = failing();
    store.default_namespace().unwrap();
    for kind in Kind::ALL {
        let mut guest = Guest::over(&store, MEMORY);
        *fault.lock().unwrap() = Some((*kind, format!("about {}", kind.name())));
        let (k, n) = guest.at(INPUT, b"k");
        let (s, sn) = guest.at(INPUT + 8, &[0; 20]);
        let memory = &mut guest.memory[..];
        let call = &mut guest.call;
        let answers = [
            calls::get(call, memory, 0, k, n, OUT, 0),
            calls::fetch(call, memory, OUT, 64),
            calls::has(call, memory, 0, k, n),
            calls::add(call, memory, 0, k, n, 1, OUT),
            calls::scan(call, memory, 0, s, sn, OUT, 8),
            calls::increment(call, memory, 0, k, n, 1),
            // It reads what the addition is added to.
            calls::has(call, memory, 0, k, n),
        ];
        for (number, answer) in answers.into_iter().enumerate() {
            match (kind.status(), answer) {
                (_, Ok(status)) if number == 1 => {
                    assert_eq!(status, INVALID_ARGUMENT, "a failure parks nothing");
                }
                (_, Ok(status)) if number == 5 => {
                    assert_eq!(status, 0, "increment reads nothing");
                }
                (Some(expected), Ok(status)) => assert_eq!(status, expected),
                (None, Err(Trap::Internal(error))) => {
                    assert!(error.to_string().contains("INTERNAL"), "{error}");
                }
                (_, other) => panic!("{kind:?}, {number}: {other:?}"),
            }
        }
        if kind.status().is_some() {
            assert!(guest.error_text().contains(kind.name()));
        }
        *fault.lock().unwrap() = None;
    }
}

#[test]
fn error_text_is_cut_at_4_kib_between_two_characters() {
    let (store, fault) = failing();
    let mut guest = Guest::over(&store, MEMORY);
    *fault.lock().unwrap() = Some((Kind::Io, "ä".repeat(4000)));
    assert_eq!(guest.get(0, b"k", 8), code(Kind::Io));
    assert_eq!(guest.error_text(), "ä".repeat(2048));
    *fault.lock().unwrap() = Some((Kind::Io, format!("x{}", "ä".repeat(4000))));
    assert_eq!(guest.get(0, b"k", 8), code(Kind::Io));
    assert_eq!(guest.error_text(), format!("x{}", "ä".repeat(2047)));
}
