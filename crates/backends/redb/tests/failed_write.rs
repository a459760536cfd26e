//! What a store still answers after a write to it has failed: redb reads no page from
//! its file any more (`CheckedBackend` of 4.5.0), so what is not in its cache is gone
//! until the store is reopened. The disk that is full is a limit on the size of files,
//! under which this test binary runs again as another process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Durability, Kind};
use wasm_storage_redb::{Config, Redb};

/// Names the store that the child writes to until it fails.
const FILL: &str = "WASM_STORAGE_TEST_FILL_REDB";
const KEYS: u32 = 1_000;

fn value(key: u32) -> Vec<u8> {
    key.to_be_bytes().repeat(256)
}

fn open(path: &Path) -> Redb {
    let config = Config {
        cache_bytes: 64 * 1024,
        ..Config::new(path)
    };
    Redb::open(&config).unwrap()
}

fn put(kv: &Redb, key: u32) -> Result<(), ApplyError> {
    let (key, value) = (key.to_be_bytes(), value(key));
    let batch = Batch::from_sorted(vec![(&key, Some(&value))]);
    kv.apply(&batch, Durability::Synced)
}

/// Not a test of its own.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FILL) else {
        return;
    };
    let kv = open(Path::new(&path));
    let snapshot = kv.snapshot().unwrap();
    let failed = (KEYS..)
        .find_map(|key| put(&kv, key).err())
        .expect("the disk is full at last");
    assert!(matches!(failed, ApplyError::Unknown(_)), "{failed:?}");
    let (mut right, mut unavailable) = (0, 0);
    for key in 0..KEYS {
        let mut found = Vec::new();
        match snapshot.get(&key.to_be_bytes(), &mut |bytes| found = bytes.to_vec()) {
            Ok(there) => {
                assert!(there && found == value(key), "{key}: {there} {found:?}");
                right += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unavailable, "{error}");
                unavailable += 1;
            }
        }
    }
    println!("\nread {right} {unavailable}");
}

/// A reader saw "an earlier write or sync failed" where the store was said to go on
/// answering reads (`cargo xtask crash --backend redb --seed 11`, kill 63).
#[test]
fn after_a_failed_write_a_read_is_right_or_unavailable_and_never_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let kv = open(&path);
    let keys: Vec<_> = (0..KEYS)
        .map(|key| (key.to_be_bytes(), value(key)))
        .collect();
    let batch = keys.iter().map(|(k, v)| (&k[..], Some(&v[..]))).collect();
    kv.apply(&Batch::from_sorted(batch), Durability::Synced)
        .unwrap();
    drop(kv);
    let blocks = path.metadata().unwrap().len() / 512;
    // Beyond its limit, a write fails instead of ending the process.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let out = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FILL, &path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{text}{errors}");
    let read = text.lines().find_map(|line| line.strip_prefix("read "));
    let (right, unavailable) = read.unwrap().split_once(' ').unwrap();
    println!("{right} reads are right, {unavailable} are unavailable");
    assert_ne!(unavailable, "0", "redb reads on: say so in the guarantees");
}
