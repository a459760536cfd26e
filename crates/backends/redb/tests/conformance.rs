//! redb passes the suites that every backend passes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;
use std::path::Path;

use tempfile::TempDir;
use wasm_storage_engine::{Coordinator, Durability, Store};
use wasm_storage_redb::{Config, Redb};
use wasm_storage_testkit::conformance;

fn open(path: &Path) -> Redb {
    Redb::open(&Config::new(path)).unwrap()
}

/// Opens a store of its own at each call.
fn fresh<'a>(within: &'a TempDir) -> impl Fn() -> Redb + 'a {
    let made = Cell::new(0);
    move || {
        made.set(made.get() + 1);
        open(&within.path().join(made.get().to_string()))
    }
}

#[test]
fn redb_is_an_ordered_kv() {
    let dir = tempfile::tempdir().unwrap();
    conformance::ordered_kv(&fresh(&dir));
}

#[test]
fn redb_keeps_its_data_when_reopened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    conformance::reopen(&|| open(&path));
}

#[test]
fn redb_makes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let make = fresh(&dir);
    for word in [None, Some(Durability::Memory)] {
        conformance::store(&|| Store::new(Coordinator::open(make(), word).unwrap()));
    }
}

#[test]
fn os_buffer_is_refused_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Coordinator::open(fresh(&dir)(), Some(Durability::OsBuffer)).unwrap_err();
    let message = refused.to_string();
    assert!(
        message.contains("redb") && message.contains("os-buffer"),
        "{message}"
    );
}
