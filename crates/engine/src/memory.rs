//! The reference engine: an [`OrderedKv`] in memory, lost with the process.
//!
//! Every key keeps its versions, newest first, numbered by the batch that wrote
//! them; a snapshot is a registered number. A hash index serves point reads, an
//! ordered one scans. Invariant: a version is dropped only when no registered
//! snapshot can see it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError, RwLock};

use wasm_storage_abi::Kind;

use crate::backend::{Capabilities, Durability, KeyRange, Order, Visit};
use crate::error::Error;
use crate::kv::{ApplyError, Batch, OrderedKv, Snapshot};

/// A scan gives writers a turn after this many entries.
const ENTRIES_PER_LOCK: usize = 1024;

static CAPABILITIES: Capabilities = Capabilities {
    name: "memory",
    durability: &[Durability::Memory],
    snapshot_reads: true,
    multi_namespace: true,
    multi_process: false,
    max_key_bytes: usize::MAX,
    max_value_bytes: usize::MAX,
    max_batch_bytes: usize::MAX,
};

/// The engine; clones share one store.
#[derive(Clone, Debug, Default)]
pub struct MemoryKv(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    /// Number of the last batch.
    version: u64,
    points: HashMap<Arc<[u8]>, Versions>,
    order: BTreeSet<Arc<[u8]>>,
    /// Registered snapshots: version and how many look at it.
    snapshots: BTreeMap<u64, usize>,
    /// Keys with a version that became stale at a batch, in order of batches.
    stale: VecDeque<(u64, Arc<[u8]>)>,
}

/// What a key held, newest first; `None`: deleted.
type Versions = Vec<(u64, Option<Arc<[u8]>>)>;

/// A registered version of a [`MemoryKv`].
#[derive(Debug)]
pub struct MemorySnapshot {
    state: Arc<RwLock<State>>,
    version: u64,
}

impl MemoryKv {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl OrderedKv for MemoryKv {
    type Snapshot = MemorySnapshot;

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn snapshot(&self) -> Result<MemorySnapshot, Error> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let version = state.version;
        *state.snapshots.entry(version).or_default() += 1;
        Ok(MemorySnapshot {
            state: Arc::clone(&self.0),
            version,
        })
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        if durability != Durability::Memory {
            return Err(ApplyError::Rejected(Error::new(
                Kind::Unsupported,
                format!("a store in memory cannot be {durability}"),
            )));
        }
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.version += 1;
        let version = state.version;
        for (key, value) in batch.iter() {
            state.write(key, version, value);
        }
        state.prune(2 * batch.iter().len() + 16);
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl State {
    fn write(&mut self, key: &[u8], version: u64, value: Option<&[u8]>) {
        let value = value.map(Arc::from);
        if let Some(versions) = self.points.get_mut(key) {
            versions.insert(0, (version, value));
            if let Some(key) = self.order.get(key) {
                self.stale.push_back((version, Arc::clone(key)));
            }
        } else if value.is_some() {
            let key: Arc<[u8]> = key.into();
            self.order.insert(Arc::clone(&key));
            self.points.insert(key, vec![(version, value)]);
        }
    }

    /// Drops what no snapshot sees any more, looking at `most` stale keys at most.
    fn prune(&mut self, most: usize) {
        let oldest_seen = self.snapshots.keys().next().copied();
        for _ in 0..most {
            match self.stale.front() {
                Some((at, _)) if oldest_seen.is_none_or(|seen| *at <= seen) => {}
                _ => return,
            }
            let Some((at, key)) = self.stale.pop_front() else {
                return;
            };
            let Some(versions) = self.points.get_mut(&key) else {
                continue;
            };
            // The state as of batch `at` is the oldest that anyone can ask for.
            if let Some(first_old) = versions.iter().position(|(v, _)| *v <= at) {
                versions.truncate(first_old + 1);
            }
            if matches!(versions.as_slice(), [(_, None)]) {
                self.points.remove(&key);
                self.order.remove(&key);
            }
        }
    }

    fn visible(&self, key: &[u8], version: u64) -> Option<&[u8]> {
        self.points
            .get(key)?
            .iter()
            .find(|(v, _)| *v <= version)
            .and_then(|(_, value)| value.as_deref())
    }
}

impl Snapshot for MemorySnapshot {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let value = state.visible(key, self.version);
        if let Some(value) = value {
            out(value);
        }
        Ok(value.is_some())
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        let mut last: Option<Arc<[u8]>> = None;
        loop {
            let (lo, hi) = match (&last, order) {
                (None, _) => (range.lo, range.hi),
                (Some(key), Order::Forward) => (Bound::Excluded(&**key), range.hi),
                (Some(key), Order::Reverse) => (range.lo, Bound::Excluded(&**key)),
            };
            if (KeyRange { lo, hi }).is_empty() {
                return Ok(());
            }
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            let mut keys = state.order.range::<[u8], _>((lo, hi));
            let mut seen = 0;
            while seen < ENTRIES_PER_LOCK {
                let key = match order {
                    Order::Forward => keys.next(),
                    Order::Reverse => keys.next_back(),
                };
                let Some(key) = key else { return Ok(()) };
                if let Some(value) = state.visible(key, self.version)
                    && let ControlFlow::Break(()) = visit(key, value)
                {
                    return Ok(());
                }
                seen += 1;
                last = Some(Arc::clone(key));
            }
        }
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = state.snapshots.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                state.snapshots.remove(&self.version);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(kv: &MemoryKv, key: &[u8], value: Option<&[u8]>) {
        kv.apply(&Batch::from_sorted(vec![(key, value)]), Durability::Memory)
            .unwrap();
    }

