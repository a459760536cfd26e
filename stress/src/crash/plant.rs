//! Bugs planted on purpose: the proof that the crash test can fail.

use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error, layout};

/// A planted bug, and what the crash test must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plant {
    /// Acknowledges before the commit: lost.
    UnsyncedAcknowledge,
    /// Applies a batch in two steps: partial.
    TornApply,
    /// Runs each invocation twice: doubled.
    RunTwice,
}

/// Between the two steps; long enough that kills fall into it.
const PAUSE: Duration = Duration::from_millis(3);

/// An engine that applies a batch in two steps if [`Plant::TornApply`] says so.
#[derive(Debug)]
pub(crate) struct Torn<K> {
    kv: K,
    torn: bool,
}

impl<K: OrderedKv> Torn<K> {
    pub(crate) fn new(kv: K, plant: Option<Plant>) -> Self {
        let torn = plant == Some(Plant::TornApply);
        Torn { kv, torn }
    }
}

impl<K: OrderedKv> OrderedKv for Torn<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        // A store whose creation is torn does not open, and nothing is counted then.
        let creation = || {
            let format = layout::format_key();
            batch.iter().any(|(key, _)| key == format.physical())
        };
        if !self.torn || creation() {
            return self.kv.apply(batch, durability);
        }
        let mut first: Vec<_> = batch.iter().collect();
        let second = first.split_off(first.len() / 2);
        self.kv.apply(&Batch::from_sorted(first), durability)?;
        thread::sleep(PAUSE);
        self.kv.apply(&Batch::from_sorted(second), durability)
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}
