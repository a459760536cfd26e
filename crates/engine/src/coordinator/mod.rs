//! A [`Backend`] over any [`OrderedKv`]: optimistic transactions, committed in
//! groups.
//!
//! A transaction reads from the snapshot that was published when it first read; it
//! never opens one itself, so number and snapshot always belong together. What it
//! reads is recorded. Its commit is tested against everything that was committed
//! since, and goes with others that wait into one group: apply (atomic, durable) →
//! one snapshot → publish it by a pointer swap → answer everybody. So a commit
//! becomes durable, then visible, then acknowledged, and nobody ever reads what is
//! not durable.
//!
//! | file | idea |
//! |---|---|
//! | `transaction` | reads, and the way of a commit as its caller sees it |
//! | `read_set` | what was read, as hashes and ranges |
//! | `recent` | what the last groups wrote |
//! | `queue` | who waits, who leads, what is reserved |
//! | `group` | the leader's work: decide, apply, publish, tell |
//! | `open` | format, first records, durability word |
//! | [`hooks`] | moments for tests to hold up; planted defects |
//!
//! Invariants. I1: `published.group = g` means that groups 1 ..= g are durable by
//! the store's word and all in its snapshot, and nothing later is. I2: every group
//! in `(recent.floor, published.group]` has a record. I3: one leader at a time. No
//! lock is held over I/O, and none is taken while another is held, but a waiter's own
//! under the queue's.
//!
//! After an apply whose outcome is unknown, or a panic in it, the store is
//! poisoned: it refuses writes until it is reopened, and goes on serving reads
//! from the last published snapshot.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use wasm_storage_abi::{Kind, limits};

use crate::backend::{
    Backend, Capabilities, Commit, CommitId, Durability, Mode, NamespaceId, NamespaceName, Outcome,
    OwnedKey, Transaction, TxError, Why, Write,
};
use crate::error::Error;
use crate::kv::OrderedKv;
use crate::layout::{self, CatalogEntry, Openings};

use clock::StoreClock;
use hooks::{Defect, Hooks, Moment, NoHooks};
use queue::{Poison, Queue};
use read_set::ReadSet;
use recent::Recent;
use transaction::CoordinatorTransaction;

mod clock;
mod group;
pub mod hooks;
mod open;
mod queue;
mod read_set;
mod recent;
mod transaction;

/// Transactions over an embedded engine that this process owns.
pub struct Coordinator<K: OrderedKv>(Arc<Shared<K>>);

struct Shared<K: OrderedKv> {
    kv: K,
    durability: Durability,
    /// Swapped by the leader only.
    published: RwLock<Arc<Published<K::Snapshot>>>,
    recent: RwLock<Recent>,
    /// Namespaces dropped in this opening; whoever uses one does not commit.
    dropped: RwLock<Vec<NamespaceId>>,
    queue: Arc<Queue>,
    /// Set once, by `close`.
    closed: AtomicBool,
    /// Last key minted, by any namespace.
    minted: AtomicU64,
    clock: StoreClock,
    /// A random number that names this opening, and the openings before it.
    opening: u64,
    openings: Openings,
    /// The first group of this opening; 0: none yet.
    first_group: AtomicU64,
    /// Keyed anew for each opening.
    hasher: RandomState,
    hooks: Arc<dyn Hooks>,
}

/// A state that everybody may read, and the number of the group that made it.
#[derive(Debug)]
struct Published<S> {
    group: u64,
    snapshot: S,
}

impl<K: OrderedKv> Coordinator<K> {
    /// Opens the store in `kv`; makes one if it is empty.
    ///
    /// `durability`: what an acknowledged commit survives; `None` takes the
    /// engine's default. Errors: `Unsupported` for a word that the engine cannot
    /// make true or a store of another format, `Corrupt` for a store that is not ours.
    pub fn open(kv: K, durability: Option<Durability>) -> Result<Self, Error> {
        Self::open_with_hooks(kv, durability, NoHooks)
    }

