//! [`OrderedKv`] over fjall: one database, one keyspace `data`.
//!
//! Invariants. A batch is one fjall batch: one entry of the journal with one
//! checksum, whole or not there after a crash. Nothing is written before the
//! whole batch has passed the limits, so `Rejected` means that nothing happened.
//! fjall syncs nothing by itself: every batch names its [`PersistMode`], and
//! never `None`, which would leave it in a buffer of this process.
//!
//! Visibility (fjall 3.1.13, `src/batch/mod.rs`): `WriteBatch::commit` writes the
//! journal, syncs it, only then inserts into the memtable and at last publishes
//! the batch's sequence number, all under the journal's lock. So no snapshot can
//! see a batch whose sync has not returned, or a part of one. (The Coordinator
//! does not rely on it: it publishes a snapshot only after `apply` returned.)
//! After a failed write or sync fjall refuses all later ones.
//!
//! Memory: fjall turns recent writes into tables in its background thread, which
//! may be compacting for seconds; left alone, a fast writer fills the memory
//! meanwhile. So [`Fjall::apply`](OrderedKv::apply) seals them itself, and waits
//! while too many are sealed and not flushed.
//!
//! The lock on the folder is given back when the [`Fjall`] *and* all snapshots of
//! it are dropped, not by `close`.

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use fjall::{
    AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch,
    PersistMode, Readable,
};
use wasm_storage_abi::limits;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Capabilities, Durability, Error, KeyRange, Kind, Order, Visit};

use crate::config::Config;
use crate::folder::{self, Prepared};
use crate::repair::Repair;
use crate::{SCHEME, error, mark};

/// The only keyspace.
const DATA: &str = "data";

/// Longest physical key, in bytes: namespace id and the guest's key.
const KEY_BYTES: usize = 4 + limits::KEY_BYTES;
/// Longest stored value, in bytes: the guest's value and room for a header.
const VALUE_BYTES: usize = 16 + limits::VALUE_BYTES;
/// Largest batch, in bytes: a full write set, its headers and the system's record.
const BATCH_BYTES: usize = 2 * limits::WRITE_SET_BYTES;

/// Recent writes are sealed at this size, in bytes; fjall would at 64 MiB.
const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;
/// Writers wait while so many are sealed and not yet flushed. (At four, fjall
/// itself waits, for ever if its background thread has failed.)
const SEALED_MEMTABLES: usize = 2;
/// `close` writes recent writes to tables if they are this many bytes: the next
/// opening would have to make them anew from the journal.
const REPLAYED_BYTES: u64 = 1024 * 1024;
/// How long a writer that waits for a flush sleeps at a time.
const FLUSH_PAUSE: Duration = Duration::from_millis(5);

static CAPABILITIES: Capabilities = Capabilities {
    name: SCHEME,
    durability: &[Durability::Synced, Durability::OsBuffer],
    snapshot_reads: true,
    multi_namespace: true,
    multi_process: false,
    max_key_bytes: KEY_BYTES,
    max_value_bytes: VALUE_BYTES,
    max_batch_bytes: BATCH_BYTES,
};

/// A store in a folder, open. One process at a time can have it.
pub struct Fjall {
    path: Arc<Path>,
    db: Database,
    data: Keyspace,
    prepared: Prepared,
    /// Whether a write has failed, so that the store is marked.
    failed: Mutex<bool>,
}

/// A state of a [`Fjall`] store. It keeps the folder locked while it lives.
pub struct FjallSnapshot {
    path: Arc<Path>,
    snapshot: fjall::Snapshot,
    data: Keyspace,
}

