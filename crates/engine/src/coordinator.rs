//! A [`Backend`] over any [`OrderedKv`]: published snapshots and commit.
//!
//! A transaction reads from the snapshot that was published when it first read;
//! it never opens one itself, so number and snapshot always belong together. A
//! commit goes: apply (atomic, durable) → open one snapshot → publish it by a
//! pointer swap → answer. So a commit becomes durable, then visible, then
//! acknowledged, and nobody ever reads what is not durable.
//!
//! Invariants. I1: `published.group = g` means that commits 1 ..= g are durable by
//! the store's word and all in its snapshot, and nothing later is. I2: one commit
//! at a time (`commit` is locked around it).
//!
//! After an apply whose outcome is unknown, or a panic in it, the store is
//! poisoned: it refuses writes until it is reopened, and goes on serving reads
//! from the last published snapshot.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasm_storage_abi::{Kind, limits};

use crate::backend::{
    Backend, Capabilities, Commit, CommitId, Durability, Key, KeyRange, Millis, Mode, NamespaceId,
    NamespaceName, Order, Outcome, OwnedKey, PageHint, Transaction, TxError, Visit, Write,
};
use crate::error::Error;
use crate::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use crate::layout::{self, CatalogEntry, KEY_PREFIX_BYTES, SystemRecord};
use crate::permit::{Gate, Permit};

/// Transactions over an embedded engine that this process owns.
pub struct Coordinator<K: OrderedKv>(Arc<Shared<K>>);

struct Shared<K: OrderedKv> {
    kv: K,
    durability: Durability,
    published: RwLock<Arc<Published<K::Snapshot>>>,
    /// Locked while a commit is applied and published.
    commit: Mutex<State>,
    /// Set once, by `close`.
    closed: AtomicBool,
    /// Held by a read-write transaction from begin to end.
    gate: Arc<Gate>,
    /// Last key minted, by any namespace.
    minted: AtomicU64,
    clock: StoreClock,
}

/// A state that everybody may read, and the number of the commit that made it.
#[derive(Debug)]
struct Published<S> {
    group: u64,
    snapshot: S,
}

#[derive(Debug, Default)]
struct State {
    /// Set by `close`, for good.
    closed: bool,
    /// Set by a commit that did not come to its end, for good.
    poison: Option<Poison>,
}

/// Why the store takes no writes until it is reopened.
#[derive(Clone, Copy, Debug)]
enum Poison {
    /// This commit's outcome is unknown.
    Unknown(u64),
    /// This commit happened, but no snapshot of it could be had.
    Unseen(u64),
}

impl Poison {
    fn error(self) -> Error {
        let why = match self {
            Poison::Unknown(group) => format!("the outcome of commit {group} is unknown"),
            Poison::Unseen(group) => format!("commit {group} happened but cannot be read"),
        };
        Error::new(
            Kind::Unavailable,
            format!("the store takes no writes until it is reopened: {why}"),
        )
    }
}

impl State {
    fn writable(&self) -> Result<(), Error> {
        match (self.closed, self.poison) {
            (true, _) => Err(closed()),
            (false, Some(poison)) => Err(poison.error()),
            (false, None) => Ok(()),
        }
    }
}

