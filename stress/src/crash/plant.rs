//! Bugs planted on purpose: the proof that the crash test can fail.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::layout::{self, KEY_PREFIX_BYTES, SystemRecord};
use wasm_storage_engine::{
    Backend, Capabilities, CommitId, Durability, Error, Mode, NamespaceId, NamespaceName,
    Transaction, TxError,
};

use super::said::{Said, say};
use super::work::counter;

/// A planted bug, and what the crash test must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plant {
    /// Acknowledges before the commit: lost.
    UnsyncedAcknowledge,
    /// Acknowledges a whole group before it is applied: lost.
    UnsyncedGroup,
    /// Applies a batch in two steps: partial.
    TornApply,
    /// Runs each invocation twice: doubled.
    RunTwice,
    /// An attempt that lost counts as well as the one after it: doubled.
    RerunApplied,
    /// Compares a commit by its number alone, whoever made it: a wrong outcome.
    OutcomeByNumber,
    /// Says of a commit whose outcome is unknown that it did not happen: a wrong outcome.
    UnknownAsUnavailable,
}

/// Between the two steps; long enough that kills fall into it.
const PAUSE: Duration = Duration::from_millis(3);

/// An engine that has the bugs which are in an apply.
#[derive(Debug)]
pub(crate) struct Planted<K> {
    kv: K,
    plant: Option<Plant>,
    /// The last group, as each batch names it.
    group: Arc<AtomicU64>,
}

impl<K: OrderedKv> Planted<K> {
    pub(crate) fn new(kv: K, plant: Option<Plant>) -> Result<Self, Error> {
        let group = AtomicU64::new(0);
        let record = SystemRecord::key();
        kv.snapshot()?
            .get(record.physical(), &mut |bytes| note(&group, bytes))?;
        Ok(Planted {
            kv,
            plant,
            group: Arc::new(group),
        })
    }

    pub(crate) fn group(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.group)
    }

    fn apply_in_two(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let mut first: Vec<_> = batch.iter().collect();
        let second = first.split_off(first.len() / 2);
        self.kv.apply(&Batch::from_sorted(first), durability)?;
        thread::sleep(PAUSE);
        self.kv.apply(&Batch::from_sorted(second), durability)
    }
}

/// Takes the group's number from the system record.
fn note(group: &AtomicU64, record: &[u8]) {
    if let Ok(record) = SystemRecord::decode(record) {
        group.store(record.group, Ordering::SeqCst);
    }
}

/// Acknowledges all that is in a batch.
fn acknowledge(batch: &Batch<'_>) -> io::Result<()> {
    let mut said = Vec::new();
    for (key, value) in batch.iter() {
        let user = key.get(KEY_PREFIX_BYTES..).unwrap_or_default();
        let value = value.and_then(|value| layout::guest_value(value).ok());
        if let Some((writer, number)) = counter(user, value.unwrap_or_default()) {
            said.push(Said::Acknowledged {
                writer,
                number,
                commit: None,
            });
        }
    }
    say(&said)
}

impl<K: OrderedKv> OrderedKv for Planted<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let find = |wanted: &[u8]| batch.iter().find(|(key, _)| *key == wanted);
        // A store whose creation is torn does not open, and nothing is counted then.
        let creation = find(layout::format_key().physical()).is_some();
        match self.plant {
            Some(Plant::TornApply) if !creation => self.apply_in_two(batch, durability)?,
            Some(Plant::UnsyncedGroup) => {
                if acknowledge(batch).is_ok() {
                    thread::sleep(PAUSE);
                }
                self.kv.apply(batch, durability)?;
            }
            _ => self.kv.apply(batch, durability)?,
        }
        if let Some((_, Some(record))) = find(SystemRecord::key().physical()) {
            note(&self.group, record);
        }
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}

/// A store with [`Plant::OutcomeByNumber`].
pub(crate) struct ByNumber<B> {
    pub(crate) backend: B,
    /// The last group of the store.
    pub(crate) group: Arc<AtomicU64>,
}

impl<B: Backend> Backend for ByNumber<B> {
    fn capabilities(&self) -> &Capabilities {
        self.backend.capabilities()
    }

    fn namespace(&self, name: &NamespaceName, create: bool) -> Result<NamespaceId, Error> {
        self.backend.namespace(name, create)
    }

    fn begin(
        &self,
        mode: Mode<'_>,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Transaction>, TxError> {
        self.backend.begin(mode, deadline)
    }

    fn mint(&self, ns: NamespaceId) -> Result<i64, Error> {
        self.backend.mint(ns)
    }

    fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        let last = u128::from(self.group.load(Ordering::SeqCst));
        Ok(Some(id.0 & u128::from(u64::MAX) <= last))
    }

    fn close(&self) -> Result<(), Error> {
        self.backend.close()
    }
}