    fn read(snapshot: &MemorySnapshot, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = None;
        snapshot
            .get(key, &mut |bytes| value = Some(bytes.to_vec()))
            .unwrap();
        value
    }

    #[test]
    fn old_versions_live_as_long_as_a_snapshot_sees_them() {
        let kv = MemoryKv::new();
        write(&kv, b"k", Some(b"1"));
        let old = kv.snapshot().unwrap();
        write(&kv, b"k", Some(b"2"));
        write(&kv, b"k", None);
        assert_eq!(read(&old, b"k"), Some(b"1".to_vec()));
        assert_eq!(read(&kv.snapshot().unwrap(), b"k"), None);
        assert_eq!(kv.0.read().unwrap().points[&b"k"[..]].len(), 3);
        drop(old);
        write(&kv, b"other", Some(b"x"));
        let state = kv.0.read().unwrap();
        assert_eq!(state.points.len(), 1, "the deleted key is gone");
        assert_eq!(state.order.len(), 1);
    }

    #[test]
    fn overwriting_one_key_for_ever_does_not_grow() {
        let kv = MemoryKv::new();
        let mut published = kv.snapshot().unwrap();
        for n in 0..1000u32 {
            write(&kv, b"k", Some(&n.to_le_bytes()));
            published = kv.snapshot().unwrap();
        }
        assert_eq!(read(&published, b"k"), Some(999u32.to_le_bytes().to_vec()));
        let state = kv.0.read().unwrap();
        assert!(state.points[&b"k"[..]].len() <= 3);
        assert!(state.stale.len() <= 3);
    }

    #[test]
    fn a_scan_longer_than_one_lock_sees_every_key_once() {
        let kv = MemoryKv::new();
        let keys: Vec<[u8; 4]> = (0..3000u32).map(u32::to_be_bytes).collect();
        let batch = keys.iter().map(|k| (&k[..], Some(&b"v"[..]))).collect();
        kv.apply(&Batch::from_sorted(batch), Durability::Memory)
            .unwrap();
        let snapshot = kv.snapshot().unwrap();
        for order in [Order::Forward, Order::Reverse] {
            let mut seen = Vec::new();
            snapshot
                .scan(&KeyRange::ALL, order, &mut |key, _| {
                    seen.push(key.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
            if order == Order::Reverse {
                seen.reverse();
            }
            assert_eq!(seen, keys);
        }
    }
}
