//! The reference engine passes its own suite, bare and behind the fault wrapper.

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Store};
use wasm_storage_testkit::conformance;
use wasm_storage_testkit::fault::FaultyKv;

#[test]
fn memory_is_an_ordered_kv() {
    conformance::ordered_kv(&MemoryKv::new);
}

#[test]
fn a_faulty_kv_with_no_fault_armed_changes_nothing() {
    conformance::ordered_kv(&|| FaultyKv::new(MemoryKv::new()).0);
}

/// Clones of a [`MemoryKv`] share one store, so "reopening" is another clone.
#[test]
fn memory_keeps_its_data_between_clones() {
    let kv = MemoryKv::new();
    conformance::reopen(&|| kv.clone());
}

#[test]
fn memory_makes_a_store() {
    conformance::store(&|| Store::new(Coordinator::open(MemoryKv::new(), None).unwrap()));
}
