//! A short form of `cargo xtask torn --backend fjall`.
#![allow(clippy::unwrap_used, reason = "tests")]

use wasm_storage_fjall::{Config, Fjall};
use wasm_storage_testkit::torn;

#[test]
fn no_acknowledged_commit_is_lost_with_a_torn_write() {
    let dir = tempfile::tempdir().unwrap();
    let engine = torn::Engine {
        open: &|path| Fjall::open(&Config::new(path)),
        repaired: &|kv: &Fjall| kv.repair().is_some(),
        growth: torn::Growth::Appended,
    };
    let counts = torn::run(&engine, dir.path(), 200, 3, &mut |_| {});
    assert!(counts.is_clean(), "{counts}\n{}", counts.told.join("\n"));
    assert!(counts.repaired > 0, "{counts}");
}
