//! A store in memory, a runtime without a cache, and small guests in WAT.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, of which each file uses its part"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Coordinator, KeyRange, NamespaceId, Order, PageHint, SessionOptions, Store,
};
use wasm_storage_host::{FailedCall, GuestFailure};
use wasm_storage_wasmtime::{Answer, Call, CallError, Module, Runtime, RuntimeOptions};

/// One for all tests of a file; those of `pooled.rs` have one with a pool.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let pool = env!("CARGO_CRATE_NAME") == "pooled";
    pooled(if pool { 16 } else { 0 })
});

/// A runtime with a pool for so many instances; 0: without one.
pub(crate) fn pooled(instances: u32) -> Runtime {
    Runtime::new(&RuntimeOptions {
        instances: NonZeroU32::new(instances),
        ..RuntimeOptions::default()
    })
    .unwrap()
}

/// Bytes of a Wasm page.
pub(crate) const PAGE: usize = 65_536;

pub(crate) fn store() -> (Store, NamespaceId) {
    let store = Store::new(Coordinator::open(MemoryKv::new(), None).unwrap());
    let ns = store.default_namespace().unwrap();
    (store, ns)
}

pub(crate) fn load(wat: &str) -> Module {
    RUNTIME
        .load_bytes("test.wasm", &wat::parse_str(wat).unwrap())
        .unwrap()
}

/// Why a module in WAT is not loaded.
pub(crate) fn refusal(wat: &str) -> String {
    refusal_of(&wat::parse_str(wat).unwrap())
}

pub(crate) fn refusal_of(bytes: &[u8]) -> String {
    let error = RUNTIME.load_bytes("test.wasm", bytes).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("test.wasm: "), "{text}");
    text
}

pub(crate) fn call(store: &Store, module: &Module, call: &Call) -> Result<Answer, CallError> {
    RUNTIME.call(store, module, call)
}

/// Why the guest failed: at once, and nothing of it stays.
pub(crate) fn failure(result: Result<Answer, CallError>) -> GuestFailure {
    let failed = failed_call(result);
    assert_eq!((failed.parts, failed.attempts), (0, 1));
    failed.why
}

/// How the guest failed.
pub(crate) fn failed_call(result: Result<Answer, CallError>) -> FailedCall {
    match result {
        Err(CallError::Guest(failed)) => failed,
        other => panic!("the guest should have failed: {other:?}"),
    }
}

/// The text of a guest's trap.
pub(crate) fn trap(result: Result<Answer, CallError>) -> String {
    match failure(result) {
        GuestFailure::Trapped(text) => text,
        other => panic!("should have trapped: {other:?}"),
    }
}

/// What a namespace holds.
pub(crate) fn entries(store: &Store, ns: NamespaceId) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut seen = BTreeMap::new();
    store
        .begin(SessionOptions::read_only())
        .scan(
            ns,
            &KeyRange::ALL,
            Order::Forward,
            PageHint::default(),
            &mut |key, value| {
                seen.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    seen
}

/// A guest that stores `key` = `value` and then ends in the way its function is named after.
pub(crate) const GUEST: &str = r#"(module
    (import "wasm_storage_v1" "input" (func $input (param i32 i32) (result i32)))
    (import "wasm_storage_v1" "finish" (func $finish (param i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "put" (func $put (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "exec" (func $exec (param i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "open" (func $open (param i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "abort" (func $abort (param i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "key")
    (data (i32.const 8) "value")
    (data (i32.const 16) "sold out")
    (data (i32.const 24) "other")
    (func $store
        (if (call $put (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5))
            (then unreachable)))
    (func (export "store") (call $store))
    (func (export "length") (result i32)
        (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 64) (i32.const 64)))
    (func (export "trap") (call $store) unreachable)
    (func (export "abort") (call $store)
        (call $abort (i32.const 16) (i32.const 8)) unreachable)
    (func (export "abort_and_return") (call $store)
        (call $abort (i32.const 16) (i32.const 8)))
    (func (export "loop") (call $store) (loop $for_ever (br $for_ever)))
    (func (export "recurse") (call $store) (call $recurse))
    (func $recurse (call $recurse))
    (func (export "grow") (param $pages i32) (result i32) (call $store)
        (memory.grow (local.get $pages)))
    (func (export "grow_or_trap") (param $pages i32) (call $store)
        (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then unreachable)))
    (func $finish_0 (call $store)
        (drop (call $finish (i32.const 0) (i32.const 8) (i32.const 5))))
    (func (export "finish") (result i32) (call $finish_0) (i32.const 7))
    (func (export "finish_and_trap") (call $finish_0) unreachable)
    (func (export "finish_and_loop") (call $finish_0) (loop $for_ever (br $for_ever)))
    (func (export "finish_and_store") (call $finish_0) (call $store))
    (func (export "fail") (result i32) (call $store)
        (call $finish (i32.const 1) (i32.const 16) (i32.const 8)))
    (func (export "echo") (local $length i32)
        (local.set $length (call $input (i32.const 0) (i32.const 65536)))
        (drop (call $finish (i32.const 0) (i32.const 0) (local.get $length))))
    (func (export "exec_input") (local $length i32)
        (if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))
        (local.set $length (call $input (i32.const 0) (i32.const 1048576)))
        (drop (call $exec (i32.const 0) (local.get $length) (i32.const 0) (i32.const 0))))
    (func (export "store_in_other") (result i32)
        (call $put (call $open (i32.const 24) (i32.const 5) (i32.const 0))
            (i32.const 0) (i32.const 3) (i32.const 8) (i32.const 5)))
    (func (export "wild") (result i32)
        (call $store)
        (call $get (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 65530) (i32.const 64)))
    (func (export "sums") (param i32 i64 f32 f64) (result i64 f64)
        (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1))
        (f64.add (f64.promote_f32 (local.get 2)) (local.get 3)))
)"#;
