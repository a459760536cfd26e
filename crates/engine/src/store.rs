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

use crate::backend::{
    Backend, Capabilities, CommitId, Mode, NamespaceId, NamespaceName, Outcome, Why,
};
use crate::error::Error;
use crate::session::Session;

/// An invocation that has lost so often reserves what it touches.
const LOSSES_BEFORE_RESERVING: u32 = 3;

/// A store, open. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<dyn Backend>);

/// How a session is opened.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// What the session may do.
    pub mode: Mode<'static>,
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
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// When it must be over, all attempts together.
    pub deadline: Option<Instant>,
    /// Whether an attempt that lost to another invocation is run again. Only if every
    /// attempt begins with fresh memory (a new instance of its guest), keeps nothing from
    /// the lost one, and has no effect but through its session: what it printed, sent
    /// or wrote elsewhere is not taken back. An invocation that has ended a part
    /// ([`Session::part`]) is never run again.
    pub rerun: bool,
}

/// No deadline, runs again.
impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            deadline: None,
            rerun: true,
        }
    }
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

/// What the earlier attempts of an invocation say about the next.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Whether a conflict runs the invocation again.
    pub(crate) rerun: bool,
    /// Whether `increment` is blind.
    pub(crate) merge: bool,
    /// Namespaces to be reserved, ascending.
    pub(crate) reserved: Vec<NamespaceId>,
}

impl Plan {
    /// For a session that nobody runs again.
    pub(crate) fn once() -> Self {
        Self::first(false)
    }

    /// For the first attempt of an invocation.
    pub(crate) fn first(rerun: bool) -> Self {
        Plan {
            rerun,
            merge: true,
            reserved: Vec::new(),
        }
    }

    /// Reserves these namespaces, too.
    pub(crate) fn reserve(&mut self, touched: Vec<NamespaceId>) {
        self.reserved.extend(touched);
        self.reserved.sort_unstable();
        self.reserved.dedup();
    }
}

/// An invocation that ended as its closure wanted.
#[derive(Debug)]
pub struct Done<R> {
    /// What the closure answered in the attempt that counts.
    pub value: R,
    /// The last commit, if there was one.
    pub commit: Option<CommitId>,
    /// Commits before the end ([`Session::part`]): they stay, rolled back or not.
    pub parts: u32,
    /// How often the closure ran.
    pub attempts: u32,
}

/// An invocation that the store did not let end as its closure wanted.
///
/// `Conflict`: nothing but its parts happened; other invocations were faster until
/// the deadline, or it could not be run again. `UnknownOutcome`: it may have
/// happened, and [`RunError::commit`] names the commit in question. Other kinds:
/// nothing but its parts happened.
#[derive(Debug)]
pub struct RunError {
    error: Error,
    commit: Option<CommitId>,
    parts: u32,
    attempts: u32,
}

impl RunError {
    /// What a caller can do about it.
    pub fn kind(&self) -> Kind {
        self.error.kind()
    }

    /// For `UnknownOutcome`: the commit that [`Store::outcome`] knows about after
    /// reopening.
    pub fn commit(&self) -> Option<CommitId> {
        self.commit
    }

    /// Commits before the one that failed: they stay.
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// How often the closure ran.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    fn lost(why: Why, parts: u32, attempts: u32) -> Self {
        let error = why.into_error();
        let error = match (error.kind(), attempts) {
            (Kind::Conflict, 2..) => Error::with_source(
                Kind::Conflict,
                format!("other calls were faster in all {attempts} attempts; in the last one"),
                error,
            ),
            _ => error,
        };
        RunError {
            error,
            commit: None,
            parts,
            attempts,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match self.parts {
            0 => Ok(()),
            1 => f.write_str("; 1 part of the call stays"),
            parts => write!(f, "; {parts} parts of the call stay"),
        }
    }
}

impl std::error::Error for RunError {}

/// Keeps the kind and the text.
impl From<RunError> for Error {
    fn from(failed: RunError) -> Self {
        if failed.parts == 0 {
            return failed.error;
        }
        Error::new(failed.kind(), failed.to_string())
    }
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

    /// Opens a session, for adapters that have no closure to wrap. Nobody runs it
    /// again: what it loses against another is a conflict to its caller.
    pub fn begin(&self, options: SessionOptions) -> Session {
        Session::new(self.clone(), options, Plan::once())
    }

    /// Runs one invocation: `attempt` does its work in the session and gives it
    /// back, to be committed or rolled back.
    ///
    /// An attempt that another invocation has beaten left nothing behind and is run
    /// again, at once, as [`RunOptions::rerun`] and the deadline allow. After three
    /// losses the namespaces that it touched are reserved for it, so that it cannot
    /// lose for ever.
    ///
    /// Errors: `Conflict` if other invocations were faster until the deadline;
    /// `UnknownOutcome` with the commit ([`RunError::commit`]); what the store reports.
    pub fn run<R>(
        &self,
        options: RunOptions,
        mut attempt: impl FnMut(Session) -> Attempt<R>,
    ) -> Result<Done<R>, RunError> {
        let session_options = SessionOptions {
            mode: Mode::ReadWrite,
            deadline: options.deadline,
        };
        let mut plan = Plan::first(options.rerun);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let session = Session::new(self.clone(), session_options, plan.clone());
            let (value, end) = match attempt(session) {
                Attempt::Commit(session, value) => (value, session.end()),
                Attempt::Rollback(session, value) => (value, session.leave()),
            };
            let (parts, touched) = (end.parts, end.touched);
            let failed = |error, commit| RunError {
                error,
                commit,
                parts,
                attempts,
            };
            let why = match end.outcome {
                Outcome::Committed(commit) => {
                    return Ok(Done {
                        value,
                        commit,
                        parts,
                        attempts,
                    });
                }
                Outcome::Rejected(error) => return Err(failed(error, None)),
                Outcome::Unknown(id, error) => return Err(failed(id.unknown(error), Some(id))),
                Outcome::Conflict(why) => why,
            };
            let late = options.deadline.is_some_and(|at| Instant::now() >= at);
            if !options.rerun || parts > 0 || late {
                return Err(RunError::lost(why, parts, attempts));
            }
            if let Why::Unmergeable(_) = why {
                plan.merge = false;
            }
            if attempts >= LOSSES_BEFORE_RESERVING {
                plan.reserve(touched);
            }
        }
    }

    /// Whether a commit whose outcome was unknown has happened; to be asked after
    /// reopening. `None`: it is too long ago to tell.
    pub fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error> {
        self.0.outcome(id)
    }

    /// Refuses new work, waits for the commits in flight, syncs. Idempotent.
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
