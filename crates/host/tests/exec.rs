//! What `exec` answers: each operation, the two command flags, limits, and commands
//! that make no sense.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::time::Instant;

use common::{Guest, MEMORY, OUT, code, grants, memory_store};
use wasm_storage_abi::wire::exec as flag;
use wasm_storage_abi::wire::scan as scan_flag;
use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::exec::{Body, CommandBuilder, Replies, Ttl};
use wasm_storage_codec::record;
use wasm_storage_codec::scan::Page;
use wasm_storage_engine::{Mode, SessionOptions};
use wasm_storage_host::{GuestEnd, Invocation, InvocationOptions, Trap};

type Reply = (i32, Vec<u8>);

const NOT_FOUND: i32 = -1;
const INVALID_ARGUMENT: i32 = -2;
const TOO_LARGE: i32 = -4;

fn command(flags: u8, build: impl FnOnce(&mut CommandBuilder<'_>)) -> Vec<u8> {
    let mut memory = vec![0; 1 << 20];
    let mut builder = CommandBuilder::new(&mut memory, flags);
    build(&mut builder);
    builder.finish().unwrap().to_vec()
}

fn replies(bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Replies::new(bytes);
    let all = replies
        .by_ref()
        .map(|reply| (reply.status, reply.bytes.to_vec()))
        .collect();
    assert!(replies.rest().is_empty());
    all
}

/// Runs a command in a buffer that is large enough for its replies.
fn run(guest: &mut Guest, flags: u8, build: impl FnOnce(&mut CommandBuilder<'_>)) -> Vec<Reply> {
    let length = guest.exec(&command(flags, build), 2048);
    assert!(
        (0..=2048).contains(&length),
        "{length}: {}",
        guest.error_text()
    );
    replies(guest.bytes(OUT, length))
}

fn ok(bytes: impl AsRef<[u8]>) -> Reply {
    (0, bytes.as_ref().to_vec())
}

fn status(kind: Kind) -> Reply {
    (code(kind), Vec::new())
}

fn put_if(if_absent: bool, if_equal: Option<&'static [u8]>, value: &'static [u8]) -> Body<'static> {
    Body::Put {
        ttl_ms: None,
        if_absent,
        if_equal,
        value,
    }
}

#[test]
fn each_operation_answers_in_order() {
    let mut guest = Guest::new();
    let answers = run(&mut guest, 0, |c| {
        c.get(0, b"k");
        c.put(0, b"k", b"1");
        c.get(0, b"k");
        c.replace(0, b"k", b"2");
        c.replace(0, b"new", b"3");
        c.get(0, b"new");
        c.add(0, b"n", 5);
        c.add(0, b"n", -7);
        c.delete(0, b"k", true);
        c.delete(0, b"k", true);
        c.delete(0, b"new", false);
        c.get(0, b"k");
    });
    assert_eq!(
        answers,
        [
            status(Kind::NotFound),
            ok(""),
            ok("1"),
            ok("1"),
            status(Kind::NotFound),
            ok("3"),
            ok(5i64.to_le_bytes()),
            ok((-2i64).to_le_bytes()),
            ok([1]),
            ok([0]),
            ok(""),
            status(Kind::NotFound),
        ]
    );
    assert_eq!(guest.value(b"n").unwrap(), record::i64_entry(-2));
}

#[test]
fn conditional_puts_check_what_is_there() {
    let mut guest = Guest::new();
    let answers = run(&mut guest, 0, |c| {
        c.push(0, b"k", put_if(false, Some(b""), b"absent is not empty"));
        c.push(0, b"k", put_if(true, None, b"1"));
        c.push(0, b"k", put_if(true, None, b"2"));
        c.push(0, b"k", put_if(false, Some(b"2"), b"3"));
        c.get(0, b"k");
        c.push(0, b"k", put_if(false, Some(b"1"), b""));
        c.push(0, b"k", put_if(false, Some(b""), b"4"));
        c.get(0, b"k");
    });
    assert_eq!(
        answers,
        [
            status(Kind::CheckFailed),
            ok(""),
            status(Kind::CheckFailed),
            status(Kind::CheckFailed),
            ok("1"),
            ok(""),
            ok(""),
            ok("4"),
        ]
    );
}

#[test]
fn a_scan_operation_answers_with_a_page_or_a_count() {
    let mut guest = Guest::new();
    for key in [b"a", b"b", b"c"] {
        guest.put(0, key, b"v");
    }
    let mut count = [0; 20];
    count[..4].copy_from_slice(&scan_flag::COUNT_ONLY.to_le_bytes());
    let answers = run(&mut guest, 0, |c| {
        c.scan(0, &[0; 20]);
        c.scan(0, &count);
        c.scan(0, b"bad spec");
    });
    let page = Page::parse(&answers[0].1).unwrap();
    assert_eq!((page.count(), page.more()), (3, false));
    assert_eq!(answers[1], ok(3u64.to_le_bytes()));
    assert_eq!(answers[2], status(Kind::InvalidArgument));
}

#[test]
fn what_this_host_cannot_do_is_unsupported_and_stepped_over() {
    let mut guest = Guest::new();
    let answers = run(&mut guest, 0, |c| {
        let with_ttl = Body::Put {
            ttl_ms: Some(1),
            if_absent: false,
            if_equal: None,
            value: b"v",
        };
        c.push(0, b"k", with_ttl);
        c.ttl(0, b"k", Ttl::Get);
        c.ttl(0, b"k", Ttl::Set { ttl_ms: 1 });
        c.ttl(0, b"k", Ttl::Clear);
        c.delete_range(0, &[0; 20]);
        c.get(0, b"k");
    });
    let mut expected = vec![status(Kind::Unsupported); 5];
    expected.push(status(Kind::NotFound));
    assert_eq!(answers, expected);

    // An operation of a later version, with a body that nobody here knows.
    let later = [9u8, 0xff, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'k', 1, 2, 3];
    let get = [1u8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, b'k'];
    let bytes = [&[1, 0, 2, 0][..], &later, &get].concat();
    let length = guest.exec(&bytes, 64);
    let answers = replies(guest.bytes(OUT, length));
    assert_eq!(answers, [status(Kind::Unsupported), status(Kind::NotFound)]);
}

#[test]
fn a_bad_operation_fails_alone() {
    let mut guest = Guest::new();
    let ops = [
        // GET with a flag, ADD with a short body, SCAN with a key, GET with a body.
        (1u8, 1u8, &b"k"[..], &b""[..]),
        (4, 0, b"k", b"1234567"),
        (8, 0, b"k", &[0; 20]),
        (1, 0, b"k", b"v"),
        (
            2,
            flag::PUT_IF_ABSENT | flag::PUT_IF_EQUAL,
            b"k",
            b"\0\0\0\0v",
        ),
        (2, flag::PUT_IF_EQUAL, b"k", b"\xff\xff\xff\xffv"),
        (2, 0, b"k", b"this one is good"),
    ];
    let mut bytes = vec![1, 0, u8::try_from(ops.len()).unwrap(), 0];
    for (op, flags, key, body) in ops {
        bytes.extend([op, flags, 0, 0]);
        bytes.extend(u32::try_from(key.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend(key);
        bytes.extend(body);
    }
    let length = guest.exec(&bytes, 1024);
    let mut expected = vec![status(Kind::InvalidArgument); 6];
    expected.push(ok(""));
    assert_eq!(replies(guest.bytes(OUT, length)), expected);
    assert_eq!(guest.value(b"k"), Some(b"this one is good".into()));
}

#[test]
fn a_command_that_makes_no_sense_is_refused_whole() {
    let mut guest = Guest::new();
    let good = command(0, |c| c.put(0, b"k", b"v"));
    for cut in 0..good.len() {
        assert_eq!(
            guest.exec(&good[..cut], 64),
            INVALID_ARGUMENT,
            "cut at {cut}"
        );
    }
    let mut other_version = good.clone();
    other_version[0] = 2;
    let mut other_flags = good.clone();
    other_flags[1] = 4;
    let mut one_more = good.clone();
    one_more[2] = 2;
    let behind = [&good[..], b"x"].concat();
    for bad in [other_version, other_flags, one_more, behind] {
        assert_eq!(guest.exec(&bad, 64), INVALID_ARGUMENT);
        assert!(
            guest.error_text().contains("exec"),
            "{}",
            guest.error_text()
        );
    }
    assert_eq!(guest.value(b"k"), None, "nothing of it was done");
    assert_eq!(
        guest.exec(&command(0, |_| {}), 0),
        0,
        "no operations, no replies"
    );
}

#[test]
fn limits_of_keys_values_and_handles_hold_for_each_operation() {
    let store = memory_store();
    let other = store.namespace("other", true).unwrap();
    let mut guest = Guest::with(&store, 64 * 1024, grants([("other", other)]), b"");
    assert_eq!(guest.open(b"other", 0), 1);
    let longest = vec![b'k'; limits::KEY_BYTES];
    let over = vec![b'k'; limits::KEY_BYTES + 1];
    let bytes = command(0, |c| {
        c.put(0, &longest, b"v");
        c.put(0, &over, b"v");
        c.get(0, &over);
        c.add(0, &over, 1);
        c.delete(0, &over, true);
        c.replace(0, &over, b"v");
        c.put(1, b"k", b"other");
        c.get(1, b"k");
        c.get(2, b"k");
        c.put(u16::MAX, b"k", b"v");
    });
    let mut out = [0; 1024];
    let length = guest.call.exec(&bytes, &mut out).unwrap();
    let mut expected = vec![ok("")];
    expected.extend(vec![status(Kind::TooLarge); 5]);
    expected.extend([ok(""), ok("other")]);
    expected.extend(vec![status(Kind::InvalidArgument); 2]);
    assert_eq!(replies(&out[..usize::try_from(length).unwrap()]), expected);
}

#[test]
fn stop_on_error_ends_at_the_first_failure_and_keeps_what_was_before() {
    let mut guest = Guest::new();
    let answers = run(&mut guest, flag::STOP_ON_ERROR, |c| {
        c.get(0, b"missing"); // An answer, not a failure.
        c.put(0, b"a", b"1");
        c.push(0, b"a", put_if(true, None, b"2"));
        c.put(0, b"b", b"1");
    });
    let expected = [status(Kind::NotFound), ok(""), status(Kind::CheckFailed)];
    assert_eq!(answers, expected);
    assert!(guest.value(b"a").is_some());
    assert!(guest.value(b"b").is_none());
}

#[test]
fn an_atomic_command_that_fails_leaves_nothing_of_itself() {
    let mut guest = Guest::new();
    guest.put(0, b"a", b"before");
    for flags in [flag::ATOMIC, flag::ATOMIC | flag::STOP_ON_ERROR] {
        let answers = run(&mut guest, flags, |c| {
            c.put(0, b"a", b"after");
            c.put(0, b"b", b"after");
            c.add(0, b"a", 1);
            c.put(0, b"c", b"after");
        });
        assert_eq!(answers, [ok(""), ok(""), status(Kind::TypeMismatch)]);
        assert_eq!(guest.value(b"a"), Some(b"before".into()));
        assert!(guest.value(b"b").is_none() && guest.value(b"c").is_none());
    }
    let answers = run(&mut guest, flag::ATOMIC, |c| {
        c.get(0, b"missing");
        c.put(0, b"a", b"after");
    });
    assert_eq!(answers, [status(Kind::NotFound), ok("")]);
    assert_eq!(guest.value(b"a"), Some(b"after".into()));
}

#[test]
fn an_atomic_command_leaves_no_savepoint_and_needs_one() {
    let mut guest = Guest::new();
    for _ in 0..limits::SAVEPOINTS {
        let failing = run(&mut guest, flag::ATOMIC, |c| c.add(0, &[0, 2], 1));
        assert_eq!(failing, [status(Kind::TypeMismatch)]);
        run(&mut guest, flag::ATOMIC, |c| c.put(0, b"k", b"v"));
    }
    for _ in 0..limits::SAVEPOINTS {
        assert!(guest.call.savepoint().unwrap() > 0);
    }
    let atomic = command(flag::ATOMIC, |c| c.put(0, b"k", b"w"));
    assert_eq!(guest.exec(&atomic, 64), TOO_LARGE);
    assert_eq!(guest.value(b"k"), Some(b"v".into()));
    let plain = command(0, |c| c.put(0, b"k", b"w"));
    assert_eq!(guest.exec(&plain, 64), 8, "without the flag it needs none");
}

/// `add` refused the raw key spaces and the operation ADD did not: a value of
/// `wasi:keyvalue` that happened to look like an i64 entry was counted up.
#[test]
fn the_add_operation_refuses_the_raw_key_spaces_too() {
    let mut guest = Guest::new();
    for key in [b"\0\x02k", b"\0\x03k"] {
        guest.put(0, key, &record::i64_entry(1));
        let answers = run(&mut guest, 0, |c| c.add(0, key, 1));
        assert_eq!(answers, [status(Kind::TypeMismatch)]);
        assert_eq!(guest.value(key).unwrap(), record::i64_entry(1));
    }
}

#[test]
fn operations_10_000_are_run_and_one_more_is_refused() {
    let mut guest = Guest::over(&memory_store(), MEMORY);
    let many = |count: usize| {
        let mut bytes = vec![1, 0];
        bytes.extend(u16::try_from(count).unwrap().to_le_bytes());
        for n in 0..count {
            bytes.extend([flag::ADD, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0]);
            bytes.extend([b'k', u8::try_from(n % 3).unwrap()]);
            bytes.extend(1i64.to_le_bytes());
        }
        bytes
    };
    let mut out = vec![0; 10_000 * 16];
    let most = limits::BATCH_OPERATIONS;
    let status = guest.call.exec(&many(most + 1), &mut out).unwrap();
    assert_eq!(status, TOO_LARGE);
    assert!(
        guest.error_text().contains("10000"),
        "{}",
        guest.error_text()
    );
    let length = guest.call.exec(&many(most), &mut out).unwrap();
    assert_eq!(usize::try_from(length).unwrap(), out.len());
    assert!(replies(&out).iter().all(|(status, _)| *status == 0));
    assert_eq!(guest.value(b"k\0").unwrap(), record::i64_entry(3334));
}

#[test]
fn replies_that_do_not_fit_the_buffer_are_parked() {
    let mut guest = Guest::new();
    guest.put(0, b"k", b"value");
    let bytes = command(0, |c| c.get(0, b"k"));
    assert_eq!(guest.exec(&bytes, 12), 13);
    assert_eq!(guest.fetch(13), 13);
    assert_eq!(replies(guest.bytes(OUT, 13)), [ok("value")]);
}

/// Replies over 64 MiB failed the whole command with TOO_LARGE: after its writes
/// had been done, without saying which, and with the savepoint of ATOMIC left open
/// and nothing undone.
#[test]
fn an_answer_that_does_not_fit_64_mib_fails_alone_and_does_nothing() {
    let mut guest = Guest::new();
    let value = vec![b'v'; limits::VALUE_BYTES - 16];
    guest.call.put(0, b"k", &value).unwrap();
    guest.call.put(0, b"small", b"v").unwrap();
    guest.call.add(0, b"n", 1, &mut [0; 8]).unwrap();
    let operations = |c: &mut CommandBuilder<'_>| {
        c.put(0, b"first", b"v");
        for _ in 0..4 {
            c.get(0, b"k");
        }
        c.add(0, b"n", 1);
        c.delete(0, b"small", true);
        c.replace(0, b"small", b"other");
        c.scan(0, &[0; 20]);
        c.put(0, b"last", b"v");
    };
    // Four values leave 4 * 16 - 80 bytes: less than nothing. The fourth does not fit,
    // and what it does not take is there for the small ones.
    let mut out = vec![0; limits::PARKED_BYTES];
    let bytes = command(0, operations);
    let length = usize::try_from(guest.call.exec(&bytes, &mut out).unwrap()).unwrap();
    assert!(length <= limits::PARKED_BYTES);
    let answers = replies(&out[..length]);
    let statuses: Vec<i32> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [0, 0, 0, 0, TOO_LARGE, 0, 0, NOT_FOUND, 0, 0]);

    // Now to the last byte: three values, then one that leaves no room at all.
    let mut guest = Guest::new();
    let ops = 8;
    let value = vec![b'v'; limits::VALUE_BYTES];
    let exact = &value[..limits::PARKED_BYTES - 3 * value.len() - ops * flag::REPLY_HEADER_BYTES];
    guest.call.put(0, b"k", &value).unwrap();
    guest.call.put(0, b"exact", exact).unwrap();
    guest.call.put(0, b"small", b"v").unwrap();
    let operations = |c: &mut CommandBuilder<'_>| {
        for _ in 0..3 {
            c.get(0, b"k");
        }
        c.get(0, b"exact");
        c.add(0, b"n", 1);
        c.delete(0, b"small", true);
        c.replace(0, b"small", b"other");
        c.put(0, b"last", b"v");
    };
    let bytes = command(0, operations);
    let length = usize::try_from(guest.call.exec(&bytes, &mut out).unwrap()).unwrap();
    assert_eq!(length, limits::PARKED_BYTES);
    let statuses: Vec<i32> = replies(&out).iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [0, 0, 0, 0, TOO_LARGE, TOO_LARGE, TOO_LARGE, 0]);
    assert_eq!(guest.value(b"n"), None, "not added");
    assert_eq!(
        guest.value(b"small"),
        Some(b"v".into()),
        "neither deleted nor replaced"
    );
    assert_eq!(guest.value(b"last"), Some(b"v".into()));

    // An atomic one is undone, and its savepoint is gone.
    let atomic = command(flag::ATOMIC, |c| {
        c.put(0, b"undone", b"v");
        for _ in 0..5 {
            c.get(0, b"k");
        }
    });
    let length = usize::try_from(guest.call.exec(&atomic, &mut out).unwrap()).unwrap();
    let answers = replies(&out[..length]);
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[4], status(Kind::TooLarge));
    assert_eq!(guest.value(b"undone"), None);
    for _ in 0..limits::SAVEPOINTS {
        assert!(guest.call.savepoint().unwrap() > 0);
    }
    guest.end(GuestEnd::Returned).unwrap();
}

#[test]
fn a_long_command_ends_at_the_deadline() {
    let store = memory_store();
    let session = store.begin(SessionOptions {
        mode: Mode::ReadWrite,
        deadline: Some(Instant::now()),
    });
    let options = InvocationOptions::new(store.default_namespace().unwrap());
    let mut call = Invocation::new(session, options).unwrap();
    assert_eq!(call.put(0, b"k", b"v").unwrap(), 0);
    let bytes = command(0, |c| c.get(0, b"k"));
    let trap = call.exec(&bytes, &mut [0; 64]).unwrap_err();
    assert!(matches!(trap, Trap::Overdue), "{trap}");
}