    /// As [`Coordinator::open`], for tests that watch it.
    pub fn open_with_hooks(
        kv: K,
        durability: Option<Durability>,
        hooks: impl Hooks,
    ) -> Result<Self, Error> {
        let opened = open::open(&kv, durability)?;
        let hasher = RandomState::new();
        let hooks: Arc<dyn Hooks> = Arc::new(hooks);
        Ok(Coordinator(Arc::new(Shared {
            durability: opened.durability,
            published: RwLock::new(Arc::new(Published {
                group: opened.record.group,
                snapshot: opened.snapshot,
            })),
            recent: RwLock::new(Recent::after(opened.record.group)),
            dropped: RwLock::default(),
            queue: Arc::new(Queue::new(Arc::clone(&hooks))),
            closed: AtomicBool::new(false),
            minted: AtomicU64::new(opened.record.id_high_water),
            clock: StoreClock::new(opened.record.clock_ms),
            // Another key than that of the hashes: this number is shown.
            opening: RandomState::new().hash_one(opened.record.group),
            openings: opened.openings,
            first_group: AtomicU64::new(0),
            hasher,
            hooks,
            kv,
        })))
    }

    /// The word that acknowledged commits of this store keep.
    pub fn durability(&self) -> Durability {
        self.0.durability
    }
}

impl<K: OrderedKv> std::fmt::Debug for Coordinator<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Coordinator")
            .field("kv", &self.0.kv.capabilities().name)
            .field("durability", &self.0.durability)
            .finish_non_exhaustive()
    }
}

impl<K: OrderedKv> Shared<K> {
    fn published(&self) -> Arc<Published<K::Snapshot>> {
        Arc::clone(
            &self
                .published
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    fn publish(&self, next: Published<K::Snapshot>) {
        let mut published = self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::replace(&mut *published, Arc::new(next));
        // The engine may do work when a snapshot goes; nobody waits for it here.
        drop(published);
        drop(last);
    }

    fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped(&self) -> RwLockReadGuard<'_, Vec<NamespaceId>> {
        self.dropped.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn dropped_mut(&self) -> RwLockWriteGuard<'_, Vec<NamespaceId>> {
        self.dropped.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, physical: &[u8]) -> u64 {
        self.hasher.hash_one(physical)
    }

    /// Whether nothing that was read has been written after group `tested` and up to
    /// group `visible`, which is published; up to which group that is known now. The
    /// set is tidy.
    ///
    /// A group is known here a moment before it is published. Nobody loses to it
    /// then: who runs again must see what it has lost to.
    fn test(&self, reads: &ReadSet, tested: u64, visible: u64) -> Result<u64, Why> {
        if reads.is_empty() {
            return Ok(tested);
        }
        let newer = self.recent().newer_than(tested);
        let unknown = || self.has(Defect::FloorNotChecked).then(Vec::new);
        let newer = newer.or_else(unknown).ok_or_else(|| {
            let message = format!(
                "more has been committed since this call began than the store remembers ({} commits or {} bytes)",
                limits::RECENT_COMMITS,
                limits::RECENT_BYTES
            );
            Why::Beaten(Error::new(Kind::Conflict, message))
        })?;
        for record in newer.iter().filter(|record| record.group() <= visible) {
            if let Some(key) = record.conflict(reads) {
                return Err(group::beaten(key));
            }
        }
        Ok(tested.max(visible))
    }

    /// Whether a defect is planted.
    fn has(&self, defect: Defect) -> bool {
        cfg!(feature = "planted") && self.hooks.defect() == Some(defect)
    }
}

impl<K: OrderedKv> Backend for Coordinator<K> {
    fn capabilities(&self) -> &Capabilities {
        self.0.kv.capabilities()
    }

