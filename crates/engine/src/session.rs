//! One attempt of an invocation: every read and write of a guest goes through
//! here. Reads see the session's own writes; nothing reaches the store before
//! [`Session::commit`], and a session that is dropped leaves nothing behind.
//!
//! It owns its transaction, write set and limits, carries no lifetime and is
//! `Send`, so that it can live in a runtime's own state. The transaction begins at
//! the first operation, not before: an invocation that stores nothing costs the
//! store nothing.

use std::ops::Bound;
use std::time::Instant;

use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::record;

use crate::backend::{
    Commit, CommitId, Key, KeyRange, Mode, NamespaceId, Order, Outcome, PageHint, Transaction,
    TxError, Visit, Why, Write,
};
use crate::error::Error;
use crate::layout;
use crate::merge::{Merge, ScanEnd};
use crate::overlay::Overlay;
use crate::store::{Plan, SessionOptions, Store};

/// Reads and writes of one attempt.
pub struct Session {
    store: Store,
    options: SessionOptions,
    plan: Plan,
    /// Begun at the first operation, and again after a part.
    transaction: Option<Box<dyn Transaction>>,
    overlay: Overlay,
    /// Namespaces read or written so far.
    touched: Vec<NamespaceId>,
    /// Parts that were committed, and the last one's id.
    parts: u32,
    last_part: Option<CommitId>,
    /// Why nothing more can be done here.
    fate: Option<Fate>,
    /// Reused for the physical key.
    physical: Vec<u8>,
}

/// The end of a session that came before its caller ended it.
#[derive(Debug)]
enum Fate {
    /// It cannot commit; its invocation must run again.
    Doomed(Why),
    /// A part's outcome is unknown.
    Unknown(CommitId, String),
    /// The store takes no more writes.
    Unavailable(String),
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    /// Parts that stay, whatever the outcome.
    pub(crate) parts: u32,
    pub(crate) touched: Vec<NamespaceId>,
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

impl Session {
    pub(crate) fn new(store: Store, options: SessionOptions, plan: Plan) -> Self {
        Session {
            store,
            options,
            plan,
            transaction: None,
            overlay: Overlay::default(),
            touched: Vec::new(),
            parts: 0,
            last_part: None,
            fate: None,
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
                Some(&Write::Add(delta)) => {
                    let sum = self.stored_plus(ns, key, delta)?;
                    out(&record::i64_entry(sum));
                    return Ok(true);
                }
                None => {}
            }
        }
        self.get_stored(ns, key, out)
    }

    /// As [`Session::get`], without own writes.
    fn get_stored(
        &mut self,
        ns: NamespaceId,
        key: &[u8],
        mut out: impl FnMut(&[u8]),
    ) -> Result<bool> {
        self.touch(ns);
        let mut bad = None;
        let key = Key { ns, bytes: key };
        let found = self.ask(|transaction| {
            transaction.get(key, &mut |value| match layout::guest_value(value) {
                Ok(value) => out(value),
                Err(error) => bad = Some(error),
            })
        })?;
        match bad {
            Some(error) => Err(error.of_key(key.bytes).into()),
            None => Ok(found),
        }
    }

