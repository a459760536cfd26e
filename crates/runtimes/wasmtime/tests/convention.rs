//! Functions of wasm-bindgen 0.2.61: text and bytes go in and out of a guest that
//! checks what it is given back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use common::{call, entries, failure, load, store, trap};
use wasm_storage_abi::limits;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Kind, NamespaceId, Store};
use wasm_storage_host::GuestFailure;
use wasm_storage_testkit::guests::BINDGEN;
use wasm_storage_testkit::rival::RivalKv;
use wasm_storage_wasmtime::{Answer, Args, Call, CallError, Convention, Module, Val};

static GUEST: LazyLock<Module> = LazyLock::new(|| load(BINDGEN));

fn with(ns: NamespaceId, function: &str, buffers: &[&[u8]]) -> Call {
    Call {
        args: Args::Buffers(buffers.iter().map(|&bytes| Arc::from(bytes)).collect()),
        ..Call::new(function, ns)
    }
}

/// What a function answers, called in a store of its own; and what is in it then.
fn ask(function: &str, buffers: &[&[u8]]) -> (Vec<u8>, Vec<String>) {
    let (store, ns) = store();
    let answer = call(&store, &GUEST, &with(ns, function, buffers)).unwrap();
    assert!(answer.values.is_empty());
    (answer.buffer.unwrap(), stored(&store, ns))
}

fn stored(store: &Store, ns: NamespaceId) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let entries = entries(store, ns).into_iter();
    entries
        .map(|(key, value)| format!("{} = {}", text(&key), text(&value)))
        .collect()
}

fn usage(result: Result<Answer, CallError>) -> String {
    match result {
        Err(CallError::Usage(text)) => text,
        other => panic!("should not have run: {other:?}"),
    }
}

#[test]
fn text_goes_in_and_out_and_its_result_is_freed_once() {
    let (answer, stored) = ask("say", &["Tim".as_bytes()]);
    assert_eq!(answer, b"hello Tim");
    assert_eq!(stored, ["freed 0 = hello Tim", "said = Tim"]);
}

#[test]
fn buffers_go_in_in_their_order_and_may_be_any_bytes() {
    let (answer, stored) = ask("join", &[&[0xff, 0], b"b"]);
    assert_eq!(answer, [0xff, 0, b'b']);
    assert_eq!(stored.len(), 1);
    assert_eq!(ask("join", &[b"b", &[0xff, 0]]).0, [b'b', 0xff, 0]);
    assert_eq!(ask("what", &[]).0, b"said");
}

#[test]
fn empty_text_goes_in_and_an_empty_result_comes_out() {
    let (answer, stored) = ask("say", &[b""]);
    assert_eq!(answer, b"hello ");
    assert_eq!(stored, ["freed 0 = hello ", "said = "]);
    // 4 is the pointer that the allocator gives out for nothing.
    let (answer, stored) = ask("join", &[b"", b""]);
    assert_eq!((answer, stored), (vec![], vec!["freed 0 = ".to_string()]));
}

#[test]
fn a_function_that_returns_nothing_gives_an_empty_result() {
    let (answer, stored) = ask("nothing", &[]);
    assert_eq!(answer, b"");
    assert_eq!(stored, ["freed 0 = ", "said = hello"]);
}

#[test]
fn every_call_has_an_instance_of_its_own_which_is_initialized_once() {
    let (store, ns) = store();
    for text in ["one", "two"] {
        call(&store, &GUEST, &with(ns, "say", &[text.as_bytes()])).unwrap();
        assert_eq!(stored(&store, ns)[0], format!("freed 0 = hello {text}"));
        // Of numbers, too.
        let answer = call(&store, &GUEST, &Call::new("initialized", ns)).unwrap();
        assert!(matches!(answer.values[..], [Val::I32(1)]));
        assert_eq!(answer.buffer, None);
    }
    // Not before itself, and none of another type.
    call(&store, &GUEST, &Call::new("_initialize", ns)).unwrap();
    let other = load(
        r#"(module (memory (export "memory") 1)
            (func (export "_initialize") (param i32) unreachable) (func (export "run")))"#,
    );
    call(&store, &other, &Call::new("run", ns)).unwrap();
}

#[test]
fn a_trap_in_initialize_ends_the_call() {
    let (store, ns) = store();
    let module = load(
        r#"(module (memory (export "memory") 1)
            (func (export "_initialize") unreachable) (func (export "run")))"#,
    );
    let text = trap(call(&store, &module, &Call::new("run", ns)));
    assert!(text.contains("unreachable"), "{text}");
    assert!(text.ends_with(", in _initialize"), "{text}");
}

#[test]
fn a_call_that_was_beaten_is_run_again_in_a_fresh_instance() {
    let (kv, rivals) = RivalKv::new(MemoryKv::new());
    let store = Store::new(Coordinator::open(kv, None).unwrap());
    let ns = store.default_namespace().unwrap();
    rivals.put(&store, ns, b"said", 2);
    let answer = call(&store, &GUEST, &with(ns, "say", &[b"Tim"])).unwrap();
    assert_eq!(answer.attempts, 3);
    assert_eq!(answer.buffer.unwrap(), b"hello Tim");
    assert_eq!(stored(&store, ns), ["freed 0 = hello Tim", "said = Tim"]);
}

