//! A small transactional store in memory that is right, or has one defect of those
//! that isolation levels are told apart by.
//!
//! Without a defect it is optimistic: every transaction reads one snapshot, and
//! commits if nothing that it read has changed since. It yields between operations,
//! so that transactions overlap also where threads are few.
//!
//! ```
//! use wasm_storage_engine::{Attempt, RunOptions, Store};
//! use wasm_storage_testkit::history::broken::{Broken, Defect};
//!
//! let store = Store::new(Broken::new(Defect::NoReadValidation));
//! assert_eq!(store.capabilities().name, "broken");
//! ```

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::yield_now;
use std::time::Instant;

use wasm_storage_codec::record::{i64_entry, read_i64_entry};
use wasm_storage_engine::layout;
use wasm_storage_engine::{
    Backend, Capabilities, Commit, CommitId, Durability, Error, Key, KeyRange, Kind, Mode,
    NamespaceId, NamespaceName, Order, Outcome, OwnedKey, PageHint, Transaction, TxError, Visit,
    Why, Write,
};

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nothing: it is serializable.
    None,
    /// Every read sees what was committed last, and none is looked at again (read
    /// committed).
    ReadCommitted,
    /// Only what a transaction *wrote* must be unchanged since its snapshot (snapshot
    /// isolation, first committer wins).
    NoReadValidation,
    /// Nothing needs to be unchanged: the last writer wins.
    LastWriterWins,
    /// Writes can be seen before it is decided whether they stay.
    DirtyReads,
    /// The writes of a commit become visible one after the other.
    FracturedCommits,
    /// A snapshot is three commits old.
    StaleSnapshots,
    /// Entries that were read are looked at again, ranges are not.
    NoRangeValidation,
    /// A transaction takes its snapshot first and asks for its number afterwards.
    LateNumber,
}

static CAPABILITIES: Capabilities = Capabilities {
    name: "broken",
    durability: &[Durability::Memory],
    snapshot_reads: true,
    multi_namespace: true,
    multi_process: false,
    max_key_bytes: usize::MAX,
    max_value_bytes: usize::MAX,
    max_batch_bytes: usize::MAX,
};

/// The store.
#[derive(Debug)]
pub struct Broken {
    defect: Defect,
    state: Arc<Mutex<State>>,
    minted: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the last commit.
    last: u64,
    /// Whether the last commit is only half visible.
    halfway: bool,
    keys: BTreeMap<OwnedKey, Versions>,
}

/// What a key held, by number of the commit; `None`: deleted.
type Versions = BTreeMap<u64, Option<Box<[u8]>>>;

impl State {
    fn visible(&self, key: &OwnedKey, at: u64) -> Option<&[u8]> {
        let (_, value) = self.keys.get(key)?.range(..=at).next_back()?;
        value.as_deref()
    }

    /// Whether anybody has written the key since, `own` aside.
    fn changed(&self, key: &OwnedKey, since: u64, own: u64) -> bool {
        let versions = self.keys.get(key);
        versions.is_some_and(|versions| versions.range(since + 1..).any(|(at, _)| *at != own))
    }

    fn write(&mut self, at: u64, key: &OwnedKey, write: &Write) {
        let value = match write {
            Write::Put(value) => Some(value.clone()),
            Write::Delete => None,
            Write::Add(delta) => {
                let old = self.visible(key, u64::MAX);
                let old = old.and_then(|old| layout::guest_value(old).ok());
                let old = old.and_then(read_i64_entry).unwrap_or(0);
                Some(layout::physical_value(&i64_entry(old + delta)))
            }
        };
        self.keys.entry(key.clone()).or_default().insert(at, value);
    }
}

impl Broken {
    /// An empty store with this defect.
    pub fn new(defect: Defect) -> Self {
        Broken {
            defect,
            state: Arc::default(),
            minted: AtomicI64::new(0),
        }
    }
}

impl Backend for Broken {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn namespace(&self, _: &NamespaceName, _: bool) -> Result<NamespaceId, Error> {
        Ok(NamespaceId(1))
    }

    fn begin(&self, _: Mode<'_>, _: Option<Instant>) -> Result<Box<dyn Transaction>, TxError> {
        let state = lock(&self.state);
        let snapshot = state.last;
        let mut base = snapshot - u64::from(state.halfway);
        drop(state);
        if self.defect == Defect::LateNumber {
            yield_now();
            base = lock(&self.state).last;
        }
        let behind = match self.defect {
            Defect::StaleSnapshots => 3,
            _ => 0,
        };
        Ok(Box::new(BrokenTransaction {
            defect: self.defect,
            state: Arc::clone(&self.state),
            snapshot: snapshot.saturating_sub(behind),
            base: base.saturating_sub(behind),
            points: Vec::new(),
            ranges: Vec::new(),
        }))
    }

