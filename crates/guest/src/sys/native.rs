//! The imports, natively: calls of the invocation that runs on this thread, over
//! slices, on the same host code that serves Wasm.
//!
//! Which invocation that is: the one that a [`testing::Host`](crate::testing::Host)
//! has begun; without a `Host` on the thread, one of its own over a store in
//! memory, which nobody commits.
//!
//! Invariant: a trap unwinds as [`Trapped`] where a `Host` catches it, else it
//! is a panic with its text.
//!
//! Elsewhere: beginning and ending invocations is `testing.rs`.

use std::boxed::Box;
use std::cell::RefCell;
use std::string::{String, ToString as _};
use std::thread_local;
use std::vec;

use wasm_storage_abi::limits;

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Error, SessionOptions, Store};
use wasm_storage_host::{Invocation, InvocationOptions};

/// What unwinds from a host call that traps, up to the `Host`.
pub(crate) struct Trapped(pub(crate) String);

/// An invocation, and how many calls it has served.
pub(crate) struct Running {
    pub(crate) invocation: Box<Invocation>,
    pub(crate) calls: u64,
}

#[derive(Default)]
struct Thread {
    /// How many `Host`s live on this thread.
    hosts: u32,
    /// The invocation of the `Host`.
    hosted: Option<Running>,
    /// The invocation of a thread without `Host`.
    private: Option<Running>,
    /// Failures so far (see `error.rs`), and the text of the last.
    failures: u32,
    text: String,
}

impl Thread {
    /// The invocation that host calls go to.
    fn running(&mut self) -> Option<&mut Running> {
        if self.hosts > 0 {
            self.hosted.as_mut()
        } else {
            self.private.as_mut()
        }
    }

