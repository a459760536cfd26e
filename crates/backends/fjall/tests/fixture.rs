//! A journal that the pinned fjall wrote, kept so that a change of its format, or
//! of our reading of it, does not go unseen. (`src/journal.rs` reads the same file.)
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use wasm_storage_engine::Durability;
use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_fjall::{Config, Fjall};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fjall-3.1.13.jnl")
}

fn open(path: &Path) -> Fjall {
    Fjall::open(&Config::new(path)).unwrap()
}

/// A value of a few sectors, not all of one byte.
fn long() -> Vec<u8> {
    (0..700_u16).flat_map(u16::to_le_bytes).collect()
}

type Write<'a> = (&'a [u8], Option<&'a [u8]>);

/// The batches of the fixture.
fn write(kv: &Fjall) {
    let long = long();
    let batches: [&[Write<'_>]; 5] = [
        &[(b"a", Some(b"first"))],
        &[(b"a", Some(b"second")), (b"b", Some(b""))],
        &[(b"long", Some(&long))],
        &[(b"b", None), (b"c", Some(b"\0\xff"))],
        &[(b"d", Some(b"last"))],
    ];
    for batch in batches {
        kv.apply(&Batch::from_sorted(batch.to_vec()), Durability::Synced)
            .unwrap();
    }
}

#[test]
fn fjall_opens_the_journal_that_it_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(open(&path));
    fs::copy(fixture(), path.join("0.jnl")).unwrap();
    let kv = open(&path);
    assert_eq!(kv.repair(), None);
    let snapshot = kv.snapshot().unwrap();
    let get = |key: &[u8]| {
        let mut value = None;
        let mut out = |bytes: &[u8]| value = Some(bytes.to_vec());
        snapshot.get(key, &mut out).unwrap();
        value
    };
    assert_eq!(get(b"a").as_deref(), Some(&b"second"[..]));
    assert_eq!(get(b"b"), None);
    assert_eq!(get(b"c").as_deref(), Some(&b"\0\xff"[..]));
    assert_eq!(get(b"d").as_deref(), Some(&b"last"[..]));
    assert_eq!(get(b"long"), Some(long()));
}

/// The bytes of a journal are the same today; if they are not, the format has
/// changed with fjall's version, and `src/journal.rs` must be looked at.
#[test]
fn the_pinned_fjall_writes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    write(&open(&path));
    // Opened again, the journal ends where its data does.
    drop(open(&path));
    let written = fs::read(path.join("0.jnl")).unwrap();
    if std::env::var_os("WASM_STORAGE_WRITE_FIXTURE").is_some() {
        fs::write(fixture(), written).unwrap();
        return;
    }
    assert!(written == fs::read(fixture()).unwrap());
}