#[test]
fn a_result_that_is_nowhere_is_named_and_nothing_of_the_call_stays() {
    let (store, ns) = store();
    for (function, words) in [
        ("wild", ["17 bytes at 0x1fff0", "131072 bytes"]),
        (
            "endless",
            ["4294967295 bytes at 0xffffffff", "131072 bytes"],
        ),
    ] {
        let text = trap(call(&store, &GUEST, &with(ns, function, &[])));
        assert!(text.starts_with("the result: "), "{text}");
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(stored(&store, ns).is_empty());
    }
}

#[test]
fn a_trap_in_free_is_one_of_the_call_and_nothing_of_it_stays() {
    let (store, ns) = store();
    for function in ["not_a_block", "already_freed"] {
        let text = trap(call(&store, &GUEST, &with(ns, function, &[])));
        assert!(text.contains("unreachable"), "{text}");
        assert!(text.ends_with(", in __wbindgen_free"), "{text}");
        assert!(stored(&store, ns).is_empty());
    }
}

#[test]
fn the_deadline_is_that_of_the_whole_call() {
    let (store, ns) = store();
    let slow = Call {
        deadline: Duration::from_millis(50),
        ..with(ns, "slow_to_free", &[])
    };
    let why = failure(call(&store, &GUEST, &slow));
    assert!(matches!(why, GuestFailure::Deadline(_)), "{why:?}");
    assert!(stored(&store, ns).is_empty());
}

#[test]
fn memory_that_malloc_does_not_get_is_explained() {
    let (store, ns) = store();
    let large = vec![0; 1 << 20];
    let tight = Call {
        memory: 1 << 20,
        ..with(ns, "length", &[&large])
    };
    let text = trap(call(&store, &GUEST, &tight));
    assert!(text.contains(", in __wbindgen_malloc"), "{text}");
    assert!(text.contains("the limit is 1048576 bytes"), "{text}");
}

#[test]
fn another_number_of_buffers_is_refused_with_the_right_one() {
    let (store, ns) = store();
    for (function, given, words) in [
        ("say", 0, "takes 1 text or byte array, not 0"),
        ("say", 2, "takes 1 text or byte array, not 2"),
        ("join", 1, "takes 2 texts or byte arrays, not 1"),
        ("what", 1, "takes no text or bytes, not 1"),
    ] {
        let text = usage(call(
            &store,
            &GUEST,
            &with(ns, function, &vec![&b"a"[..]; given]),
        ));
        assert!(text.starts_with("test.wasm: function "), "{text}");
        assert!(text.contains(words), "{text}");
    }
    let text = usage(call(&store, &GUEST, &with(ns, "no_such", &[])));
    assert!(text.contains("exports no function"), "{text}");
}

#[test]
fn a_function_of_another_type_takes_no_buffers() {
    let (store, ns) = store();
    let text = usage(call(&store, &GUEST, &with(ns, "initialized", &[])));
    assert!(text.contains("odd number of i32"), "{text}");
}

#[test]
fn numbers_go_to_a_function_of_numbers_whose_type_could_be_one_of_buffers() {
    let (store, ns) = store();
    assert_eq!(GUEST.convention("set").unwrap(), Convention::Buffers(0));
    let mut set = Call::new("set", ns);
    set.args = vec![Val::I32(4)].into();
    assert!(call(&store, &GUEST, &set).unwrap().buffer.is_none());
    assert_eq!(stored(&store, ns), ["said = hell"]);
}

/// A module with a function that could take a buffer.
fn guest_with(exports: &str) -> Module {
    load(&format!(
        r#"(module (memory (export "memory") 1)
            (func (export "say") (param i32 i32 i32) unreachable) {exports})"#
    ))
}

#[test]
fn modules_of_later_releases_and_of_none_are_told_apart_and_not_called() {
    let (store, ns) = store();
    for (exports, words) in [
        (
            r#"(func (export "__wbindgen_malloc") (param i32 i32) (result i32) unreachable)
               (func (export "__wbindgen_free") (param i32 i32 i32) unreachable)"#,
            "built by a later wasm-bindgen",
        ),
        (
            r#"(func (export "__wbindgen_malloc") (param i32) (result i32) unreachable)"#,
            "are not those of wasm-bindgen 0.2.61",
        ),
        ("", "exports no __wbindgen_malloc"),
    ] {
        let module = guest_with(exports);
        let text = usage(call(&store, &module, &with(ns, "say", &[b"Tim"])));
        assert!(text.contains("takes (i32, i32, i32)"), "{text}");
        assert!(text.contains(words), "{text}");
        assert_eq!(module.convention("say").unwrap(), Convention::Numbers);
    }
}

#[test]
fn buffers_of_64_mib_go_in_and_one_byte_more_does_not() {
    let (store, ns) = store();
    let mut bytes = vec![7; limits::INPUT_BYTES];
    let answer = call(&store, &GUEST, &with(ns, "length", &[&bytes])).unwrap();
    assert_eq!(answer.buffer.unwrap(), (64_u32 << 20).to_le_bytes());
    let before = stored(&store, ns);

    let full = bytes.clone();
    for buffers in [vec![&full[..], b"1"], {
        bytes.push(7);
        vec![&bytes[..], b""]
    }] {
        match call(&store, &GUEST, &with(ns, "join", &buffers)) {
            Err(CallError::Refused(error)) => {
                assert_eq!(error.kind(), Kind::TooLarge);
                let text = error.to_string();
                assert!(text.contains("67108865 bytes together"), "{text}");
            }
            other => panic!("should not have run: {other:?}"),
        }
    }
    assert_eq!(stored(&store, ns), before);
}