    fn mint(&self, _: NamespaceId) -> Result<i64, Error> {
        Ok(self.minted.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn outcome(&self, _: CommitId) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

struct BrokenTransaction {
    defect: Defect,
    state: Arc<Mutex<State>>,
    /// The commit whose state it reads.
    snapshot: u64,
    /// What it read must be unchanged since this commit.
    base: u64,
    points: Vec<OwnedKey>,
    ranges: Vec<(Bound<OwnedKey>, Bound<OwnedKey>)>,
}

impl BrokenTransaction {
    /// The commit whose state is read now.
    fn at(&self) -> u64 {
        match self.defect {
            Defect::ReadCommitted | Defect::DirtyReads => u64::MAX,
            _ => self.snapshot,
        }
    }

    /// Whether the transaction may commit.
    fn is_valid(&self, state: &State, writes: &[(OwnedKey, Write)], own: u64) -> bool {
        let changed = |key: &OwnedKey| state.changed(key, self.base, own);
        match self.defect {
            Defect::ReadCommitted | Defect::LastWriterWins => true,
            Defect::NoReadValidation => !writes.iter().any(|(key, _)| changed(key)),
            Defect::NoRangeValidation => !self.points.iter().any(changed),
            _ => {
                let in_ranges = |range: &(Bound<OwnedKey>, Bound<OwnedKey>)| {
                    let mut keys = state.keys.range(range.clone());
                    keys.any(|(key, _)| changed(key))
                };
                !self.points.iter().any(changed) && !self.ranges.iter().any(in_ranges)
            }
        }
    }

    /// Shows the writes, and takes them back if it turns out that they must not stay.
    fn commit_dirtily(&self, writes: &[(OwnedKey, Write)]) -> Outcome {
        let mut state = lock(&self.state);
        state.last += 1;
        let own = state.last;
        for (key, write) in writes {
            state.write(own, key, write);
        }
        drop(state);
        yield_now();
        let mut state = lock(&self.state);
        if self.is_valid(&state, writes, own) {
            return Outcome::Committed(Some(CommitId(own.into())));
        }
        for (key, _) in writes {
            if let Some(versions) = state.keys.get_mut(key) {
                versions.remove(&own);
            }
        }
        conflict()
    }
}

impl Transaction for BrokenTransaction {
    fn now(&mut self) -> Result<wasm_storage_engine::backend::Millis, TxError> {
        Ok(wasm_storage_engine::backend::Millis(0))
    }

    fn get(&mut self, key: Key<'_>, out: &mut dyn FnMut(&[u8])) -> Result<bool, TxError> {
        yield_now();
        let key = OwnedKey::new(key);
        let state = lock(&self.state);
        let value = state.visible(&key, self.at()).map(Box::from);
        drop(state);
        self.points.push(key);
        let value: Option<Box<[u8]>> = value;
        if let Some(value) = &value {
            out(value);
        }
        Ok(value.is_some())
    }

    fn get_many(
        &mut self,
        keys: &[Key<'_>],
        out: &mut dyn FnMut(usize, Option<&[u8]>),
    ) -> Result<(), TxError> {
        for (index, key) in keys.iter().enumerate() {
            let found = self.get(*key, &mut |value| out(index, Some(value)))?;
            if !found {
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
        _: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<(), TxError> {
        yield_now();
        if range.is_empty() {
            return Ok(());
        }
        let range = range.within(ns);
        let state = lock(&self.state);
        let mut entries = Vec::new();
        for (key, _) in state.keys.range(range.clone()) {
            if let Some(value) = state.visible(key, self.at()) {
                entries.push((key.clone(), Box::<[u8]>::from(value)));
            }
        }
        drop(state);
        self.ranges.push(range);
        if order == Order::Reverse {
            entries.reverse();
        }
        for (key, value) in entries {
            let flow = visit(key.key().bytes, &value);
            self.points.push(key);
            if flow == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn validate(&mut self) -> Result<(), TxError> {
        Ok(())
    }

    fn commit(self: Box<Self>, request: Commit) -> Outcome {
        let writes = request.writes;
        if writes.is_empty() {
            return Outcome::Committed(None);
        }
        yield_now();
        if self.defect == Defect::DirtyReads {
            return self.commit_dirtily(&writes);
        }
        let mut state = lock(&self.state);
        while state.halfway {
            state = pause(&self.state, state);
        }
        if !self.is_valid(&state, &writes, 0) {
            return conflict();
        }
        state.last += 1;
        let own = state.last;
        state.halfway = self.defect == Defect::FracturedCommits;
        for (key, write) in &writes {
            state.write(own, key, write);
            if state.halfway {
                state = pause(&self.state, state);
            }
        }
        state.halfway = false;
        Outcome::Committed(Some(CommitId(own.into())))
    }
}

fn conflict() -> Outcome {
    let error = Error::new(Kind::Conflict, "another transaction was faster");
    Outcome::Conflict(Why::Beaten(error))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the lock back and others a turn.
fn pause<'a>(state: &'a Mutex<State>, held: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    drop(held);
    yield_now();
    lock(state)
}
