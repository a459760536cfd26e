//! What is made of a journal whose end is not whole: a torn last write is cut off
//! and told, damage is refused and left as it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Durability, Error, Kind};
use wasm_storage_fjall::{Config, Fjall};

const SECTOR: usize = 512;

/// A store in a temporary folder, closed, and its journal as it is then.
struct Closed {
    _dir: tempfile::TempDir,
    path: PathBuf,
    journal: PathBuf,
    bytes: Vec<u8>,
}

impl Closed {
    /// One batch for each value, under the keys 0, 1, ...
    fn with(values: &[&[u8]]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let kv = open(&path).unwrap();
        for (key, value) in values.iter().enumerate() {
            put(&kv, u8::try_from(key).unwrap(), value);
        }
        drop(kv);
        // Opened again, the journal ends where its data does.
        drop(open(&path).unwrap());
        let journal = path.join("0.jnl");
        let bytes = fs::read(&journal).unwrap();
        Closed {
            _dir: dir,
            path,
            journal,
            bytes,
        }
    }

    /// Opens the store with a journal of these bytes.
    fn open_with(&self, bytes: &[u8]) -> Result<Fjall, Error> {
        fs::write(&self.journal, bytes).unwrap();
        open(&self.path)
    }

    /// Refused as corrupt, with `text`, and nothing is changed.
    fn refused(&self, bytes: &[u8], text: &str) {
        let error = self.open_with(bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{error}");
        let message = error.to_string();
        for part in [&*self.path.display().to_string(), "0.jnl", "at byte", text] {
            assert!(message.contains(part), "{message}");
        }
        assert!(message.contains("Nothing was changed"), "{message}");
        assert!(fs::read(&self.journal).unwrap() == bytes, "{message}");
        assert!(!self.path.join("0.jnl.torn").exists());
    }

    /// Where the batch that holds `value` has it.
    fn position(&self, value: &[u8]) -> usize {
        self.bytes
            .windows(value.len())
            .position(|window| window == value)
            .unwrap()
    }
}

fn open(path: &Path) -> Result<Fjall, Error> {
    Fjall::open(&Config::new(path))
}

fn put(kv: &Fjall, key: u8, value: &[u8]) {
    let key = [key];
    let batch = Batch::from_sorted(vec![(&key, Some(value))]);
    kv.apply(&batch, Durability::Synced).unwrap();
}

fn has(kv: &Fjall, key: u8, value: &[u8]) -> bool {
    let mut same = false;
    let mut out = |bytes: &[u8]| same = bytes == value;
    kv.snapshot().unwrap().get(&[key], &mut out).unwrap();
    same
}

/// Bytes without zeros, different for each `seed`.
fn value(seed: u8, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| seed.wrapping_add(at.to_le_bytes()[0]) | 0x40)
        .collect()
}

/// A batch of one item as fjall writes it.
fn whole_batch(seqno: u64, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut item = vec![2, 0, 0];
    item.extend(1_u64.to_le_bytes());
    item.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
    for _ in 0..2 {
        item.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    item.extend([key, value].concat());
    let mut batch = vec![1];
    batch.extend(1_u32.to_le_bytes());
    batch.extend(seqno.to_le_bytes());
    batch.extend(&item);
    batch.push(3);
    batch.extend(xxhash_rust::xxh3::xxh3_64(&item).to_le_bytes());
    batch.extend(b"FJL\x03");
    batch
}

/// fjall takes damage in the frame of a batch for the journal's end: one wrong bit
/// there, and it dropped every commit behind it without a word.
#[test]
fn a_wrong_byte_anywhere_is_refused_or_loses_nothing() {
    let values = [value(1, 40), value(2, 300), value(3, 0), value(4, 600)];
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let store = Closed::with(&values);
    let (mut refused, mut opened) = (0, 0);
    for at in 0..store.bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = store.bytes.clone();
            bytes[at] ^= change;
            match store.open_with(&bytes) {
                Ok(kv) => {
                    for (key, value) in values.iter().enumerate() {
                        let key = u8::try_from(key).unwrap();
                        assert!(has(&kv, key, value), "byte {at}, key {key}");
                    }
                    assert_eq!(kv.repair(), None, "byte {at}");
                    opened += 1;
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Corrupt, "byte {at}: {error}");
                    assert!(fs::read(&store.journal).unwrap() == bytes, "byte {at}");
                    refused += 1;
                }
            }
        }
    }
    // What opens has a sequence number that is another, but in order.
    assert!(opened > 0 && opened <= 30, "{opened} opened");
    assert!(refused > 2500, "{refused} refused");
}