impl<K: OrderedKv> Coordinator<K> {
    /// Opens the store in `kv`; makes one if it is empty.
    ///
    /// `durability`: what an acknowledged commit survives; `None` takes the
    /// engine's default. Errors: `Unsupported` for a word that the engine cannot
    /// make true or a store of another format, `Corrupt` for a store that is not ours.
    pub fn open(kv: K, durability: Option<Durability>) -> Result<Self, Error> {
        let durability = choose_durability(kv.capabilities(), durability)?;
        let mut snapshot = kv.snapshot()?;
        if read(&snapshot, &layout::format_key())?.is_none() {
            create(&kv, &snapshot, durability)?;
            snapshot = kv.snapshot()?;
        }
        let format = read(&snapshot, &layout::format_key())?.unwrap_or_default();
        layout::check_format(&format)?;
        let record = read(&snapshot, &SystemRecord::key())?.unwrap_or_default();
        let record = SystemRecord::decode(&record)?;
        Ok(Coordinator(Arc::new(Shared {
            kv,
            durability,
            published: RwLock::new(Arc::new(Published {
                group: record.group,
                snapshot,
            })),
            commit: Mutex::default(),
            closed: AtomicBool::new(false),
            gate: Arc::default(),
            minted: AtomicU64::new(record.id_high_water),
            clock: StoreClock::new(record.clock_ms),
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

fn choose_durability(
    capabilities: &Capabilities,
    asked: Option<Durability>,
) -> Result<Durability, Error> {
    let words = capabilities.durability;
    match asked {
        Some(word) if words.contains(&word) => Ok(word),
        None if !words.is_empty() => Ok(words.first().copied().unwrap_or(Durability::Memory)),
        _ => Err(Error::new(
            Kind::Unsupported,
            format!(
                "{} cannot make durability {} true; it offers {}",
                capabilities.name,
                asked.map_or("by default".to_string(), |word| word.to_string()),
                words
                    .iter()
                    .map(Durability::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        )),
    }
}

fn read(snapshot: &impl Snapshot, key: &OwnedKey) -> Result<Option<Vec<u8>>, Error> {
    let mut value = None;
    snapshot.get(key.physical(), &mut |bytes| value = Some(bytes.to_vec()))?;
    Ok(value)
}

/// Writes the first records of an empty store, in one batch.
fn create(kv: &impl OrderedKv, snapshot: &impl Snapshot, word: Durability) -> Result<(), Error> {
    let mut foreign = false;
    snapshot.scan(&KeyRange::ALL, Order::Forward, &mut |_, _| {
        foreign = true;
        std::ops::ControlFlow::Break(())
    })?;
    if foreign {
        return Err(Error::new(
            Kind::Corrupt,
            "the place holds data of another program: it has entries but no format record",
        ));
    }
    let default = NamespaceName::new(NamespaceName::DEFAULT)?;
    let entry = CatalogEntry {
        id: layout::DEFAULT,
        dropped: false,
    };
    let records = [
        (layout::format_key(), layout::format_record().to_vec()),
        (
            SystemRecord::key(),
            SystemRecord::default().encode().to_vec(),
        ),
        (CatalogEntry::key(&default), entry.encode().to_vec()),
        (
            layout::next_namespace_key(),
            (layout::DEFAULT.0 + 1).to_le_bytes().to_vec(),
        ),
    ];
    let batch = records
        .iter()
        .map(|(key, value)| (key.physical(), Some(value.as_slice())))
        .collect();
    kv.apply(&Batch::from_sorted(batch), word)
        .map_err(|failed| match failed {
            ApplyError::Rejected(error) | ApplyError::Unknown(error) => error,
        })
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

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock leaves poison behind (see `apply`).
        self.commit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One commit: apply → snapshot → swap. The caller holds `state`.
    fn apply(&self, state: &mut State, writes: &[(OwnedKey, Write)]) -> Outcome {
        if let Err(error) = state.writable() {
            return Outcome::Rejected(error);
        }
        let group = self.published().group + 1;
        let id = CommitId(group.into());
        let record = SystemRecord {
            group,
            id_high_water: self.minted.load(Ordering::Relaxed),
            clock_ms: self.clock.now().0,
        }
        .encode();
        let system_key = SystemRecord::key();
        let batch = with_system_record(writes, system_key.physical(), &record);
        if let Err(error) = batch.check_limits(self.kv.capabilities()) {
            return Outcome::Rejected(error);
        }
        // A panic below leaves the store poisoned: nobody knows what is on disk.
        state.poison = Some(Poison::Unknown(group));
        match self.kv.apply(&batch, self.durability) {
            Ok(()) => {}
            Err(ApplyError::Rejected(error)) => {
                state.poison = None;
                return Outcome::Rejected(error);
            }
            Err(ApplyError::Unknown(error)) => return Outcome::Unknown(id, error),
        }
        // Committed, whatever happens now. If no snapshot can be had, the store
        // stays poisoned: it could not show what it holds.
        state.poison = Some(Poison::Unseen(group));
        if let Ok(snapshot) = self.kv.snapshot() {
            self.publish(Published { group, snapshot });
            state.poison = None;
        }
        Outcome::Committed(id)
    }
}

fn closed() -> Error {
    Error::new(Kind::Unavailable, "the store is closed")
}

/// The batch of a commit: the system record in its place among the writes.
fn with_system_record<'a>(
    writes: &'a [(OwnedKey, Write)],
    system_key: &'a [u8],
    record: &'a [u8],
) -> Batch<'a> {
    let mut batch: Vec<(&[u8], Option<&[u8]>)> = Vec::with_capacity(writes.len() + 1);
    let at = writes.partition_point(|(key, _)| key.physical() < system_key);
    let (before, after) = writes.split_at_checked(at).unwrap_or((writes, &[]));
    let row = |(key, write): &'a (OwnedKey, Write)| match write {
        Write::Put(value) => (key.physical(), Some(&**value)),
        Write::Delete => (key.physical(), None),
    };
    batch.extend(before.iter().map(row));
    batch.push((system_key, Some(record)));
    batch.extend(after.iter().map(row));
    Batch::from_sorted(batch)
}

impl<K: OrderedKv> Backend for Coordinator<K> {
    fn capabilities(&self) -> &Capabilities {
        self.0.kv.capabilities()
    }

    fn namespace(&self, name: &NamespaceName, create: bool) -> Result<NamespaceId, Error> {
        let shared = &self.0;
        let key = CatalogEntry::key(name);
        let find = || -> Result<Option<NamespaceId>, Error> {
            let Some(bytes) = read(&shared.published().snapshot, &key)? else {
                return Ok(None);
            };
            let entry = CatalogEntry::decode(&bytes)?;
            Ok((!entry.dropped).then_some(entry.id))
        };
        if let Some(id) = find()? {
            return Ok(id);
        }
        if !create {
            return Err(Error::new(
                Kind::NoSuchNamespace,
                format!("there is no namespace {name:?}", name = name.as_str()),
            ));
        }
        let mut state = shared.state();
        if let Some(id) = find()? {
            return Ok(id);
        }
        let next_key = layout::next_namespace_key();
        let next = read(&shared.published().snapshot, &next_key)?.unwrap_or_default();
        let id = layout::decode_next_namespace(&next)?;
        let after = id
            .checked_add(1)
            .ok_or_else(|| Error::new(Kind::Overflow, "the store has used up its namespace ids"))?;
        let entry = CatalogEntry {
            id: NamespaceId(id),
            dropped: false,
        };
        let writes = [
            (key, Write::Put(entry.encode().into())),
            (next_key, Write::Put(after.to_le_bytes().into())),
        ];
        match shared.apply(&mut state, &writes) {
            Outcome::Committed(_) => Ok(entry.id),
            Outcome::Conflict(error) | Outcome::Rejected(error) => Err(error),
            Outcome::Unknown(_, error) => Err(Error::with_source(
                Kind::UnknownOutcome,
                format!("namespace {name} may or may not have been made"),
                error,
            )),
        }
    }

    fn begin(
        &self,
        mode: Mode,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Transaction>, TxError> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(closed().into());
        }
        let permit = match mode {
            Mode::ReadOnly => None,
            Mode::ReadWrite => {
                let permit = self.0.gate.acquire(deadline).ok_or_else(|| {
                    TxError::Conflict(Error::new(
                        Kind::Conflict,
                        "other calls were writing to the store until the deadline of this one",
                    ))
                })?;
                self.0.state().writable()?;
                Some(permit)
            }
        };
        Ok(Box::new(CoordinatorTransaction {
            shared: Arc::clone(&self.0),
            permit,
            base: None,
            physical: Vec::new(),
        }))
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

    /// True for every commit up to the last one found or made. Ask right after
    /// reopening: the number of a commit that did not happen is used again.
    ///
    /// Errors: `Unavailable` for a commit that only reopening can tell about.
    fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        let state = self.0.state();
        if id.0 <= self.0.published().group.into() {
            return Ok(Some(true));
        }
        match state.poison {
            Some(poison @ Poison::Unknown(_)) => Err(poison.error()),
            Some(Poison::Unseen(group)) => Ok(Some(id.0 <= group.into())),
            None => Ok(Some(false)),
        }
    }

    fn close(&self) -> Result<(), Error> {
        let mut state = self.0.state();
        self.0.closed.store(true, Ordering::Release);
        state.closed = true;
        // Also if it was closed before: that may have failed.
        self.0.kv.close()?;
        match state.poison {
            Some(poison @ Poison::Unknown(_)) => Err(poison.error()),
            Some(Poison::Unseen(_)) | None => Ok(()),
        }
    }
}

struct CoordinatorTransaction<K: OrderedKv> {
    shared: Arc<Shared<K>>,
    /// `None`: read-only.
    permit: Option<Permit>,
    /// What this transaction reads, with its time; taken at the first read.
    base: Option<(Arc<Published<K::Snapshot>>, Millis)>,
    /// Reused for the physical key.
    physical: Vec<u8>,
}

impl<K: OrderedKv> CoordinatorTransaction<K> {
    fn base(&mut self) -> &(Arc<Published<K::Snapshot>>, Millis) {
        // The time is taken after the snapshot, so that nothing read is from later.
        self.base.get_or_insert_with(|| {
            let published = self.shared.published();
            let now = self.shared.clock.now();
            (published, now)
        })
    }
}

impl<K: OrderedKv> Transaction for CoordinatorTransaction<K> {
    fn now(&mut self) -> Result<Millis, TxError> {
        Ok(self.base().1)
    }

    fn get(&mut self, key: Key<'_>, out: &mut dyn FnMut(&[u8])) -> Result<bool, TxError> {
        let mut physical = std::mem::take(&mut self.physical);
        physical.clear();
        physical.extend_from_slice(&key.ns.0.to_be_bytes());
        physical.extend_from_slice(key.bytes);
        let found = self.base().0.snapshot.get(&physical, out);
        self.physical = physical;
        Ok(found?)
    }

    fn get_many(
        &mut self,
        keys: &[Key<'_>],
        out: &mut dyn FnMut(usize, Option<&[u8]>),
    ) -> Result<(), TxError> {
        for (index, key) in keys.iter().enumerate() {
            if !self.get(*key, &mut |value| out(index, Some(value)))? {
                out(index, None);
            }
        }
        Ok(())
    }

    fn scan(
        &mut self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
        order: Order,
        _hint: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<(), TxError> {
        let (lo, hi) = range.within(ns);
        let range = KeyRange {
            lo: lo.as_ref().map(OwnedKey::physical),
            hi: hi.as_ref().map(OwnedKey::physical),
        };
        let snapshot = &self.base().0.snapshot;
        Ok(snapshot.scan(&range, order, &mut |key, value| {
            visit(key.get(KEY_PREFIX_BYTES..).unwrap_or_default(), value)
        })?)
    }

    /// All reads are from one snapshot.
    fn validate(&mut self) -> Result<(), TxError> {
        Ok(())
    }

    fn commit(mut self: Box<Self>, request: Commit) -> Outcome {
        if request.writes.is_empty() {
            // The snapshot is a durable prefix: nothing to write, nothing to check.
            return Outcome::Committed(CommitId(self.base().0.group.into()));
        }
        if self.permit.is_none() {
            return Outcome::Rejected(Error::new(
                Kind::ReadOnly,
                "a read-only transaction has writes",
            ));
        }
        let mut state = self.shared.state();
        self.shared.apply(&mut state, &request.writes)
    }
}

/// Milliseconds since 1970, never less than it has shown before, in this opening
/// of the store or an earlier one.
#[derive(Debug)]
struct StoreClock(AtomicU64);

impl StoreClock {
    fn new(last: u64) -> Self {
        StoreClock(AtomicU64::new(last))
    }

    fn now(&self) -> Millis {
        let system = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let system = u64::try_from(system).unwrap_or(u64::MAX);
        let before = self.0.fetch_max(system, Ordering::Relaxed);
        Millis(before.max(system))
    }
}
