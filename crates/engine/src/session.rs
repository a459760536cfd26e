//! One attempt of an invocation: every read and write of a guest goes through
//! here. Reads see the session's own writes; nothing reaches the store before
//! [`Session::commit`], and a session that is dropped leaves nothing behind.
//!
//! It owns its transaction, write set and limits, carries no lifetime and is
//! `Send`, so that it can live in a runtime's own state. The transaction begins at
//! the first operation, not before: an invocation that stores nothing costs the
//! store nothing.

use std::cmp::Ordering;
use std::ops::{Bound, ControlFlow};
use std::time::Instant;

use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::record;

use crate::backend::{
    Commit, CommitId, Key, KeyRange, Mode, NamespaceId, Order, Outcome, PageHint, Transaction,
    TxError, Visit, Write,
};
use crate::error::{Error, show_key};
use crate::layout;
use crate::overlay::Overlay;
use crate::store::Store;

/// Reads and writes of one attempt.
pub struct Session {
    store: Store,
    mode: Mode,
    deadline: Option<Instant>,
    /// Begun at the first operation.
    transaction: Option<Box<dyn Transaction>>,
    overlay: Overlay,
    /// Why this session can no longer commit.
    doom: Option<Error>,
    /// Reused for the physical key.
    physical: Vec<u8>,
}

/// Why an operation failed.
#[derive(Debug)]
pub enum OpError {
    /// The operation failed and changed nothing; the session can go on.
    Failed(Error),
    /// The session cannot commit any more; the guest must be ended.
    /// [`Session::commit`] says why.
    Doomed,
    /// The session's deadline passed while the operation was at work; the guest
    /// must be ended. What it has shown so far is not all.
    Overdue,
}

impl From<Error> for OpError {
    fn from(error: Error) -> Self {
        OpError::Failed(error)
    }
}

/// Names an open savepoint of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavepointId(pub u32);

type Result<T> = std::result::Result<T, OpError>;

/// A scan looks at the clock after this many entries.
const ENTRIES_PER_LOOK: usize = 1024;

impl Session {
    pub(crate) fn new(store: Store, mode: Mode, deadline: Option<Instant>) -> Self {
        Session {
            store,
            mode,
            deadline,
            transaction: None,
            overlay: Overlay::default(),
            doom: None,
            physical: Vec::new(),
        }
    }

    /// Gives the value under `key` to `out` and returns true; false if there is none.
    ///
    /// Errors: `TooLarge` for a key over 4 KiB; what the store reports.
    pub fn get(&mut self, ns: NamespaceId, key: &[u8], mut out: impl FnMut(&[u8])) -> Result<bool> {
        check_key(key)?;
        self.begin()?;
        if !self.overlay.is_empty() {
            self.physical.clear();
            self.physical.extend_from_slice(&ns.0.to_be_bytes());
            self.physical.extend_from_slice(key);
            match self.overlay.get(&self.physical) {
                Some(Write::Put(value)) => {
                    out(layout::guest_value(value)?);
                    return Ok(true);
                }
                Some(Write::Delete) => return Ok(false),
                None => {}
            }
        }
        let mut bad = None;
        let key = Key { ns, bytes: key };
        let found = self.ask(|transaction| {
            transaction.get(key, &mut |value| match layout::guest_value(value) {
                Ok(value) => out(value),
                Err(error) => bad = Some(error),
            })
        })?;
        match bad {
            Some(error) => Err(named(error, key.bytes).into()),
            None => Ok(found),
        }
    }

    /// Length in bytes of the value under `key`; `None` if there is none.
    pub fn has(&mut self, ns: NamespaceId, key: &[u8]) -> Result<Option<usize>> {
        let mut length = None;
        self.get(ns, key, |value| length = Some(value.len()))?;
        Ok(length)
    }

    /// Stores `value` under `key`, whatever is there.
    ///
    /// Errors: `TooLarge` for a key over 4 KiB, a value over 16 MiB or a write set
    /// over 64 MiB; `ReadOnly`.
    pub fn put(&mut self, ns: NamespaceId, key: &[u8], value: &[u8]) -> Result<()> {
        check_key(key)?;
        if value.len() > limits::VALUE_BYTES {
            return Err(named(
                Error::too_large("a value", limits::VALUE_BYTES, value.len()),
                key,
            )
            .into());
        }
        self.write(ns, key, Write::Put(layout::physical_value(value)))
    }

    /// Deletes `key`, whether it is there or not.
    pub fn delete(&mut self, ns: NamespaceId, key: &[u8]) -> Result<()> {
        check_key(key)?;
        self.write(ns, key, Write::Delete)
    }

    /// A fresh number, 1 ..= 2^53 - 1, that the store gives nobody else.
    pub fn mint(&mut self, ns: NamespaceId) -> Result<i64> {
        self.begin_write()?;
        Ok(self.store.backend().mint(ns)?)
    }

