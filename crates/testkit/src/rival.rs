//! An engine under which another call is always faster: [`RivalKv`] around any
//! [`OrderedKv`], and [`Rivals`], the handle that sends it. Conflicts are made on
//! purpose, in one thread, and none by waiting for one.
//!
//! ```
//! use wasm_storage_engine::{Attempt, Coordinator, RunOptions, Store, memory::MemoryKv};
//! use wasm_storage_testkit::rival::RivalKv;
//!
//! let (kv, rivals) = RivalKv::new(MemoryKv::new());
//! let store = Store::new(Coordinator::open(kv, None)?);
//! let ns = store.default_namespace()?;
//! rivals.put(&store, ns, b"key", 2);
//! let done = store.run(RunOptions::default(), |mut session| {
//!     session.get(ns, b"key", |_| {}).unwrap(); // now the rival writes
//!     session.put(ns, b"other", b"").unwrap();
//!     Attempt::Commit(session, ())
//! });
//! assert_eq!(done?.attempts, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{
    Capabilities, Durability, Error, Key, KeyRange, NamespaceId, Order, OwnedKey, SessionOptions,
    Store, Visit,
};

/// An engine that lets [`Rivals`] in.
#[derive(Debug)]
pub struct RivalKv<K> {
    inner: K,
    rivals: Rivals,
}

/// A snapshot of it.
#[derive(Debug)]
pub struct RivalSnapshot<S> {
    inner: S,
    rivals: Rivals,
}

/// Says when another call comes first. Clones are the same handle.
#[derive(Clone, Default)]
pub struct Rivals(Arc<Mutex<Option<Sent>>>);

struct Sent {
    key: OwnedKey,
    times: u32,
    work: Arc<dyn Fn() + Send + Sync>,
}

impl<K: OrderedKv> RivalKv<K> {
    /// `inner` with no rival, and the handle to send one.
    pub fn new(inner: K) -> (Self, Rivals) {
        let rivals = Rivals::default();
        let kv = RivalKv {
            inner,
            rivals: rivals.clone(),
        };
        (kv, rivals)
    }
}

impl Rivals {
    /// The next `times` times that somebody reads `key`, `work` is done before the
    /// reader has its answer, which is what was there before.
    ///
    /// More than three in a row are held up themselves: an invocation that has lost
    /// so often reserves what it touches.
    pub fn send(
        &self,
        ns: NamespaceId,
        key: &[u8],
        times: u32,
        work: impl Fn() + Send + Sync + 'static,
    ) {
        *self.lock() = Some(Sent {
            key: OwnedKey::new(Key { ns, bytes: key }),
            times,
            work: Arc::new(work),
        });
    }

    /// [`send`](Rivals::send), to put `rival` under the same key and commit it.
    pub fn put(&self, store: &Store, ns: NamespaceId, key: &[u8], times: u32) {
        let (store, at) = (store.clone(), key.to_vec());
        self.send(ns, key, times, move || {
            let mut session = store.begin(SessionOptions::read_write());
            session.put(ns, &at, b"rival").unwrap();
            session.commit().into_result().unwrap();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn come_after(&self, physical: &[u8]) {
        let work = {
            let mut sent = self.lock();
            let Some(rival) = &mut *sent else { return };
            if rival.key.physical() != physical {
                return;
            }
            let Some(left) = rival.times.checked_sub(1) else {
                // It may hold the store that is over this engine.
                *sent = None;
                return;
            };
            rival.times = left;
            Arc::clone(&rival.work)
        };
        work();
    }
}

impl std::fmt::Debug for Rivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rivals").finish_non_exhaustive()
    }
}

impl<K: OrderedKv> OrderedKv for RivalKv<K> {
    type Snapshot = RivalSnapshot<K::Snapshot>;

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn snapshot(&self) -> Result<Self::Snapshot, Error> {
        Ok(RivalSnapshot {
            inner: self.inner.snapshot()?,
            rivals: self.rivals.clone(),
        })
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        self.inner.apply(batch, durability)
    }

    fn close(&self) -> Result<(), Error> {
        self.inner.close()
    }
}

impl<S: Snapshot> Snapshot for RivalSnapshot<S> {
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error> {
        let found = self.inner.get(key, out)?;
        self.rivals.come_after(key);
        Ok(found)
    }

    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        self.inner.scan(range, order, visit)
    }
}
