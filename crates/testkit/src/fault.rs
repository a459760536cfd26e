//! An engine whose writes fail, panic or wait on command: [`FaultyKv`] around
//! any [`OrderedKv`], and [`Faults`], the handle that arms it.
//!
//! Each fault strikes once. With none armed the wrapper changes nothing, and the
//! conformance suite runs through it.
//!
//! ```
//! use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
//! use wasm_storage_engine::{Durability, memory::MemoryKv};
//! use wasm_storage_testkit::fault::{Fault, FaultyKv};
//!
//! let (kv, faults) = FaultyKv::new(MemoryKv::new());
//! let batch = Batch::from_sorted(vec![(b"key", Some(b"value"))]);
//! faults.arm_after(1, Fault::UnknownWritten);
//! assert!(kv.apply(&batch, Durability::Memory).is_ok());
//! let failed = kv.apply(&batch, Durability::Memory);
//! assert!(matches!(failed, Err(ApplyError::Unknown(_))));
//! ```

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error, Kind};

/// What happens to one `apply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is rejected; nothing is written.
    Reject,
    /// Its outcome is unknown, and it was written.
    UnknownWritten,
    /// Its outcome is unknown, and it was not written.
    UnknownUnwritten,
    /// It panics before anything is written.
    Panic,
    /// It panics after everything was written.
    PanicWritten,
}

/// An engine that obeys [`Faults`].
#[derive(Debug)]
pub struct FaultyKv<K> {
    inner: K,
    faults: Faults,
}

/// Arms faults, holds writes back and counts calls. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Strikes the apply with this number.
    apply: Vec<(u64, Fault)>,
    /// Fails the snapshot with this number.
    snapshot: Vec<u64>,
    /// Calls so far, failed ones included.
    applies: u64,
    snapshots: u64,
    /// Whether applies wait before they do anything, and how many do.
    hold: bool,
    held: usize,
}

/// Applies wait while this lives.
#[derive(Debug)]
#[must_use = "applies go on when this is dropped"]
pub struct Hold(Faults);

impl<K: OrderedKv> FaultyKv<K> {
    /// `inner` with no fault armed, and the handle to arm some.
    pub fn new(inner: K) -> (Self, Faults) {
        let faults = Faults::default();
        let kv = FaultyKv {
            inner,
            faults: faults.clone(),
        };
        (kv, faults)
    }
}

impl Faults {
    /// The next apply meets `fault`.
    pub fn arm(&self, fault: Fault) {
        self.arm_after(0, fault);
    }

    /// `count` applies go well, the one after them meets `fault`.
    pub fn arm_after(&self, count: u64, fault: Fault) {
        let mut state = self.lock();
        let number = state.applies + count;
        state.apply.push((number, fault));
    }

    /// The next snapshot fails.
    pub fn fail_snapshot(&self) {
        self.fail_snapshot_after(0);
    }

    /// `count` snapshots go well, the one after them fails.
    pub fn fail_snapshot_after(&self, count: u64) {
        let mut state = self.lock();
        let number = state.snapshots + count;
        state.snapshot.push(number);
    }

    /// Takes back all faults that have not struck.
    pub fn disarm(&self) {
        let mut state = self.lock();
        state.apply.clear();
        state.snapshot.clear();
    }

    /// Calls of `apply` so far, failed ones included.
    pub fn applies(&self) -> u64 {
        self.lock().applies
    }

    /// Calls of `snapshot` so far, failed ones included.
    pub fn snapshots(&self) -> u64 {
        self.lock().snapshots
    }