    /// What the invocation says about its last failure.
    fn error_text(&mut self) -> String {
        let mut text = vec![0; limits::ERROR_TEXT_BYTES];
        let said = self
            .running()
            .map(|running| running.invocation.error_text(&mut text));
        match said {
            Some(Ok(len)) => text.truncate(usize::try_from(len).unwrap_or(0)),
            _ => text.clear(),
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

thread_local! {
    static THREAD: RefCell<Thread> = RefCell::default();
}

impl Running {
    fn private() -> Result<Self, Error> {
        let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
        let namespace = store.default_namespace()?;
        let options = InvocationOptions::new(namespace);
        let session = store.begin(SessionOptions::read_write());
        Ok(Running {
            invocation: Invocation::new(session, options)
                .map(Box::new)
                .map_err(|(_, error)| error)?,
            calls: 0,
        })
    }
}

/// A `Host` begins to live on this thread.
pub(crate) fn host_begins() {
    THREAD.with_borrow_mut(|thread| thread.hosts += 1);
}

/// A `Host` of this thread is gone.
pub(crate) fn host_ends() {
    THREAD.with_borrow_mut(|thread| thread.hosts -= 1);
}

/// Makes `running` the thread's invocation; it comes back if there is one already.
pub(crate) fn enter(running: Running) -> Result<(), Running> {
    THREAD.with_borrow_mut(|thread| match thread.hosted {
        Some(_) => Err(running),
        None => {
            thread.hosted = Some(running);
            Ok(())
        }
    })
}

/// Takes the thread's invocation back.
pub(crate) fn leave() -> Option<Running> {
    THREAD.with_borrow_mut(|thread| thread.hosted.take())
}

/// Host calls of the thread's invocation so far; `None` without one.
pub(crate) fn calls_so_far() -> Option<u64> {
    THREAD.with_borrow(|thread| thread.hosted.as_ref().map(|running| running.calls))
}

/// The functions of `sys`.
pub(crate) mod calls {
    use wasm_storage_host::Trap;

    use super::*;

    /// Serves one host call, or ends the caller.
    fn call(import: &str, serve: impl FnOnce(&mut Invocation) -> Result<i32, Trap>) -> i32 {
        let (hosted, answer) = THREAD.with_borrow_mut(|thread| {
            let hosted = thread.hosts > 0;
            if !hosted && thread.private.is_none() {
                thread.private = Running::private().ok();
            }
            let answer = thread.running().map(|running| {
                running.calls += 1;
                serve(&mut running.invocation)
            });
            (hosted, answer)
        });
        match answer {
            Some(Ok(status)) => status,
            Some(Err(trap)) if hosted => {
                std::panic::resume_unwind(Box::new(Trapped(trap.to_string())))
            }
            Some(Err(trap)) => panic!("{import}: {trap}"),
            None => panic!("{import}: no invocation; call it inside `Host::invoke`"),
        }
    }

    pub(crate) fn input(out: &mut [u8]) -> i32 {
        call("input", |host| host.input(out))
    }

    pub(crate) fn finish(status: i32, bytes: &[u8]) -> i32 {
        call("finish", |host| host.finish(status, bytes))
    }

    pub(crate) fn get(ns: u32, key: &[u8], out: &mut [u8]) -> i32 {
        call("get", |host| host.get(ns, key, out))
    }

    pub(crate) fn put(ns: u32, key: &[u8], value: &[u8]) -> i32 {
        call("put", |host| host.put(ns, key, value))
    }

    pub(crate) fn mint(ns: u32, value: &[u8], out: &mut [u8; 8]) -> i32 {
        call("mint", |host| host.mint(ns, value, out))
    }

    pub(crate) fn delete(ns: u32, key: &[u8]) -> i32 {
        call("delete", |host| host.delete(ns, key))
    }

    pub(crate) fn has(ns: u32, key: &[u8]) -> i32 {
        call("has", |host| host.has(ns, key))
    }

    pub(crate) fn add(ns: u32, key: &[u8], delta: i64, out: &mut [u8; 8]) -> i32 {
        call("add", |host| host.add(ns, key, delta, out))
    }

    pub(crate) fn increment(ns: u32, key: &[u8], delta: i64) -> i32 {
        call("increment", |host| host.increment(ns, key, delta))
    }

    pub(crate) fn scan(ns: u32, spec: &[u8], out: &mut [u8]) -> i32 {
        call("scan", |host| host.scan(ns, spec, out))
    }

    pub(crate) fn exec(command: &[u8], out: &mut [u8]) -> i32 {
        call("exec", |host| host.exec(command, out))
    }

    pub(crate) fn fetch(out: &mut [u8]) -> i32 {
        call("fetch", |host| host.fetch(out))
    }

    pub(crate) fn open(name: &[u8], flags: i32) -> i32 {
        call("open", |host| host.open(name, flags))
    }

    pub(crate) fn savepoint() -> i32 {
        call("savepoint", Invocation::savepoint)
    }

    pub(crate) fn release(savepoint: i32) -> i32 {
        call("release", |host| host.release(savepoint))
    }

    pub(crate) fn rollback_to(savepoint: i32) -> i32 {
        call("rollback_to", |host| host.rollback_to(savepoint))
    }

    pub(crate) fn commit() -> i32 {
        call("commit", Invocation::commit)
    }

    /// Without a `Host`, the message is the panic's.
    pub(crate) fn abort(message: &[u8]) -> ! {
        let hosted = THREAD.with_borrow(|thread| thread.hosts > 0);
        if hosted {
            call("abort", |host| Err(host.abort(message)));
        }
        panic!("{}", String::from_utf8_lossy(message))
    }

    /// Outside the invocation, or in the next one: the text of the last failure. In
    /// tests, errors are often looked at when the call is over.
    pub(crate) fn error_text(out: &mut [u8]) -> i32 {
        THREAD.with_borrow_mut(|thread| {
            let text = thread.error_text();
            let text = if text.is_empty() { &thread.text } else { &text };
            for (slot, byte) in out.iter_mut().zip(text.bytes()) {
                *slot = byte;
            }
            i32::try_from(text.len()).unwrap_or(i32::MAX)
        })
    }

    pub(crate) fn last_failure() -> u32 {
        THREAD.with_borrow(|thread| thread.failures)
    }

    pub(crate) fn count_failure() -> u32 {
        THREAD.with_borrow_mut(|thread| {
            thread.text = thread.error_text();
            thread.failures = thread.failures.wrapping_add(1);
            thread.failures
        })
    }
}
