//! A short form of `cargo xtask torn --backend redb`.
#![allow(clippy::unwrap_used, reason = "tests")]

use wasm_storage_redb::{Config, Redb};
use wasm_storage_testkit::torn;

#[test]
fn no_acknowledged_commit_is_lost_with_a_torn_write() {
    let dir = tempfile::tempdir().unwrap();
    let engine = torn::Engine {
        open: &|path| Redb::open(&Config::new(path)),
        repaired: &|_| false,
        growth: torn::Growth::Ordered,
    };
    let counts = torn::run(&engine, dir.path(), 200, 3, &mut |_| {});
    assert!(counts.is_clean(), "{counts}\n{}", counts.told.join("\n"));
}
