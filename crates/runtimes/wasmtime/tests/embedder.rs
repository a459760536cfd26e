//! The imports in an embedder's own linker, with a data type of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{GUEST, entries, store};
use wasm_storage_engine::{Attempt, NamespaceId, Outcome, SessionOptions, Store};
use wasm_storage_host::{GuestEnd, Invocation, InvocationOptions, Trap};
use wasm_storage_wasmtime::{StorageState, add_to_linker};
use wasmtime::{Engine, Instance, Linker, Module};

/// What this embedder keeps beside the storage.
struct Host {
    printed: Vec<i32>,
    storage: StorageState,
}

fn instance(storage: StorageState) -> (wasmtime::Store<Host>, Instance) {
    let engine = Engine::default();
    let mut linker: Linker<Host> = Linker::new(&engine);
    add_to_linker(&mut linker, |host| &mut host.storage).unwrap();
    linker
        .func_wrap(
            "env",
            "print",
            |mut caller: wasmtime::Caller<'_, Host>, n: i32| {
                caller.data_mut().printed.push(n);
            },
        )
        .unwrap();
    let wat = GUEST.replacen(
        "(memory",
        r#"(import "env" "print" (func $print (param i32))) (memory"#,
        1,
    );
    let wat = wat.replacen(
        r#"(func (export "store") (call $store))"#,
        r#"(func (export "store") (call $store) (call $print (i32.const 42)))"#,
        1,
    );
    let module = Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
    let host = Host {
        printed: Vec::new(),
        storage,
    };
    let mut store = wasmtime::Store::new(&engine, host);
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

fn invocation(store: &Store, namespace: NamespaceId) -> Invocation {
    let options = InvocationOptions::new(namespace);
    Invocation::new(store.begin(SessionOptions::read_write()), options).unwrap()
}

#[test]
fn a_call_outside_an_invocation_traps_and_says_so() {
    let (mut store, instance) = instance(StorageState::default());
    let storing = instance
        .get_typed_func::<(), ()>(&mut store, "store")
        .unwrap();
    let error = storing.call(&mut store, ()).unwrap_err();
    match error.downcast_ref::<Trap>() {
        Some(Trap::NoInvocation { import }) => assert_eq!(*import, "put"),
        _ => panic!("{error:?}"),
    }
    assert!(
        format!("{error:?}").contains("put: no invocation"),
        "{error:?}"
    );
}

#[test]
fn invocations_come_and_go_in_one_instance() {
    let (backing, ns) = store();
    let (mut store, instance) = instance(StorageState::new(invocation(&backing, ns)));
    let storing = instance
        .get_typed_func::<(), ()>(&mut store, "store")
        .unwrap();
    for round in 1..=2 {
        storing.call(&mut store, ()).unwrap();
        assert_eq!(store.data().printed.len(), round);
        let ended = store.data_mut().storage.invocation.take().unwrap();
        assert!(storing.call(&mut store, ()).is_err(), "none is open");
        match ended.end(GuestEnd::Returned) {
            Attempt::Commit(session, Ok(_)) => {
                assert!(matches!(session.commit(), Outcome::Committed(_)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(entries(&backing, ns).len(), 1);
        store.data_mut().storage.invocation = Some(invocation(&backing, ns));
    }
}

#[test]
fn binding_the_imports_twice_is_an_error() {
    let engine = Engine::default();
    let mut linker: Linker<Host> = Linker::new(&engine);
    add_to_linker(&mut linker, |host| &mut host.storage).unwrap();
    let error = add_to_linker(&mut linker, |host| &mut host.storage).unwrap_err();
    assert!(error.to_string().contains("input"), "{error}");
}

#[test]
fn a_module_without_an_exported_memory_traps_at_its_first_import() {
    let engine = Engine::default();
    let mut linker: Linker<Host> = Linker::new(&engine);
    add_to_linker(&mut linker, |host| &mut host.storage).unwrap();
    let (backing, ns) = store();
    for memory in [
        "",
        "(memory 1)",
        r#"(func (export "memory"))"#,
        r#"(memory (export "memory") i64 1)"#,
    ] {
        let wat = format!(
            r#"(module (import "wasm_storage_v1" "savepoint" (func $f (result i32))) {memory}
                (func (export "f") (drop (call $f))))"#
        );
        let module = Module::new(&engine, wat::parse_str(wat).unwrap()).unwrap();
        let host = Host {
            printed: Vec::new(),
            storage: StorageState::new(invocation(&backing, ns)),
        };
        let mut store = wasmtime::Store::new(&engine, host);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        let text = format!("{error:?}");
        assert!(
            text.contains("savepoint") && text.contains("memory"),
            "{text}"
        );
    }
}