#[test]
fn a_last_write_that_lacks_a_sector_is_cut_off_kept_and_told() {
    let (first, last) = (value(1, 100), value(2, 4000));
    let store = Closed::with(&[&first, &last]);
    let end_of_first = whole_batch(0, &[0], &first).len();
    for sector in 0..store.bytes.len().div_ceil(SECTOR) {
        let from = (sector * SECTOR).max(end_of_first);
        let to = ((sector + 1) * SECTOR).min(store.bytes.len());
        let mut bytes = store.bytes.clone();
        bytes[from..to].fill(0);
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;

        let kv = store.open_with(&bytes).unwrap();
        let repair = kv.repair().unwrap().clone();
        assert_eq!(repair.offset, end_of_first as u64);
        assert_eq!(repair.bytes, (end - end_of_first) as u64);
        assert_eq!(repair.journal, store.journal);
        let kept = fs::read(repair.kept.as_ref().unwrap()).unwrap();
        assert!(kept[..end_of_first].iter().all(|byte| *byte == 0));
        assert!(kept[end_of_first..] == bytes[end_of_first..end]);
        let told = repair.to_string();
        assert!(!repair.damaged);
        let count = format!("discarded {} unacknowledged bytes", repair.bytes);
        assert!(
            told.contains(&count) && told.contains("0.jnl.torn"),
            "{told}"
        );

        assert!(has(&kv, 0, &first) && !has(&kv, 1, &last));
        put(&kv, 2, b"later");
        drop(kv);
        let kv = open(&store.path).unwrap();
        assert_eq!(kv.repair(), None);
        assert!(has(&kv, 0, &first) && has(&kv, 2, b"later"));
    }
}

#[test]
fn a_last_write_without_its_end_is_cut_off_at_any_byte() {
    let (first, last) = (value(1, 100), value(2, 50));
    let store = Closed::with(&[&first, &last]);
    let end_of_first = whole_batch(0, &[0], &first).len();
    for end in end_of_first..store.bytes.len() {
        for length in [end, 1 << 20] {
            let mut bytes = store.bytes[..end].to_vec();
            bytes.resize(length, 0);
            let kv = store.open_with(&bytes).unwrap();
            // Its last bytes may be zeros anyway.
            assert_eq!(kv.repair().is_some(), end > end_of_first, "{end}");
            assert!(has(&kv, 0, &first) && !has(&kv, 1, &last));
        }
    }
}

#[test]
fn only_the_newest_torn_write_is_kept() {
    let store = Closed::with(&[&value(1, 10), &value(2, 2000)]);
    fs::write(store.path.join("7.jnl.torn"), "earlier").unwrap();
    fs::write(store.path.join("0.jnl.torn-unfinished"), "killed").unwrap();
    let kv = store.open_with(&store.bytes[..1000]).unwrap();
    let kept = kv.repair().unwrap().kept.clone().unwrap();
    let mut names: Vec<_> = fs::read_dir(&store.path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().contains("torn"))
        .collect();
    names.sort();
    assert_eq!(names, [kept]);
}

