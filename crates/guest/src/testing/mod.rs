//! Testing a program natively: a host in this process, its store in memory, on
//! the same engine and host code that serve Wasm.
//!
//! ```
//! use rust_storage_interface_library::{self as storage, Map, testing};
//!
//! static STOCK: Map<&str, u32> = Map::new("stock");
//!
//! fn sell(sku: &str) -> Result<u32, storage::Error> {
//!     let left = STOCK.require(sku)? - 1;
//!     STOCK.put(sku, &left)?;
//!     Ok(left)
//! }
//!
//! let host = testing::Host::new();
//! host.assert_calls(1, || STOCK.put("sku-1", &3)).unwrap();
//! assert_eq!(host.try_invoke(|| sell("sku-1")).unwrap(), 2);
//!
//! let failure = host.try_invoke(|| sell("sku-2")).unwrap_err();
//! assert_eq!(failure.to_string(), r#"Map::require: "stock" key "sku-2" holds nothing"#);
//! ```
//!
//! Without a `Host` on the thread, storage functions work on a store of the
//! thread's own, in one call that never ends: enough for examples.
//!
//! A panic does not pass through an `extern "C"` function; test the Rust function
//! that such an export calls.
//!
//! # Calls that are run again
//!
//! If another call was faster, a host in earnest runs a call again from its start, in
//! a fresh instance. So does this one, with the same closure; what a closure has
//! captured and changed stays changed, which is how a test counts its runs.
//! [`Host::fail_next_commit`] plays the other call:
//!
//! ```
//! use rust_storage_interface_library::{Counter, Kind, testing::Host};
//!
//! static SOLD: Counter = Counter::new("sold");
//!
//! let host = Host::new();
//! host.fail_next_commit(Kind::Conflict);
//! let mut runs = 0;
//! let sold = host.try_invoke(|| {
//!     runs += 1;
//!     SOLD.add(1)
//! });
//! assert_eq!((sold.unwrap(), runs), (1, 2));
//!
//! // What a caller gets where nothing is run again, or when its time is over:
//! let host = Host::new().without_rerun();
//! host.fail_next_commit(Kind::Conflict);
//! let failure = host.try_invoke(|| SOLD.add(1)).unwrap_err();
//! assert_eq!(failure.kind(), Some(Kind::Conflict));
//! ```
//!
//! Invariant: an invocation here ends as it would in Wasm. It commits when the
//! closure returns; it leaves nothing but its parts if the closure panics or calls
//! `abort` or `fail`.
//!
//! Elsewhere: how calls reach the invocation is `sys/native.rs`.

mod commits;
mod failure;

use std::any::Any;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::format;
use std::marker::PhantomData;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString as _};
use std::sync::Arc;
use std::vec::Vec;

use wasm_storage_abi::Kind;
use wasm_storage_abi::keyspace::LEGACY;
use wasm_storage_codec::record::Entry;
use wasm_storage_engine::{
    Attempt, KeyRange, NamespaceId, Order, PageHint, RunOptions, SessionOptions, Store,
};
use wasm_storage_host::{
    FailedCall, Grants, GuestEnd, GuestFailure, Invocation, InvocationOptions, Reply,
};

use crate::sys::native::{self, Running, Trapped};
use crate::text::{Line, write_key};

use commits::{Backing, NextCommits};

pub use failure::Failure;

/// A host with a store in memory, for the thread that made it.
///
/// While it lives, storage functions on this thread work inside
/// [`invoke`](Host::invoke) only.
pub struct Host {
    store: Store,
    namespace: NamespaceId,
    grants: Grants,
    parts: bool,
    rerun: bool,
    next_commits: NextCommits,
    /// A `Host` belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Host {
    /// A host with an empty store.
    ///
    /// # Panics
    ///
    /// If the store in memory cannot be made: a defect.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it takes the thread")]
    pub fn new() -> Host {
        let next_commits = NextCommits::default();
        let opened = Backing::new(next_commits.clone()).and_then(|backing| {
            let store = Store::new(backing);
            let namespace = store.default_namespace()?;
            Ok((store, namespace))
        });
        let (store, namespace) = opened.expect("a store in memory opens");
        native::host_begins();
        Host {
            store,
            namespace,
            grants: Grants::default(),
            parts: false,
            rerun: true,
            next_commits,
            not_send: PhantomData,
        }
    }