impl Fjall {
    /// Opens the store at `config.path`, or makes it there.
    ///
    /// Errors, each naming the path: `Unavailable` if another process holds it,
    /// `InvalidArgument` if no store can be there or (without `create`) none is,
    /// `Corrupt`, `Unsupported` for another format of fjall's, `Io`.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let path: PathBuf = config.path.clone();
        let failed = |error| error::at(&path, "opening the store", error);
        let prepared = folder::prepare(config)?;
        let db = Database::builder(&path)
            .worker_threads(config.worker_threads.max(1))
            .cache_size(config.cache_bytes)
            // Recovery checks a batch by compressing it again: a journal would not
            // outlive an update of the compressor that changes a byte of its output.
            .journal_compression(CompressionType::None)
            .open()
            .map_err(failed)?;
        if db.keyspace_count() > 0 && !db.keyspace_exists(DATA) {
            return Err(error::plain(
                Kind::InvalidArgument,
                &path,
                &format!("a fjall database of another program: it has no keyspace {DATA:?}"),
            ));
        }
        let data = db
            .keyspace(DATA, KeyspaceCreateOptions::default)
            .map_err(failed)?;
        if data.is_empty().map_err(failed)? {
            folder::settle(&path)?;
        }
        Ok(Fjall {
            path: path.into(),
            db,
            data,
            prepared,
            failed: Mutex::default(),
        })
    }

    /// What was cut off the journal when the store was opened.
    pub fn repair(&self) -> Option<&Repair> {
        self.prepared.repair.as_ref()
    }

    /// Why an earlier opening has marked the store; `None` if it has not.
    pub fn mark(&self) -> Option<&str> {
        self.prepared.mark.as_deref()
    }

    /// Takes the mark from the store, after everything in it has been looked at.
    /// Does nothing where there is none.
    ///
    /// Errors: `Unavailable` if a write of this opening failed; `Io`.
    pub fn accept(&self) -> Result<(), Error> {
        if *self.failed() {
            return Err(error::plain(
                Kind::Unavailable,
                &self.path,
                "a write failed since the store was opened; reopen it and check it again",
            ));
        }
        mark::remove(&self.path)
    }

    fn failed(&self) -> MutexGuard<'_, bool> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outcome of a write that failed: the store is marked before anybody hears
    /// of it.
    fn unknown(&self, error: Error) -> ApplyError {
        let mut failed = self.failed();
        if *failed {
            return ApplyError::Unknown(error);
        }
        let marked = mark::set(&self.path, &error);
        *failed = true;
        ApplyError::Unknown(match marked {
            Ok(()) => error,
            Err(unmarked) => error::unmarked(error, unmarked),
        })
    }

    /// The store's folder, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn rejected(&self, error: &Error) -> ApplyError {
        ApplyError::Rejected(error::plain(error.kind(), &self.path, &error.to_string()))
    }

    /// All that can be wrong with a batch, before anything of it is written.
    fn check(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        batch
            .check_limits(&CAPABILITIES)
            .map_err(|error| self.rejected(&error))?;
        let mut keys = batch.iter().map(|(key, _)| key);
        let wrong = if keys.any(<[u8]>::is_empty) {
            "a physical key is empty"
        } else if u32::try_from(batch.iter().len()).is_err() {
            "a batch has more writes than a u32 counts"
        } else {
            return Ok(());
        };
        Err(self.rejected(&Error::new(Kind::InvalidArgument, wrong)))
    }
}

impl Fjall {
    /// Seals the recent writes if they are many.
    fn make_room(&self) -> fjall::Result<()> {
        if self.data.tree.active_memtable().size() < MEMTABLE_BYTES {
            return Ok(());
        }
        self.wait_until_sealed(SEALED_MEMTABLES - 1)?;
        self.data.rotate_memtable()?;
        Ok(())
    }

    /// Writes recent writes to tables if they are many, so that the next opening is quick.
    fn tidy(&self) -> fjall::Result<()> {
        if self.data.tree.active_memtable().size() < REPLAYED_BYTES {
            return Ok(());
        }
        self.data.rotate_memtable()?;
        self.wait_until_sealed(0)
    }

    /// Waits until at most `most` sealed memtables are not flushed yet.
    fn wait_until_sealed(&self, most: usize) -> fjall::Result<()> {
        while self.data.tree.sealed_memtable_count() > most {
            // Says if fjall has given up, so that nobody flushes any more.
            self.db.persist(PersistMode::Buffer)?;
            thread::sleep(FLUSH_PAUSE);
        }
        Ok(())
    }
}

