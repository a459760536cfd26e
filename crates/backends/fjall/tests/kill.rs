//! What an acknowledged batch survives: this process, killed. The process that
//! writes is this test binary, started again with variables that name the store.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use wasm_storage_engine::Durability;
use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_fjall::{Config, Fjall};

const STORE: &str = "WASM_STORAGE_TEST_STORE";
const WORD: &str = "WASM_STORAGE_TEST_WORD";
const ACKNOWLEDGED: &str = "acknowledged ";
/// Keys of a batch.
const KEYS: u64 = 20;

fn key(batch: u64, i: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&batch.to_be_bytes());
    key[8..].copy_from_slice(&i.to_be_bytes());
    key
}

/// Not a test of its own: what the child runs, until it is killed.
#[test]
fn child() {
    let Some(path) = std::env::var_os(STORE) else {
        return;
    };
    let word = match std::env::var(WORD).unwrap().as_str() {
        "synced" => Durability::Synced,
        _ => Durability::OsBuffer,
    };
    let kv = Fjall::open(&Config::new(path)).unwrap();
    let value = [b'v'; 300];
    for batch in 0.. {
        let keys: Vec<_> = (0..KEYS).map(|i| key(batch, i)).collect();
        let writes = keys.iter().map(|key| (&key[..], Some(&value[..])));
        kv.apply(&Batch::from_sorted(writes.collect()), word)
            .unwrap();
        println!("{ACKNOWLEDGED}{batch}");
    }
}

/// Lets a child write until it has acknowledged some batches, kills it, and
/// returns the last batch that it acknowledged.
fn write_and_kill(path: &Path, word: Durability, batches: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(STORE, path)
        .env(WORD, word.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut last = None;
    let mut acknowledged = 0;
    for line in out.lines() {
        // The last line may be cut short by the kill.
        let Some(batch) = line.unwrap().strip_prefix(ACKNOWLEDGED).map(str::parse) else {
            continue;
        };
        last = batch.ok().max(last);
        acknowledged += 1;
        if acknowledged == batches {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged >= batches);
    last.unwrap()
}

#[test]
fn every_acknowledged_batch_survives_a_kill_and_none_is_there_in_part() {
    for word in [Durability::Synced, Durability::OsBuffer] {
        for batches in [1, 10, 100] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("store");
            let last = write_and_kill(&path, word, batches);
            let kv = Fjall::open(&Config::new(&path)).unwrap();
            let snapshot = kv.snapshot().unwrap();
            // Beyond the last acknowledged one, one may have been written.
            for batch in 0..=last + 2 {
                let there = (0..KEYS)
                    .filter(|i| snapshot.get(&key(batch, *i), &mut |_| {}).unwrap())
                    .count();
                let whole = usize::try_from(KEYS).unwrap();
                if batch <= last {
                    assert_eq!(there, whole, "{word}: batch {batch} of {last}");
                } else {
                    assert!(
                        there == 0 || there == whole,
                        "{word}: batch {batch} in part"
                    );
                }
            }
        }
    }
}