    /// Makes the namespace `name`, if it is missing, and grants it to the invocations
    /// that follow.
    ///
    /// # Panics
    ///
    /// If `name` is no name of a namespace.
    #[must_use]
    pub fn grant(mut self, name: &str) -> Host {
        let namespace = match self.store.namespace(name, true) {
            Ok(namespace) => namespace,
            Err(error) => panic!("namespace {name:?}: {error}"),
        };
        let mut grants = BTreeMap::clone(&self.grants);
        grants.insert(name.into(), namespace);
        self.grants = Arc::new(grants);
        self
    }

    /// Grants [`part`](crate::part) to the invocations that follow.
    #[must_use]
    pub fn grant_parts(mut self) -> Host {
        self.parts = true;
        self
    }

    /// Runs no invocation again: one that lost against another is a failure of kind
    /// [`Kind::Conflict`], as where a host cannot run again, or has no time left to.
    #[must_use]
    pub fn without_rerun(mut self) -> Host {
        self.rerun = false;
        self
    }

    /// The next commit, be it of a part or of a whole invocation, fails with `kind`; said
    /// several times, as many commits in a row do. Nothing of theirs is written.
    /// A commit without writes cannot fail and does not count.
    ///
    /// - [`Kind::Conflict`]: another call was faster. The invocation is run again; from
    ///   its second part on, that part is.
    /// - [`Kind::UnknownOutcome`]: the caller is not told whether it happened.
    /// - Any other, such as [`Kind::Unavailable`] or [`Kind::Io`]: the store refuses.
    ///
    /// The store itself goes on.
    pub fn fail_next_commit(&self, kind: Kind) {
        self.next_commits.fail(kind);
    }

    /// Runs `program` as one invocation and commits it, again if another was faster. A
    /// `Result` is only handed through, as from a plain export; see
    /// [`try_invoke`](Host::try_invoke).
    ///
    /// Errors: what `program` gave to `abort` or `fail`, its panic, or why the
    /// commit was refused. Nothing was written then but parts.
    ///
    /// # Panics
    ///
    /// If an invocation is running on this thread.
    pub fn invoke<R>(&self, program: impl FnMut() -> R) -> Result<R, Failure> {
        let (value, _) = self.run(&[], self.rerun, program, |_| None)?;
        value.ok_or_else(Failure::without_value)
    }

    /// [`invoke`](Host::invoke) for a program that answers `Err` to be rolled back.
    ///
    /// # Panics
    ///
    /// If an invocation is running on this thread.
    pub fn try_invoke<T, E: fmt::Display>(
        &self,
        program: impl FnMut() -> Result<T, E>,
    ) -> Result<T, Failure> {
        let failed = |result: &Result<T, E>| result.as_ref().err().map(E::to_string);
        let (value, _) = self.run(&[], self.rerun, program, failed)?;
        value
            .and_then(Result::ok)
            .ok_or_else(Failure::without_value)
    }

    /// Runs an export that gets its `input` from [`input`](crate::input) and ends
    /// with [`finish`](crate::finish) or [`fail`](crate::fail). Its result; empty
    /// without one. As [`invoke`](Host::invoke) otherwise.
    ///
    /// # Panics
    ///
    /// If an invocation is running on this thread.
    pub fn call(&self, input: &[u8], export: impl FnMut() -> i32) -> Result<Vec<u8>, Failure> {
        let (_, reply) = self.run(input, self.rerun, export, |_| None)?;
        Ok(reply.result.unwrap_or_default())
    }

    /// Runs `program` and checks how many host calls it made. Inside an invocation it
    /// runs there, else as one of its own, which is not run again.
    ///
    /// # Panics
    ///
    /// If it made another number of calls, or if its invocation fails.
    pub fn assert_calls<R>(&self, expected: u64, program: impl FnOnce() -> R) -> R {
        let counted = || {
            let before = native::calls_so_far().unwrap_or(0);
            let value = program();
            (
                value,
                native::calls_so_far().unwrap_or(0).saturating_sub(before),
            )
        };
        let (value, calls) = if native::calls_so_far().is_some() {
            counted()
        } else {
            let mut once = Some(counted);
            let program = || once.take().map(|counted| counted());
            match self.run(&[], false, program, |_| None) {
                Ok((Some(Some(counted)), _)) => counted,
                Ok(_) => panic!("{}", Failure::without_value()),
                Err(failure) => panic!("{failure}"),
            }
        };
        assert!(calls == expected, "{calls} host calls, expected {expected}");
        value
    }