    /// The stored i64 entry and a blind addition to it.
    fn stored_plus(&mut self, ns: NamespaceId, key: &[u8], delta: i64) -> Result<i64> {
        let mut sum = None;
        self.get_stored(ns, key, |entry| {
            sum = Some(layout::add(Some(entry), delta, key));
        })?;
        sum.unwrap_or(Ok(delta))
            .map_err(|error| self.unmergeable(error))
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
            let error = Error::too_large("a value", limits::VALUE_BYTES, value.len());
            return Err(error.of_key(key).into());
        }
        self.write(ns, key, Write::Put(layout::physical_value(value)))
    }

    /// Deletes `key`, whether it is there or not.
    pub fn delete(&mut self, ns: NamespaceId, key: &[u8]) -> Result<()> {
        check_key(key)?;
        self.write(ns, key, Write::Delete)
    }

    /// A fresh number, 1 ..= 2^53 - 1, that the store gives nobody else; nothing is
    /// stored under the minted key of it.
    pub fn mint(&mut self, ns: NamespaceId) -> Result<i64> {
        loop {
            self.begin_write()?;
            let number = self.store.backend().mint(ns)?;
            // A guest may have put something under a number before it was minted.
            if self.has(ns, &layout::minted_key(number))?.is_none() {
                return Ok(number);
            }
            self.on_time()?;
        }
    }

    /// Adds to the i64 entry under `key` and returns the new value; an absent entry
    /// counts as 0. It reads, so it may conflict.
    ///
    /// Errors: `TypeMismatch` if another entry is there, `Overflow`.
    pub fn add(&mut self, ns: NamespaceId, key: &[u8], delta: i64) -> Result<i64> {
        let mut sum = None;
        self.get(ns, key, |entry| {
            sum = Some(layout::add(Some(entry), delta, key));
        })?;
        let sum = sum.unwrap_or(Ok(delta))?;
        self.put(ns, key, &record::i64_entry(sum))?;
        Ok(sum)
    }

    /// Adds to the i64 entry under `key` whatever it holds at the commit: it reads
    /// nothing, so it does not conflict. An absent entry counts as 0, and several
    /// increments of one key count as their sum.
    ///
    /// Errors: those of [`Session::add`]. Where this session has not read the entry,
    /// they are found at the commit: an invocation that can is then run again with
    /// `add` in the place of this, and meets them here; any other is rejected.
    pub fn increment(&mut self, ns: NamespaceId, key: &[u8], delta: i64) -> Result<()> {
        check_key(key)?;
        self.begin_write()?;
        self.physical.clear();
        self.physical.extend_from_slice(&ns.0.to_be_bytes());
        self.physical.extend_from_slice(key);
        let blind = match self.overlay.get(&self.physical) {
            None => Some(delta),
            Some(Write::Add(before)) => before.checked_add(delta),
            Some(Write::Put(_) | Write::Delete) => None,
        };
        match blind {
            Some(sum) if self.plan.merge => self.write(ns, key, Write::Add(sum)),
            _ => self.add(ns, key, delta).map(|_| ()),
        }
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
        self.touch(ns);
        let Some(transaction) = &mut self.transaction else {
            return Ok(());
        };
        let own = self.overlay.range(ns, range);
        let mut merge = Merge::new(own, order, visit, self.options.deadline);
        let scanned = transaction.scan(ns, range, order, hint, &mut |key, value| {
            merge.stored(key, value)
        });
        if scanned.is_ok() {
            merge.rest();
        }
        let end = merge.end();
        match (scanned, end) {
            (Err(error), _) => Err(self.failed(error)),
            (Ok(()), ScanEnd::Done) => Ok(()),
            (Ok(()), ScanEnd::Overdue) => Err(OpError::Overdue),
            (Ok(()), ScanEnd::Bad(error)) => Err(error.into()),
            (Ok(()), ScanEnd::Unmergeable(error)) => Err(self.unmergeable(error)),
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

    /// Ends a part of a long invocation: what was written since the last part
    /// becomes durable and visible, and stays whatever comes after. Reading goes on
    /// from a fresh snapshot. Not while a savepoint is open (`InvalidArgument`).
    ///
    /// A part that another invocation has beaten left nothing behind: the invocation
    /// runs again from its start ([`OpError::Doomed`]) if it can and this is its
    /// first part; else this is a `Conflict`. After any failure the writes of this
    /// part are gone. After `UnknownOutcome` and `Unavailable` every operation fails in the same way.
    pub fn part(&mut self) -> Result<()> {
        self.alive()?;
        if self.overlay.has_savepoints() {
            let message = "a part cannot end while a savepoint is open";
            return Err(Error::new(Kind::InvalidArgument, message).into());
        }
        match self.submit() {
            Outcome::Committed(None) => Ok(()),
            Outcome::Committed(part) => {
                self.parts += 1;
                self.last_part = part;
                Ok(())
            }
            Outcome::Conflict(why) if self.runs_again() => {
                self.fate = Some(Fate::Doomed(why));
                Err(OpError::Doomed)
            }
            Outcome::Conflict(why) => Err(why.into_error().into()),
            Outcome::Rejected(error) => {
                if error.kind() == Kind::Unavailable {
                    self.fate = Some(Fate::Unavailable(error.to_string()));
                }
                Err(error.into())
            }
            Outcome::Unknown(id, error) => {
                let text = error.to_string();
                self.fate = Some(Fate::Unknown(id, text));
                self.alive()
            }
        }
    }

    /// Parts that were committed so far.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// Ends the session: all its writes become durable and visible together, or none.
    pub fn commit(self) -> Outcome {
        self.end().outcome
    }

    /// Ends the session and leaves nothing of it but its parts. Dropping it does the same.
    pub fn rollback(self) {}

    /// As [`Session::commit`], and says what its invocation must know.
    pub(crate) fn end(mut self) -> End {
        let outcome = match self.fate.take() {
            None => match self.submit() {
                Outcome::Committed(None) => Outcome::Committed(self.last_part),
                outcome => outcome,
            },
            Some(fate) => fate.into(),
        };
        End {
            outcome,
            parts: self.parts,
            touched: self.touched,
        }
    }

    /// As [`Session::rollback`], unless what it read was no state of the store or a
    /// part of it has failed.
    pub(crate) fn leave(mut self) -> End {
        if self.fate.is_some() {
            return self.end();
        }
        self.overlay = Overlay::default();
        let valid = if self.store.capabilities().snapshot_reads {
            Ok(())
        } else {
            match &mut self.transaction {
                Some(transaction) => transaction.validate(),
                None => Ok(()),
            }
        };
        let outcome = match valid {
            Ok(()) => Outcome::Committed(self.last_part),
            Err(TxError::Conflict(why)) => Outcome::Conflict(why),
            Err(TxError::Failed(error)) => Outcome::Rejected(error),
        };
        End {
            outcome,
            parts: self.parts,
            touched: self.touched,
        }
    }

    /// Hands the writes to the store; the session is as new afterwards.
    fn submit(&mut self) -> Outcome {
        match self.transaction.take() {
            Some(transaction) => transaction.commit(Commit {
                writes: self.overlay.take_writes(),
            }),
            // Nothing was read or written.
            None => Outcome::Committed(None),
        }
    }

    /// Whether the session can no longer commit; [`Session::commit`] says why.
    pub fn is_doomed(&self) -> bool {
        matches!(self.fate, Some(Fate::Doomed(_)))
    }

    /// Whether its end is decided: it can no longer commit, or a part of it has
    /// failed for good. [`Session::commit`] says why.
    pub fn is_over(&self) -> bool {
        self.fate.is_some()
    }

    /// The store this session reads and writes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// When the invocation must be over; waiting for the store counts.
    pub fn deadline(&self) -> Option<Instant> {
        self.options.deadline
    }

    /// `Overdue` if the deadline has passed, for work of many operations.
    pub fn on_time(&self) -> Result<()> {
        if self.options.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(OpError::Overdue);
        }
        Ok(())
    }

    fn alive(&self) -> Result<()> {
        match &self.fate {
            None => Ok(()),
            Some(Fate::Doomed(_)) => Err(OpError::Doomed),
            Some(Fate::Unknown(id, text)) => {
                let cause = Error::new(Kind::UnknownOutcome, text.clone());
                Err(id.unknown(cause).into())
            }
            Some(Fate::Unavailable(text)) => {
                Err(Error::new(Kind::Unavailable, text.clone()).into())
            }
        }
    }

    /// Whether what is lost now runs the invocation again.
    fn runs_again(&self) -> bool {
        self.plan.rerun && self.parts == 0
    }

    /// A blind addition that cannot be made: the guest gets the error where it adds,
    /// if it can run again.
    fn unmergeable(&mut self, error: Error) -> OpError {
        if self.runs_again() {
            self.fate = Some(Fate::Doomed(Why::Unmergeable(error)));
            return OpError::Doomed;
        }
        OpError::Failed(error)
    }

    fn touch(&mut self, ns: NamespaceId) {
        if !self.touched.contains(&ns) {
            self.touched.push(ns);
        }
    }

    /// Begins the transaction at the first operation.
    fn begin(&mut self) -> Result<()> {
        self.alive()?;
        if self.transaction.is_none() {
            let mode = match self.options.mode {
                Mode::ReadWrite if !self.plan.reserved.is_empty() && self.parts == 0 => {
                    Mode::Reserved(&self.plan.reserved)
                }
                mode => mode,
            };
            match self.store.backend().begin(mode, self.options.deadline) {
                Ok(transaction) => self.transaction = Some(transaction),
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    fn begin_write(&mut self) -> Result<()> {
        if self.options.mode == Mode::ReadOnly {
            return Err(Error::new(Kind::ReadOnly, "this session is read-only").into());
        }
        self.begin()
    }

    fn write(&mut self, ns: NamespaceId, key: &[u8], write: Write) -> Result<()> {
        self.begin_write()?;
        self.touch(ns);
        let written = self.overlay.write(Key { ns, bytes: key }, write);
        written.map_err(|error| error.of_key(key).into())
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
            TxError::Conflict(why) => {
                self.fate = Some(Fate::Doomed(why));
                OpError::Doomed
            }
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("mode", &self.options.mode)
            .field("begun", &self.transaction.is_some())
            .field("parts", &self.parts)
            .field("fate", &self.fate)
            .finish_non_exhaustive()
    }
}

impl From<Fate> for Outcome {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Doomed(why) => Outcome::Conflict(why),
            Fate::Unknown(id, text) => Outcome::Unknown(id, Error::new(Kind::UnknownOutcome, text)),
            Fate::Unavailable(text) => Outcome::Rejected(Error::new(Kind::Unavailable, text)),
        }
    }
}

fn check_key(key: &[u8]) -> std::result::Result<(), Error> {
    if key.len() > limits::KEY_BYTES {
        return Err(Error::too_large("a key", limits::KEY_BYTES, key.len()).of_key(key));
    }
    Ok(())
}

fn no_savepoint(savepoint: SavepointId) -> Error {
    Error::new(
        Kind::InvalidArgument,
        format!("savepoint {} is not open", savepoint.0),
    )
}
