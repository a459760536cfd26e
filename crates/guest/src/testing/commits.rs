//! A store in memory whose next commits fail as told.
//!
//! A commit without writes cannot fail, and is none of those that do.

use std::boxed::Box;
use std::collections::VecDeque;
use std::format;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use wasm_storage_abi::Kind;
use wasm_storage_engine::backend::Millis;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Backend, Capabilities, Commit, CommitId, Coordinator, Error, Key, KeyRange, Mode, NamespaceId,
    NamespaceName, Order, Outcome, PageHint, Transaction, TxError, Visit, Why,
};

/// What befalls the next commits, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct NextCommits(Arc<Mutex<VecDeque<Kind>>>);

impl NextCommits {
    pub(super) fn fail(&self, kind: Kind) {
        self.queue().push_back(kind);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Kind>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of the next commit, if it is told.
    fn next(&self) -> Option<Outcome> {
        let kind = self.queue().pop_front()?;
        let error = Error::new(kind, format!("{} by fail_next_commit", kind.name()));
        Some(match kind {
            Kind::Conflict => Outcome::Conflict(Why::Beaten(error)),
            Kind::UnknownOutcome => Outcome::Unknown(CommitId(0), error),
            _ => Outcome::Rejected(error),
        })
    }
}

/// The store itself.
pub(super) struct Backing {
    inner: Coordinator<MemoryKv>,
    next: NextCommits,
}

impl Backing {
    pub(super) fn new(next: NextCommits) -> Result<Self, Error> {
        let inner = Coordinator::open(MemoryKv::new(), None)?;
        Ok(Backing { inner, next })
    }
}

impl Backend for Backing {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn namespace(&self, name: &NamespaceName, create: bool) -> Result<NamespaceId, Error> {
        self.inner.namespace(name, create)
    }

    fn begin(
        &self,
        mode: Mode<'_>,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Transaction>, TxError> {
        let inner = self.inner.begin(mode, deadline)?;
        let next = self.next.clone();
        Ok(Box::new(Told { inner, next }))
    }

    fn mint(&self, ns: NamespaceId) -> Result<i64, Error> {
        self.inner.mint(ns)
    }

    fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        self.inner.outcome(id)
    }

    fn close(&self) -> Result<(), Error> {
        self.inner.close()
    }
}

/// A transaction whose commit may fail as told.
struct Told {
    inner: Box<dyn Transaction>,
    next: NextCommits,
}

impl Transaction for Told {
    fn now(&mut self) -> Result<Millis, TxError> {
        self.inner.now()
    }

    fn get(&mut self, key: Key<'_>, out: &mut dyn FnMut(&[u8])) -> Result<bool, TxError> {
        self.inner.get(key, out)
    }

    fn get_many(
        &mut self,
        keys: &[Key<'_>],
        out: &mut dyn FnMut(usize, Option<&[u8]>),
    ) -> Result<(), TxError> {
        self.inner.get_many(keys, out)
    }

    fn scan(
        &mut self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
        order: Order,
        hint: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<(), TxError> {
        self.inner.scan(ns, range, order, hint, visit)
    }

    fn validate(&mut self) -> Result<(), TxError> {
        self.inner.validate()
    }

    fn commit(self: Box<Self>, request: Commit) -> Outcome {
        if request.writes.is_empty() {
            return self.inner.commit(request);
        }
        match self.next.next() {
            Some(outcome) => outcome,
            None => self.inner.commit(request),
        }
    }
}