    /// What is committed in the default namespace, a line for each entry: the key,
    /// then type and value.
    ///
    /// # Panics
    ///
    /// If the store cannot be read: a defect.
    pub fn dump(&self) -> String {
        let mut lines = String::new();
        let mut session = self.store.begin(SessionOptions::read_only());
        let all = KeyRange {
            lo: Bound::Unbounded,
            hi: Bound::Unbounded,
        };
        let scanned = session.scan(
            self.namespace,
            &all,
            Order::Forward,
            PageHint::default(),
            &mut |key, value| {
                let mut shown = Line::new();
                write_key(key, false, &mut shown);
                let entry = Entry::parse(value);
                let _ = match entry {
                    _ if key.starts_with(&LEGACY) => {
                        writeln!(lines, "{shown}{} bytes of 2020", value.len())
                    }
                    Ok(entry) => writeln!(lines, "{shown}{entry}"),
                    Err(error) => writeln!(lines, "{shown}{} bytes: {error}", value.len()),
                };
                ControlFlow::Continue(())
            },
        );
        assert!(scanned.is_ok(), "a store in memory is readable");
        lines
    }

    /// One invocation. The value is `None` if `program` did not return.
    fn run<R>(
        &self,
        input: &[u8],
        rerun: bool,
        mut program: impl FnMut() -> R,
        failed: impl Fn(&R) -> Option<String>,
    ) -> Result<(Option<R>, Reply), Failure> {
        let options = InvocationOptions {
            namespace: self.namespace,
            grants: Arc::clone(&self.grants),
            input: input.into(),
            parts: self.parts,
        };
        let run = RunOptions {
            deadline: None,
            rerun,
        };
        let done = self.store.run(run, |session| {
            let invocation = match Invocation::new(session, options.clone()) {
                Ok(invocation) => invocation,
                Err((session, error)) => {
                    return Attempt::Rollback(session, Err(Ended::Begin(error)));
                }
            };
            let running = Running {
                invocation: Box::new(invocation),
                calls: 0,
            };
            assert!(
                native::enter(running).is_ok(),
                "an invocation is running on this thread already"
            );
            let ended = catch_unwind(AssertUnwindSafe(|| {
                let result = program();
                let failed = failed(&result);
                (result, failed)
            }));
            let Some(Running { mut invocation, .. }) = native::leave() else {
                unreachable!("what was entered above is left here");
            };
            let (value, end) = match ended {
                Ok((result, failed)) => {
                    // What the export wrapper does with an `Err`.
                    if let Some(text) = failed {
                        let _ = invocation.finish(1, text.as_bytes());
                    }
                    (Some(result), GuestEnd::Returned)
                }
                Err(payload) => match payload.downcast::<Trapped>() {
                    Ok(trapped) => (None, GuestEnd::Trapped(trapped.0)),
                    // What the panic hook does in Wasm.
                    Err(panic) => {
                        let text = format!("panicked: {}", panic_text(&*panic));
                        let trap = invocation.abort(text.as_bytes());
                        (None, GuestEnd::Trapped(trap.to_string()))
                    }
                },
            };
            invocation.end(end).map(|reply| match reply {
                Ok(reply) => Ok((value, reply)),
                Err(why) => Err(Ended::Guest(why)),
            })
        })?;
        done.value.map_err(|ended| match ended {
            Ended::Begin(error) => Failure::from(error),
            Ended::Guest(why) => Failure::from(FailedCall {
                why,
                parts: done.parts,
                attempts: done.attempts,
            }),
        })
    }
}

/// Why an attempt has no value.
enum Ended {
    Begin(wasm_storage_engine::Error),
    Guest(GuestFailure),
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else {
        "a panic without text"
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        native::host_ends();
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("store", &self.store).finish()
    }
}