/// How fjall keeps a word; `None`: it cannot.
fn persist_mode(durability: Durability) -> Option<PersistMode> {
    match durability {
        Durability::Synced => Some(PersistMode::SyncAll),
        Durability::OsBuffer => Some(PersistMode::Buffer),
        _ => None,
    }
}

impl OrderedKv for Fjall {
    type Snapshot = FjallSnapshot;

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn snapshot(&self) -> Result<FjallSnapshot, Error> {
        Ok(FjallSnapshot {
            path: Arc::clone(&self.path),
            snapshot: self.db.snapshot(),
            data: self.data.clone(),
        })
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let Some(mode) = persist_mode(durability) else {
            return Err(self.rejected(&Error::new(
                Kind::Unsupported,
                format!("{SCHEME} cannot make durability {durability} true"),
            )));
        };
        self.check(batch)?;
        let writes = batch.iter();
        let mut fjall_batch =
            OwnedWriteBatch::with_capacity(self.db.clone(), writes.len()).durability(Some(mode));
        for (key, value) in writes {
            match value {
                Some(value) => fjall_batch.insert(&self.data, key, value),
                None => fjall_batch.remove(&self.data, key),
            }
        }
        self.make_room()
            .and_then(|()| fjall_batch.commit())
            .map_err(|error| self.unknown(error::at(&self.path, "writing a batch", error)))
    }

    fn close(&self) -> Result<(), Error> {
        self.db
            .persist(PersistMode::SyncAll)
            .and_then(|()| self.tidy())
            .map_err(|error| error::at(&self.path, "syncing the store to close it", error))
    }
}

impl Snapshot for FjallSnapshot {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let value = self
            .snapshot
            .get(&self.data, key)
            .map_err(|error| error::at(&self.path, "reading a key", error))?;
        if let Some(value) = &value {
            out(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (range.lo, range.hi);
        let mut entries = self.snapshot.range::<&[u8], _>(&self.data, bounds);
        loop {
            let entry = match order {
                Order::Forward => entries.next(),
                Order::Reverse => entries.next_back(),
            };
            let Some(entry) = entry else { return Ok(()) };
            let (key, value) = entry
                .into_inner()
                .map_err(|error| error::at(&self.path, "scanning", error))?;
            if let ControlFlow::Break(()) = visit(&key, &value) {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Fjall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fjall")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FjallSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallSnapshot")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_offered_word_names_a_persist_mode_and_no_other_does() {
        for word in CAPABILITIES.durability {
            assert!(persist_mode(*word).is_some(), "{word}");
        }
        assert_eq!(persist_mode(Durability::Synced), Some(PersistMode::SyncAll));
        for other in [
            Durability::Memory,
            Durability::PrimaryOnly,
            Durability::Replicated,
        ] {
            assert_eq!(persist_mode(other), None, "{other}");
        }
    }
    /// With one background thread busy compacting, 2 GB written at full speed
    /// took 1 GB of memory.
    #[test]
    fn a_fast_writer_does_not_fill_the_memory() {
        const BATCH: usize = 4 << 20;
        let dir = tempfile::tempdir().unwrap();
        let kv = Fjall::open(&Config::new(dir.path().join("store"))).unwrap();
        let value = vec![b'v'; BATCH];
        let most = MEMTABLE_BYTES * (SEALED_MEMTABLES as u64 + 1) + 2 * BATCH as u64;
        for n in 0..50u32 {
            let key = n.wrapping_mul(0x9e37_79b9).to_be_bytes();
            let batch = Batch::from_sorted(vec![(&key, Some(&value))]);
            kv.apply(&batch, Durability::OsBuffer).unwrap();
            let unflushed = kv.db.write_buffer_size();
            assert!(unflushed <= most, "{unflushed} bytes");
        }
    }
}