#[test]
fn a_bad_batch_that_another_follows_is_damage() {
    let (first, second, third) = (value(1, 2000), value(2, 2000), value(3, 10));
    let store = Closed::with(&[&first, &second, &third]);
    for damaged in [&first, &second] {
        // A sector is missing, but not of the last write.
        let at = store.position(damaged).next_multiple_of(SECTOR);
        let mut bytes = store.bytes.clone();
        bytes[at..at + SECTOR].fill(0);
        store.refused(&bytes, "a whole batch follows at byte");
    }
}

/// A guest chooses values. Those that look like batches or like the end of one make
/// a torn write be taken for damage: the store waits for its owner, nothing is lost.
#[test]
fn a_value_that_looks_like_a_batch_leads_to_a_refusal_not_to_a_loss() {
    let first = value(1, 100);
    let mut inner = value(2, 4000);
    let fake = whole_batch(1 << 40, b"x", b"fake");
    inner[2000..2000 + fake.len()].copy_from_slice(&fake);
    let store = Closed::with(&[&first, &inner]);
    assert!(has(&open(&store.path).unwrap(), 1, &inner), "not by itself");
    store.refused(&store.bytes[..3000], "a whole batch follows");
    // An older number is none that follows.
    let mut inner = value(2, 4000);
    let fake = whole_batch(0, b"x", b"fake");
    inner[2000..2000 + fake.len()].copy_from_slice(&fake);
    let store = Closed::with(&[&first, &inner]);
    assert!(
        store
            .open_with(&store.bytes[..3000])
            .unwrap()
            .repair()
            .is_some()
    );

    let mut inner = value(3, 4000);
    inner[2000..2004].copy_from_slice(b"FJL\x03");
    let store = Closed::with(&[&first, &inner]);
    let end = store.position(&inner) + 2004;
    store.refused(&store.bytes[..end], "no piece of it is missing");
}

#[test]
fn damage_is_given_up_on_demand_with_a_copy() {
    let (first, second, third) = (value(1, 100), value(2, 2000), value(3, 10));
    let store = Closed::with(&[&first, &second, &third]);
    let mut bytes = store.bytes.clone();
    bytes[store.position(&second) + 7] ^= 1;
    store.refused(&bytes, "no piece of it is missing");
    let config = Config {
        discard_damaged: true,
        ..Config::new(&store.path)
    };
    let kv = Fjall::open(&config).unwrap();
    let repair = kv.repair().unwrap();
    let end_of_first = whole_batch(0, &[0], &first).len();
    assert!(repair.damaged);
    assert_eq!(repair.offset, end_of_first as u64);
    let kept = fs::read(repair.kept.as_ref().unwrap()).unwrap();
    assert!(kept[end_of_first..] == bytes[end_of_first..]);
    assert!(has(&kv, 0, &first) && !has(&kv, 1, &second) && !has(&kv, 2, &third));
    drop(kv);
    open(&store.path).unwrap();
}

#[test]
fn a_journal_that_is_not_the_newest_must_be_whole() {
    let store = Closed::with(&[&value(1, 10), &value(2, 2000)]);
    let newer = store.path.join("1.jnl");
    File::create(&newer).unwrap().set_len(64 << 20).unwrap();
    store.refused(&store.bytes[..1000], "a newer journal follows");
    let kv = store.open_with(&store.bytes).unwrap();
    assert!(has(&kv, 1, &value(2, 2000)));
}

#[test]
fn a_batch_out_of_order_is_damage() {
    let store = Closed::with(&[b"first"]);
    for (first, second) in [(7, 7), (7, 6)] {
        let mut bytes = whole_batch(first, &[0], b"first");
        bytes.extend(whole_batch(second, &[1], b"second"));
        store.refused(&bytes, "does not come next");
    }
}

#[test]
fn zeros_behind_the_last_batch_are_its_end() {
    let store = Closed::with(&[&value(1, 10)]);
    let file = File::options().write(true).open(&store.journal).unwrap();
    file.set_len(64 << 20).unwrap();
    let kv = open(&store.path).unwrap();
    assert_eq!(kv.repair(), None);
    assert!(has(&kv, 0, &value(1, 10)));
}
