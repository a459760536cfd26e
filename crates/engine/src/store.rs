//! The front door: a [`Store`] opens sessions and runs invocations.
//!
//! ```
//! use wasm_storage_engine::{Attempt, Coordinator, RunOptions, SessionOptions, Store};
//! use wasm_storage_engine::memory::MemoryKv;
//!
//! let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
//! let ns = store.default_namespace()?;
//! let done = store.run(RunOptions::default(), |mut session| {
//!     session.put(ns, b"greeting", b"hello").unwrap();
//!     Attempt::Commit(session, "stored")
//! })?;
//! assert_eq!(done.value, "stored");
//!
//! let mut later = store.begin(SessionOptions::read_only());
//! assert!(later.get(ns, b"greeting", |value| assert_eq!(value, b"hello")).unwrap());
//! # Ok::<(), wasm_storage_engine::Error>(())
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use wasm_storage_abi::Kind;

use crate::backend::{Backend, Capabilities, CommitId, Mode, NamespaceId, NamespaceName, Outcome};
use crate::error::Error;
use crate::session::Session;

/// A store, open. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<dyn Backend>);

/// How a session is opened.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// What the session may do.
    pub mode: Mode,
    /// When it must be over: waiting for the store ends then.
    pub deadline: Option<Instant>,
}

impl SessionOptions {
    /// Reads and writes, no deadline.
    pub const fn read_write() -> Self {
        SessionOptions {
            mode: Mode::ReadWrite,
            deadline: None,
        }
    }

    /// Reads only: waits for nobody.
    pub const fn read_only() -> Self {
        SessionOptions {
            mode: Mode::ReadOnly,
            deadline: None,
        }
    }
}

/// How an invocation is run.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    /// When it must be over.
    pub deadline: Option<Instant>,
}

/// How an attempt of an invocation ended, with the session given back.
#[derive(Debug)]
pub enum Attempt<R> {
    /// Commit, then answer.
    Commit(Session, R),
    /// Leave nothing, and answer.
    Rollback(Session, R),
}

impl<R> Attempt<R> {
    /// The same end, with another answer.
    pub fn map<S>(self, answer: impl FnOnce(R) -> S) -> Attempt<S> {
        match self {
            Attempt::Commit(session, value) => Attempt::Commit(session, answer(value)),
            Attempt::Rollback(session, value) => Attempt::Rollback(session, answer(value)),
        }
    }
}

/// An invocation that ended as its closure wanted.
#[derive(Debug)]
pub struct Done<R> {
    /// What the closure answered.
    pub value: R,
    /// The commit, if there was one.
    pub commit: Option<CommitId>,
}

impl Store {
    /// The store of a backend.
    pub fn new(backend: impl Backend) -> Self {
        Store(Arc::new(backend))
    }

    /// What the store can do.
    pub fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    /// The id of a namespace, made if it is missing and `create` says so.
    ///
    /// Errors: `InvalidArgument` or `TooLarge` for a bad name, `NoSuchNamespace`.
    pub fn namespace(&self, name: &str, create: bool) -> Result<NamespaceId, Error> {
        self.0.namespace(&NamespaceName::new(name)?, create)
    }

    /// The namespace that every store has.
    pub fn default_namespace(&self) -> Result<NamespaceId, Error> {
        self.namespace(NamespaceName::DEFAULT, true)
    }

    /// Opens a session, for adapters that have no closure to wrap.
    pub fn begin(&self, options: SessionOptions) -> Session {
        Session::new(self.clone(), options.mode, options.deadline)
    }

    /// Runs one invocation: `attempt` does its work in the session and gives it
    /// back, to be committed or rolled back.
    ///
    /// Errors: `Conflict` if other invocations were faster until the deadline;
    /// `UnknownOutcome` with the commit's number in the text; what the store reports.
    pub fn run<R>(
        &self,
        options: RunOptions,
        attempt: impl FnOnce(Session) -> Attempt<R>,
    ) -> Result<Done<R>, Error> {
        let session = self.begin(SessionOptions {
            mode: Mode::ReadWrite,
            deadline: options.deadline,
        });
        match attempt(session) {
            Attempt::Rollback(session, value) => {
                session.rollback();
                Ok(Done {
                    value,
                    commit: None,
                })
            }
            Attempt::Commit(session, value) => match session.commit() {
                Outcome::Committed(id) => Ok(Done {
                    value,
                    commit: Some(id),
                }),
                Outcome::Conflict(error) | Outcome::Rejected(error) => Err(error),
                Outcome::Unknown(id, error) => Err(Error::with_source(
                    Kind::UnknownOutcome,
                    format!("commit {id} may or may not have happened"),
                    error,
                )),
            },
        }
    }

    /// Whether a commit whose outcome was unknown has happened; to be asked after
    /// reopening, before the next commit.
    pub fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        self.0.outcome(id)
    }

    /// Refuses new work, waits for the commit in flight, syncs. Idempotent.
    pub fn close(&self) -> Result<(), Error> {
        self.0.close()
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.0
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store")
            .field(&self.capabilities().name)
            .finish()
    }
}
