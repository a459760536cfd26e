//! The suite finds what is planted: engines with one defect each do not pass it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use wasm_storage_abi::limits;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::memory::{MemoryKv, MemorySnapshot};
use wasm_storage_engine::{Capabilities, Durability, Error, KeyRange, Order, Visit};
use wasm_storage_testkit::conformance;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// A snapshot shows what is written after it.
    LiveSnapshots,
    /// A snapshot is one batch behind.
    LateSnapshots,
    /// A batch is written in two halves.
    HalfBatches,
    /// The good writes before a bad one stay.
    HalfRejected,
    /// Deletes are lost.
    NoDeletes,
    /// An empty value is taken for none.
    NoEmptyValues,
    /// An excluded end is included.
    IncludesExcluded,
    /// Going back starts from the end of everything.
    ReverseIgnoresHi,
    /// The visitor's wish to stop is not heard.
    NoBreak,
    /// A value is handed over twice.
    TwiceOut,
    /// Keys are cut at their first zero byte.
    TextKeys,
    /// A key over the limit is taken.
    NoKeyLimit,
}

static CAPABILITIES: Capabilities = Capabilities {
    name: "planted",
    durability: &[Durability::Memory],
    snapshot_reads: true,
    multi_namespace: true,
    multi_process: false,
    max_key_bytes: limits::KEY_BYTES + 4,
    max_value_bytes: usize::MAX,
    max_batch_bytes: usize::MAX,
};

struct Planted {
    kv: MemoryKv,
    defect: Defect,
    last: Mutex<Option<MemorySnapshot>>,
    snapshots: AtomicU64,
}

struct PlantedSnapshot {
    kv: MemoryKv,
    defect: Defect,
    snapshot: MemorySnapshot,
}

impl Planted {
    fn new(defect: Defect) -> Self {
        let kv = MemoryKv::new();
        let last = kv.snapshot().unwrap();
        Planted {
            kv,
            defect,
            last: Mutex::new(Some(last)),
            snapshots: AtomicU64::new(0),
        }
    }

    fn write(&self, writes: &[(&[u8], Option<&[u8]>)]) {
        let batch = Batch::from_sorted(writes.to_vec());
        self.kv.apply(&batch, Durability::Memory).unwrap();
    }
}

impl OrderedKv for Planted {
    type Snapshot = PlantedSnapshot;

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn snapshot(&self) -> Result<PlantedSnapshot, Error> {
        self.snapshots.fetch_add(1, SeqCst);
        let mut snapshot = self.kv.snapshot()?;
        if self.defect == Defect::LateSnapshots {
            let last = self.last.lock().unwrap().replace(self.kv.snapshot()?);
            snapshot = last.unwrap();
        }
        Ok(PlantedSnapshot {
            kv: self.kv.clone(),
            defect: self.defect,
            snapshot,
        })
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let mut writes: Vec<_> = batch.iter().collect();
        let bad = writes
            .iter()
            .position(|(key, _)| key.len() > CAPABILITIES.max_key_bytes)
            .filter(|_| self.defect != Defect::NoKeyLimit);
        if let Some(bad) = bad {
            if self.defect == Defect::HalfRejected {
                self.write(&writes[..bad]);
            }
            let limit = CAPABILITIES.max_key_bytes;
            let error = Error::too_large("a key", limit, writes[bad].0.len());
            return Err(ApplyError::Rejected(error));
        }
        match self.defect {
            Defect::NoDeletes => writes.retain(|(_, value)| value.is_some()),
            Defect::NoEmptyValues => {
                for (_, value) in &mut writes {
                    *value = value.filter(|value| !value.is_empty());
                }
            }
            Defect::TextKeys => {
                for (key, _) in &mut writes {
                    let text = key.iter().skip(4).take_while(|byte| **byte != 0);
                    *key = &key[..4.min(key.len()) + text.count()];
                }
                writes.dedup_by_key(|(key, _)| *key);
            }
            Defect::HalfBatches if writes.len() > 1 => {
                let (first, second) = writes.split_at(writes.len() / 2);
                self.write(first);
                // Give others, if there are any, the time to look at it.
                let seen = self.snapshots.load(SeqCst);
                for _ in 0..10_000 {
                    if self.snapshots.load(SeqCst) != seen {
                        break;
                    }
                    std::thread::yield_now();
                }
                self.write(second);
                return Ok(());
            }
            _ => {}
        }
        self.kv.apply(&Batch::from_sorted(writes), durability)
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Snapshot for PlantedSnapshot {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        if self.defect == Defect::LiveSnapshots {
            return self.kv.snapshot()?.get(key, out);
        }
        let found = self.snapshot.get(key, out)?;
        if found && self.defect == Defect::TwiceOut {
            self.snapshot.get(key, out)?;
        }
        Ok(found)
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        let mut range = *range;
        match (self.defect, range.lo, range.hi) {
            (Defect::LiveSnapshots, ..) => return self.kv.snapshot()?.scan(&range, order, visit),
            (Defect::IncludesExcluded, _, Bound::Excluded(hi)) => range.hi = Bound::Included(hi),
            (Defect::ReverseIgnoresHi, ..) if order == Order::Reverse => {
                range.hi = Bound::Unbounded;
            }
            (Defect::NoBreak, ..) => {
                return self.snapshot.scan(&range, order, &mut |key, value| {
                    let _ = visit(key, value);
                    ControlFlow::Continue(())
                });
            }
            _ => {}
        }
        self.snapshot.scan(&range, order, visit)
    }
}

fn passes(defect: Defect) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        conformance::ordered_kv(&|| Planted::new(defect));
    }))
    .is_ok()
}

#[test]
fn an_engine_without_a_defect_passes() {
    assert!(passes(Defect::None));
}

#[test]
fn every_planted_defect_is_found() {
    for defect in [
        Defect::LiveSnapshots,
        Defect::LateSnapshots,
        Defect::HalfBatches,
        Defect::HalfRejected,
        Defect::NoDeletes,
        Defect::NoEmptyValues,
        Defect::IncludesExcluded,
        Defect::ReverseIgnoresHi,
        Defect::NoBreak,
        Defect::TwiceOut,
        Defect::TextKeys,
        Defect::NoKeyLimit,
    ] {
        assert!(!passes(defect), "{defect:?}");
    }
}

/// A store that forgets on reopening, as one without a disk does.
#[test]
fn a_store_that_keeps_nothing_does_not_pass_for_one_that_does() {
    let kept = catch_unwind(|| conformance::reopen(&MemoryKv::new));
    assert!(kept.is_err());
}
