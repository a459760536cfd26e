//! [`OrderedKv`] over redb: one file, one table `data`.
//!
//! Invariants. A batch is one write transaction of redb. The table is made when
//! the store is opened, so that every snapshot can open it. A snapshot is an open
//! read-only table: it owns its place in redb's history and keeps the pages of it
//! from being reused.
//!
//! redb has no word for "written, not synced": what is committed without a sync
//! lives in this process's memory (redb 4.5, `Durability::None`). So it offers
//! `synced` and `memory`, and `os-buffer` is refused at open.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};
use wasm_storage_abi::limits;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Capabilities, Durability, Error, KeyRange, Kind, Order, Visit};

use crate::config::Config;
use crate::{SCHEME, error, mark, place};

/// The only table.
const DATA: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("data");

/// Longest physical key, in bytes: namespace id and the guest's key.
const KEY_BYTES: usize = 4 + limits::KEY_BYTES;
/// Longest stored value, in bytes: the guest's value and room for a header.
const VALUE_BYTES: usize = 16 + limits::VALUE_BYTES;
/// Largest batch, in bytes: a full write set, its headers and the system's record.
const BATCH_BYTES: usize = 2 * limits::WRITE_SET_BYTES;

static CAPABILITIES: Capabilities = Capabilities {
    name: SCHEME,
    durability: &[Durability::Synced, Durability::Memory],
    snapshot_reads: true,
    multi_namespace: true,
    multi_process: false,
    max_key_bytes: KEY_BYTES,
    max_value_bytes: VALUE_BYTES,
    max_batch_bytes: BATCH_BYTES,
};

/// A store in a file, open. One process at a time can have it.
pub struct Redb {
    path: Arc<Path>,
    db: Arc<Database>,
    /// What the mark says of a store that is opened although it has one.
    mark: Option<String>,
    /// Whether a write has failed, so that the store is marked.
    failed: Mutex<bool>,
}

/// A state of a [`Redb`] store. It keeps the file open while it lives: redb
/// answers no reads after its database is dropped.
pub struct RedbSnapshot {
    path: Arc<Path>,
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    _db: Arc<Database>,
}

impl Redb {
    /// Opens the store at `config.path`, or makes it there. After a kill it walks
    /// the whole file to repair it.
    ///
    /// Errors, each naming the path: `Unavailable` if another process holds it,
    /// `InvalidArgument` if no store can be there or (without `create`) none is,
    /// `Corrupt`, `Unsupported` for another format of redb's, `Io`.
    pub fn open(config: &Config) -> Result<Self, Error> {
        let path: Arc<Path> = config.path.as_path().into();
        let mark = place::prepare(config)?;
        let mut builder = Database::builder();
        builder.set_cache_size(config.cache_bytes);
        // Of a store that is to be checked, nothing is trusted.
        builder.set_check_integrity_on_open(config.although_marked);
        let db = if config.create {
            builder.create(&path)
        } else {
            builder.open(&path)
        }
        .map_err(|error| error::at(&path, "opening the store", error))?;
        let kv = Redb {
            path,
            db: Arc::new(db),
            mark,
            failed: Mutex::default(),
        };
        if kv.make_table()? {
            place::sync_folder_of(&kv.path)
                .map_err(|error| error::io(&kv.path, "syncing its folder", error))?;
        }
        Ok(kv)
    }

    /// Makes the table if it is missing: opening one for writing would make it each
    /// time. Whether it did.
    fn make_table(&self) -> Result<bool, Error> {
        let make = || -> Result<bool, redb::Error> {
            match self.db.begin_read()?.open_table(DATA) {
                Ok(_) => Ok(false),
                Err(redb::TableError::TableDoesNotExist(_)) => {
                    let transaction = self.db.begin_write()?;
                    transaction.open_table(DATA)?;
                    transaction.commit()?;
                    Ok(true)
                }
                Err(other) => Err(other.into()),
            }
        };
        make().map_err(|error| error::at(&self.path, "opening the store", error))
    }

    /// Why an earlier opening has marked the store; `None` if it has not.
    pub fn mark(&self) -> Option<&str> {
        self.mark.as_deref()
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

    /// The store's file, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, batch: &Batch<'_>, durability: redb::Durability) -> Result<(), redb::Error> {
        let mut transaction = self.db.begin_write()?;
        transaction.set_durability(durability)?;
        {
            let mut table = transaction.open_table(DATA)?;
            for (key, value) in batch.iter() {
                match value {
                    Some(value) => drop(table.insert(key, value)?),
                    None => drop(table.remove(key)?),
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn rejected(&self, error: &Error) -> ApplyError {
        ApplyError::Rejected(error::plain(error.kind(), &self.path, &error.to_string()))
    }
}

impl OrderedKv for Redb {
    type Snapshot = RedbSnapshot;

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn snapshot(&self) -> Result<RedbSnapshot, Error> {
        let open = || -> Result<_, redb::Error> { Ok(self.db.begin_read()?.open_table(DATA)?) };
        Ok(RedbSnapshot {
            path: Arc::clone(&self.path),
            table: open().map_err(|error| error::at(&self.path, "opening a snapshot", error))?,
            _db: Arc::clone(&self.db),
        })
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let durability = match durability {
            Durability::Synced => redb::Durability::Immediate,
            Durability::Memory => redb::Durability::None,
            other => {
                return Err(self.rejected(&Error::new(
                    Kind::Unsupported,
                    format!("{SCHEME} cannot make durability {other} true"),
                )));
            }
        };
        batch
            .check_limits(&CAPABILITIES)
            .map_err(|error| self.rejected(&error))?;
        self.write(batch, durability)
            .map_err(|error| self.unknown(error::at(&self.path, "writing a batch", error)))
    }

    /// Every `synced` batch is on disk already, and a `memory` one need not be.
    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let value = self
            .table
            .get(key)
            .map_err(|error| error::at(&self.path, "reading a key", error))?;
        if let Some(value) = &value {
            out(value.value());
        }
        Ok(value.is_some())
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        let failed = |error: redb::StorageError| error::at(&self.path, "scanning", error);
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (range.lo, range.hi);
        let mut entries = self.table.range::<&[u8]>(bounds).map_err(failed)?;
        loop {
            let entry = match order {
                Order::Forward => entries.next(),
                Order::Reverse => entries.next_back(),
            };
            let Some(entry) = entry else { return Ok(()) };
            let (key, value) = entry.map_err(failed)?;
            if let ControlFlow::Break(()) = visit(key.value(), value.value()) {
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Redb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redb")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RedbSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbSnapshot")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