    /// From now on every apply waits, before it does anything, until the returned
    /// [`Hold`] is dropped.
    pub fn hold(&self) -> Hold {
        self.lock().hold = true;
        Hold(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State>
    where
        Self: 'a,
    {
        self.0
            .changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an apply, lets it wait, and says what it meets.
    fn next_apply(&self) -> Option<Fault> {
        let mut state = self.lock();
        let number = state.applies;
        state.applies += 1;
        state.held += 1;
        self.0.changed.notify_all();
        while state.hold {
            state = self.wait(state);
        }
        state.held -= 1;
        let armed = state.apply.iter().position(|(at, _)| *at == number)?;
        Some(state.apply.swap_remove(armed).1)
    }

    fn next_snapshot(&self) -> Result<(), Error> {
        let mut state = self.lock();
        let number = state.snapshots;
        state.snapshots += 1;
        if let Some(armed) = state.snapshot.iter().position(|at| *at == number) {
            state.snapshot.swap_remove(armed);
            return Err(Error::new(Kind::Io, "injected: snapshot failed"));
        }
        Ok(())
    }
}

impl Hold {
    /// Returns when `count` applies wait.
    pub fn wait_for(&self, count: usize) {
        let mut state = self.0.lock();
        while state.held < count {
            state = self.0.wait(state);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.lock().hold = false;
        self.0.0.changed.notify_all();
    }
}

impl<K: OrderedKv> OrderedKv for FaultyKv<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.faults.next_snapshot()?;
        self.inner.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let unknown = || ApplyError::Unknown(Error::new(Kind::Io, "injected: sync failed"));
        match self.faults.next_apply() {
            None => self.inner.apply(batch, durability),
            Some(Fault::Reject) => Err(ApplyError::Rejected(Error::new(
                Kind::TooLarge,
                "injected: rejected",
            ))),
            Some(Fault::UnknownUnwritten) => Err(unknown()),
            Some(Fault::UnknownWritten) => {
                self.inner.apply(batch, durability)?;
                Err(unknown())
            }
            Some(Fault::Panic) => panic!("injected: panic before writing"),
            Some(Fault::PanicWritten) => {
                self.inner.apply(batch, durability)?;
                panic!("injected: panic after writing")
            }
        }
    }

    fn close(&self) -> Result<(), Error> {
        self.inner.close()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use wasm_storage_engine::memory::MemoryKv;

    use super::*;
    use crate::support::{apply, key, now, put};

    #[test]
    fn each_fault_writes_or_not_as_it_says_and_strikes_once() {
        let cases = [
            (Fault::Reject, false),
            (Fault::UnknownUnwritten, false),
            (Fault::UnknownWritten, true),
            (Fault::Panic, false),
            (Fault::PanicWritten, true),
        ];
        for (fault, written) in cases {
            let (kv, faults) = FaultyKv::new(MemoryKv::new());
            let k = key(b"k");
            faults.arm_after(1, fault);
            put(&kv, &key(b"before"), b"v");
            let result = catch_unwind(AssertUnwindSafe(|| apply(&kv, vec![(&k, Some(b"v"))])));
            let as_armed = match fault {
                Fault::Reject => matches!(result, Ok(Err(ApplyError::Rejected(_)))),
                Fault::UnknownWritten | Fault::UnknownUnwritten => {
                    matches!(result, Ok(Err(ApplyError::Unknown(_))))
                }
                Fault::Panic | Fault::PanicWritten => result.is_err(),
            };
            assert!(as_armed, "{fault:?}");
            assert_eq!(now(&kv, &k).is_some(), written, "{fault:?}");
            put(&kv, &k, b"again");
            assert_eq!(faults.applies(), 3);
        }
    }

    #[test]
    fn snapshots_fail_on_command_and_faults_can_be_taken_back() {
        let (kv, faults) = FaultyKv::new(MemoryKv::new());
        faults.fail_snapshot_after(1);
        assert!(kv.snapshot().is_ok());
        assert!(kv.snapshot().is_err());
        assert!(kv.snapshot().is_ok());
        assert_eq!(faults.snapshots(), 3);
        faults.fail_snapshot();
        faults.arm(Fault::Panic);
        faults.disarm();
        assert!(kv.snapshot().is_ok());
        put(&kv, &key(b"k"), b"v");
    }

    #[test]
    fn held_applies_wait_until_the_hold_is_dropped() {
        let (kv, faults) = FaultyKv::new(MemoryKv::new());
        let k = key(b"k");
        std::thread::scope(|scope| {
            let hold = faults.hold();
            scope.spawn(|| put(&kv, &k, b"v"));
            hold.wait_for(1);
            assert_eq!(now(&kv, &k), None);
            drop(hold);
        });
        assert!(now(&kv, &k).is_some());
    }
}