    /// Adds to the i64 entry under `key` and returns the new value; an absent entry
    /// counts as 0.
    ///
    /// Errors: `TypeMismatch` if another entry is there, `Overflow`.
    pub fn add(&mut self, ns: NamespaceId, key: &[u8], delta: i64) -> Result<i64> {
        let mut old = Some(0);
        self.get(ns, key, |entry| old = record::read_i64_entry(entry))?;
        let old = old.ok_or_else(|| {
            let message = format!("the entry under {} is not an i64", show_key(key));
            Error::new(Kind::TypeMismatch, message)
        })?;
        let new = old.checked_add(delta).ok_or_else(|| {
            let message = format!("{old} + {delta} under {} leaves i64", show_key(key));
            Error::new(Kind::Overflow, message)
        })?;
        self.put(ns, key, &record::i64_entry(new))?;
        Ok(new)
    }

    /// Adds to the i64 entry under `key`. The same checks as [`Session::add`].
    pub fn increment(&mut self, ns: NamespaceId, key: &[u8], delta: i64) -> Result<()> {
        self.add(ns, key, delta).map(|_| ())
    }

    /// Visits the entries of a range in order, own writes included, until the
    /// visitor breaks off. A long one ends at the session's deadline
    /// ([`OpError::Overdue`]): no runtime can interrupt a guest in here.
    pub fn scan(
        &mut self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
        order: Order,
        hint: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        for end in [range.lo, range.hi] {
            if let Bound::Included(key) | Bound::Excluded(key) = end {
                check_key(key)?;
            }
        }
        self.begin()?;
        if range.is_empty() {
            return Ok(());
        }
        let Some(transaction) = &mut self.transaction else {
            return Ok(());
        };
        let mut merge = Merge {
            own: OwnWrites::new(self.overlay.range(ns, range), order),
            order,
            visit,
            deadline: self.deadline,
            looked_at: 0,
            overdue: false,
            bad: None,
            ended: false,
        };
        let scanned = transaction.scan(ns, range, order, hint, &mut |key, value| {
            merge.stored(key, value)
        });
        if scanned.is_ok() {
            merge.rest();
        }
        let (bad, overdue) = (merge.bad.take(), merge.overdue);
        drop(merge);
        match (scanned, bad) {
            (Err(error), _) => Err(self.failed(error)),
            (Ok(()), Some(error)) => Err(error.into()),
            (Ok(()), None) if overdue => Err(OpError::Overdue),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Sets a savepoint: later writes can be undone to it.
    ///
    /// Errors: `TooLarge` if 64 are open.
    pub fn savepoint(&mut self) -> Result<SavepointId> {
        self.alive()?;
        match self.overlay.savepoint() {
            Some(serial) => Ok(SavepointId(serial)),
            None => Err(Error::new(
                Kind::TooLarge,
                format!("{} savepoints are open, the limit", limits::SAVEPOINTS),
            )
            .into()),
        }
    }

    /// Forgets a savepoint and those set after it; the writes stay.
    pub fn release(&mut self, savepoint: SavepointId) -> Result<()> {
        self.alive()?;
        if self.overlay.release(savepoint.0) {
            Ok(())
        } else {
            Err(no_savepoint(savepoint).into())
        }
    }

    /// Undoes all writes since a savepoint, never reads: the guest has seen them.
    /// The savepoint stays set; those after it are forgotten.
    pub fn rollback_to(&mut self, savepoint: SavepointId) -> Result<()> {
        self.alive()?;
        if self.overlay.rollback_to(savepoint.0) {
            Ok(())
        } else {
            Err(no_savepoint(savepoint).into())
        }
    }

    /// Ends the session: all its writes become durable and visible together, or none.
    pub fn commit(mut self) -> Outcome {
        if let Some(error) = self.doom.take() {
            return Outcome::Conflict(error);
        }
        match self.transaction.take() {
            Some(transaction) => transaction.commit(Commit {
                writes: std::mem::take(&mut self.overlay).into_writes(),
            }),
            // Nothing was read or written.
            None => Outcome::Committed(CommitId(0)),
        }
    }

    /// Ends the session and leaves nothing of it. Dropping it does the same.
    pub fn rollback(self) {}

    /// Whether the session can no longer commit; [`Session::commit`] says why.
    pub fn is_doomed(&self) -> bool {
        self.doom.is_some()
    }

    /// The store this session reads and writes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// When the invocation must be over; waiting for the store counts.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// `Overdue` if the deadline has passed, for work of many operations.
    pub fn on_time(&self) -> Result<()> {
        if is_over(self.deadline) {
            return Err(OpError::Overdue);
        }
        Ok(())
    }

    fn alive(&self) -> Result<()> {
        match self.doom {
            Some(_) => Err(OpError::Doomed),
            None => Ok(()),
        }
    }

    /// Begins the transaction at the first operation.
    fn begin(&mut self) -> Result<()> {
        self.alive()?;
        if self.transaction.is_none() {
            match self.store.backend().begin(self.mode, self.deadline) {
                Ok(transaction) => self.transaction = Some(transaction),
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    fn begin_write(&mut self) -> Result<()> {
        if self.mode == Mode::ReadOnly {
            return Err(Error::new(Kind::ReadOnly, "this session is read-only").into());
        }
        self.begin()
    }

    fn write(&mut self, ns: NamespaceId, key: &[u8], write: Write) -> Result<()> {
        self.begin_write()?;
        let written = self.overlay.write(Key { ns, bytes: key }, write);
        written.map_err(|error| named(error, key).into())
    }

    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Transaction) -> std::result::Result<T, TxError>,
    ) -> Result<T> {
        match &mut self.transaction {
            Some(transaction) => question(&mut **transaction).map_err(|error| self.failed(error)),
            None => Err(OpError::Doomed),
        }
    }

    fn failed(&mut self, error: TxError) -> OpError {
        match error {
            TxError::Failed(error) => OpError::Failed(error),
            TxError::Conflict(error) => {
                self.doom = Some(error);
                OpError::Doomed
            }
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("mode", &self.mode)
            .field("begun", &self.transaction.is_some())
            .field("doom", &self.doom)
            .finish_non_exhaustive()
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| Instant::now() >= at)
}

fn check_key(key: &[u8]) -> std::result::Result<(), Error> {
    if key.len() > limits::KEY_BYTES {
        return Err(named(
            Error::too_large("a key", limits::KEY_BYTES, key.len()),
            key,
        ));
    }
    Ok(())
}

/// The same error, with the key it is about in front.
fn named(error: Error, key: &[u8]) -> Error {
    Error::new(error.kind(), format!("key {}: {error}", show_key(key)))
}

fn no_savepoint(savepoint: SavepointId) -> Error {
    Error::new(
        Kind::InvalidArgument,
        format!("savepoint {} is not open", savepoint.0),
    )
}

/// A session's own writes of a range, in scan order.
struct OwnWrites<'a> {
    writes: Box<dyn DoubleEndedIterator<Item = (&'a [u8], &'a Write)> + 'a>,
    order: Order,
    next: Option<(&'a [u8], &'a Write)>,
}

impl<'a> OwnWrites<'a> {
    fn new(
        writes: Box<dyn DoubleEndedIterator<Item = (&'a [u8], &'a Write)> + 'a>,
        order: Order,
    ) -> Self {
        let mut own = OwnWrites {
            writes,
            order,
            next: None,
        };
        own.advance();
        own
    }

    fn advance(&mut self) {
        self.next = match self.order {
            Order::Forward => self.writes.next(),
            Order::Reverse => self.writes.next_back(),
        };
    }
}

/// Stored entries and own writes, merged into one ordered sequence: an own write
/// hides the stored entry under the same key.
struct Merge<'a, 'v> {
    own: OwnWrites<'a>,
    order: Order,
    visit: &'a mut Visit<'v>,
    deadline: Option<Instant>,
    /// Entries so far, hidden ones included.
    looked_at: usize,
    overdue: bool,
    bad: Option<Error>,
    /// The visitor broke off, a stored entry was bad, or time is over.
    ended: bool,
}

impl Merge<'_, '_> {
    /// The store shows an entry: own writes before it come first.
    fn stored(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.look_at_the_clock()?;
        while let Some((own, write)) = self.own.next {
            let before = match self.order {
                Order::Forward => own.cmp(key),
                Order::Reverse => key.cmp(own),
            };
            if before == Ordering::Greater {
                break;
            }
            self.own.advance();
            self.show_own(own, write)?;
            if before == Ordering::Equal {
                return ControlFlow::Continue(());
            }
        }
        self.show(key, value)
    }

    /// The store has no more: the own writes that are left.
    fn rest(&mut self) {
        while !self.ended
            && let Some((key, write)) = self.own.next
        {
            self.own.advance();
            if self.show_own(key, write).is_break() {
                return;
            }
        }
    }

    fn show_own(&mut self, key: &[u8], write: &Write) -> ControlFlow<()> {
        self.look_at_the_clock()?;
        match write {
            Write::Put(value) => self.show(key, value),
            Write::Delete => ControlFlow::Continue(()),
        }
    }

    fn look_at_the_clock(&mut self) -> ControlFlow<()> {
        self.looked_at += 1;
        if self.looked_at.is_multiple_of(ENTRIES_PER_LOOK) && is_over(self.deadline) {
            self.overdue = true;
            self.ended = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn show(&mut self, key: &[u8], physical: &[u8]) -> ControlFlow<()> {
        let flow = match layout::guest_value(physical) {
            Ok(value) => (self.visit)(key, value),
            Err(error) => {
                self.bad = Some(named(error, key));
                ControlFlow::Break(())
            }
        };
        self.ended |= flow.is_break();
        flow
    }
}
