//! fjall passes the suites that every backend passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::cell::Cell;
use std::path::Path;

use tempfile::TempDir;
use wasm_storage_engine::{Coordinator, Durability, Store};
use wasm_storage_fjall::{Config, Fjall};
use wasm_storage_testkit::conformance;

fn open(path: &Path) -> Fjall {
    Fjall::open(&Config::new(path)).unwrap()
}

/// Opens a store of its own at each call.
fn fresh<'a>(within: &'a TempDir) -> impl Fn() -> Fjall + 'a {
    let made = Cell::new(0);
    move || {
        made.set(made.get() + 1);
        open(&within.path().join(made.get().to_string()))
    }
}

#[test]
fn fjall_is_an_ordered_kv() {
    let dir = tempfile::tempdir().unwrap();
    conformance::ordered_kv(&fresh(&dir));
}

#[test]
fn fjall_keeps_its_data_when_reopened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    conformance::reopen(&|| open(&path));
}

#[test]
fn fjall_makes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let make = fresh(&dir);
    for word in [None, Some(Durability::OsBuffer)] {
        conformance::store(&|| Store::new(Coordinator::open(make(), word).unwrap()));
    }
}

#[test]
fn more_workers_and_a_small_cache_change_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    let made = Cell::new(0);
    conformance::ordered_kv(&|| {
        made.set(made.get() + 1);
        Fjall::open(&Config {
            worker_threads: 4,
            cache_bytes: 0,
            ..Config::new(dir.path().join(made.get().to_string()))
        })
        .unwrap()
    });
}
