//! The engines under test, in folders of their own, filled through the front door.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::layout::physical_value;
use wasm_storage_engine::{
    Attempt, Capabilities, Coordinator, Durability, Error, Key, NamespaceId, OwnedKey, RunOptions,
    Store,
};
use wasm_storage_fjall::Fjall;
use wasm_storage_redb::Redb;

use crate::Result;
use crate::harness::Random;

/// Bytes of a value, where nothing else is said.
pub(crate) const VALUE_BYTES: usize = 100;

/// An engine that keeps its data on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Fjall,
    Redb,
}

impl Engine {
    pub(crate) const ALL: [Engine; 2] = [Engine::Fjall, Engine::Redb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Fjall => "fjall",
            Engine::Redb => "redb",
        }
    }

    /// Where its store `name` is.
    pub(crate) fn path(self, folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.{}", self.name()))
    }

    /// The store as the command line takes it.
    pub(crate) fn url(self, path: &Path) -> String {
        format!("{}:{}", self.name(), path.display())
    }

    pub(crate) fn open(self, path: &Path) -> Result<Store> {
        Ok(match self {
            Engine::Fjall => {
                let kv = Fjall::open(&wasm_storage_fjall::Config::new(path))?;
                Store::new(Coordinator::open(kv, None)?)
            }
            Engine::Redb => {
                let kv = Redb::open(&wasm_storage_redb::Config::new(path))?;
                Store::new(Coordinator::open(kv, None)?)
            }
        })
    }
}

/// An engine that a coordinator and the measurement beside it both use.
#[derive(Debug)]
pub(crate) struct Shared<K>(pub(crate) Arc<K>);

impl<K> Clone for Shared<K> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<K: OrderedKv> OrderedKv for Shared<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn snapshot(&self) -> std::result::Result<K::Snapshot, Error> {
        self.0.snapshot()
    }

    fn apply(
        &self,
        batch: &Batch<'_>,
        durability: Durability,
    ) -> std::result::Result<(), ApplyError> {
        self.0.apply(batch, durability)
    }

    fn close(&self) -> std::result::Result<(), Error> {
        self.0.close()
    }
}

/// One put on an engine alone, past the coordinator; the key is [`ascending`].
pub(crate) fn apply_one(
    kv: &impl OrderedKv,
    ns: NamespaceId,
    key: u64,
    value: &[u8],
    durability: Durability,
) -> Result<()> {
    let bytes = &ascending(key);
    let key = OwnedKey::new(Key { ns, bytes });
    let value = physical_value(value);
    let batch = Batch::from_sorted(vec![(key.physical(), Some(&value))]);
    let applied = kv.apply(&batch, durability);
    applied.map_err(|failed| match failed {
        ApplyError::Rejected(error) | ApplyError::Unknown(error) => error.into(),
    })
}

/// What is stored under key number `n`: 16 bytes that lie anywhere among the others.
pub(crate) fn scattered(n: u64) -> [u8; 16] {
    let mut key = [0; 16];
    Random(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1).fill(&mut key);
    if let Some(number) = key.last_chunk_mut() {
        *number = n.to_be_bytes();
    }
    key
}

/// Key number `n`, after all smaller numbers.
pub(crate) fn ascending(n: u64) -> [u8; 16] {
    u128::from(n).to_be_bytes()
}

/// Stores `keys` values of `value_bytes` each, 8 MiB in one commit.
pub(crate) fn fill(
    store: &Store,
    keys: std::ops::Range<u64>,
    key: fn(u64) -> [u8; 16],
    value_bytes: usize,
) -> Result<()> {
    let ns = store.default_namespace()?;
    let a_commit = (8 << 20) / u64::try_from(value_bytes + 64)?;
    let mut random = Random(keys.start | 0x5eed_0000_0001);
    let mut value = vec![0; value_bytes];
    let mut from = keys.start;
    while from < keys.end {
        let to = keys.end.min(from + a_commit);
        commit(store, |put| {
            for n in from..to {
                random.fill(&mut value);
                put(ns, &key(n), &value)?;
            }
            Ok(())
        })?;
        from = to;
    }
    Ok(())
}

/// What stores one value within [`commit`].
pub(crate) type Put<'a> =
    &'a mut dyn FnMut(NamespaceId, &[u8], &[u8]) -> std::result::Result<(), String>;

/// One invocation of the host, with puts only.
pub(crate) fn commit(
    store: &Store,
    mut work: impl FnMut(Put<'_>) -> std::result::Result<(), String>,
) -> Result<()> {
    let done = store.run(RunOptions::default(), |mut session| {
        let worked = work(&mut |ns, key, value| {
            let put = session.put(ns, key, value);
            put.map_err(|error| format!("put: {error:?}"))
        });
        match worked {
            Ok(()) => Attempt::Commit(session, Ok(())),
            Err(error) => Attempt::Rollback(session, Err(error)),
        }
    })?;
    Ok(done.value?)
}