    fn namespace(&self, name: &NamespaceName, create: bool) -> Result<NamespaceId, Error> {
        // Creation is a transaction like any other: it reads the catalog.
        loop {
            let mut transaction = CoordinatorTransaction::new(Arc::clone(&self.0), true, None);
            let entry_key = CatalogEntry::key(name);
            if let Some(entry) = read(&mut transaction, &entry_key)? {
                let entry = CatalogEntry::decode(&entry)?;
                if !entry.dropped {
                    return Ok(entry.id);
                }
            }
            if !create {
                let message = format!("there is no namespace {:?}", name.as_str());
                return Err(Error::new(Kind::NoSuchNamespace, message));
            }
            let next_key = layout::next_namespace_key();
            let next = read(&mut transaction, &next_key)?.unwrap_or_default();
            let id = layout::decode_next_namespace(&next)?;
            let after = id.checked_add(1).ok_or_else(|| {
                Error::new(Kind::Overflow, "the store has used up its namespace ids")
            })?;
            let entry = CatalogEntry {
                id: NamespaceId(id),
                dropped: false,
            };
            let writes = vec![
                (entry_key, Write::Put(entry.encode().into())),
                (next_key, Write::Put(after.to_le_bytes().into())),
            ];
            match Box::new(transaction).commit(Commit { writes }) {
                Outcome::Committed(_) => return Ok(entry.id),
                Outcome::Conflict(_) => {}
                Outcome::Rejected(error) => return Err(error),
                Outcome::Unknown(_, error) => {
                    let message = format!("namespace {name} may or may not have been made");
                    return Err(Error::with_source(Kind::UnknownOutcome, message, error));
                }
            }
        }
    }

    fn begin(
        &self,
        mode: Mode<'_>,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Transaction>, TxError> {
        let shared = &self.0;
        if shared.closed.load(Ordering::Acquire) {
            return Err(queue::closed().into());
        }
        let reserved = match mode {
            Mode::ReadOnly => None,
            Mode::ReadWrite => {
                shared.queue.writable()?;
                None
            }
            Mode::Reserved(_) if shared.has(Defect::NothingReserved) => None,
            Mode::Reserved(namespaces) => {
                let published = || shared.published().group;
                let reserved = shared.queue.reserve(namespaces, published());
                shared.hooks.at(Moment::Reserving);
                if !shared.queue.wait_for_turn(&reserved, deadline, published)? {
                    let text = "other calls were writing there until the deadline of this one";
                    let why = Why::Beaten(Error::new(Kind::Conflict, text));
                    return Err(TxError::Conflict(why));
                }
                Some(reserved)
            }
        };
        Ok(Box::new(CoordinatorTransaction::new(
            Arc::clone(shared),
            mode != Mode::ReadOnly,
            reserved,
        )))
    }

    fn mint(&self, _ns: NamespaceId) -> Result<i64, Error> {
        self.0
            .minted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                let next = last.checked_add(1)?;
                (next <= limits::MINTED_KEY_MAX.unsigned_abs()).then_some(next)
            })
            .ok()
            .and_then(|last| i64::try_from(last + 1).ok())
            .ok_or_else(|| Error::new(Kind::Overflow, "the store has used up its minted keys"))
    }

    /// Known for the last 64 openings that committed anything.
    ///
    /// Errors: `Unavailable` for a commit that only reopening can tell about.
    fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        let shared = &self.0;
        let mut last = shared.published().group;
        match shared.queue.poison() {
            Some(poison @ Poison::Unknown(unknown)) if unknown == id => return Err(poison.error()),
            Some(Poison::Unseen(unseen)) => last = unseen.opening_and_group().1,
            _ => {}
        }
        let first = shared.first_group.load(Ordering::Acquire);
        let openings = match first {
            0 => shared.openings.clone(),
            first => shared.openings.and(shared.opening, first),
        };
        let (opening, group) = id.opening_and_group();
        Ok(openings.made(opening, group, last))
    }

    fn close(&self) -> Result<(), Error> {
        let shared = &self.0;
        shared.closed.store(true, Ordering::Release);
        shared.queue.refuse();
        shared.hooks.at(Moment::Closing);
        shared.queue.wait_until_idle();
        // Also if it was closed before: that may have failed.
        shared.kv.close()?;
        match shared.queue.poison() {
            Some(poison @ Poison::Unknown(_)) => Err(poison.error()),
            Some(Poison::Unseen(_)) | None => Ok(()),
        }
    }
}

/// A system record, read by a transaction.
fn read(transaction: &mut impl Transaction, key: &OwnedKey) -> Result<Option<Vec<u8>>, Error> {
    let mut value = None;
    let found = transaction.get(key.key(), &mut |bytes| value = Some(bytes.to_vec()));
    match found {
        Ok(_) => Ok(value),
        Err(TxError::Failed(error)) => Err(error),
        Err(TxError::Conflict(why)) => Err(why.into_error()),
    }
}
