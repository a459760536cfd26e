//! Who waits to be committed: so that a group, or a failure, meets as many writers as
//! it should, and not as many as happen to be there.
//!
//! Invariant: a thread is counted from the moment its commit is in the store's queue
//! ([`Moment::Enqueued`]) until it says itself that it goes on ([`Crowd::leave`]).

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use wasm_storage_engine::coordinator::hooks::{Defect, Hooks, Moment};
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error};

/// A single apply waits no longer for a crowd: some may be held up elsewhere.
const PATIENCE: Duration = Duration::from_millis(200);
/// Where each apply waits, nobody can be: only a test that hangs is ended by this.
const LONG_PATIENCE: Duration = Duration::from_secs(20);

/// The threads that wait for their commit.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: HashSet<ThreadId>,
    gathering: Gathering,
}

/// Which applies wait, and for how many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Gathering {
    #[default]
    Never,
    /// The one after so many others, and the one before it, so that its group is as
    /// large as its crowd.
    Once { after: u64, count: usize },
    /// Each.
    Always { count: usize },
}

impl Crowd {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on applies wait as this says.
    pub(crate) fn gather(&self, gathering: Gathering) {
        self.lock().gathering = gathering;
        self.changed.notify_all();
    }

    /// The present thread does not wait any more.
    pub(crate) fn leave(&self) {
        self.lock().waiting.remove(&thread::current().id());
    }

    fn enter(&self) {
        self.lock().waiting.insert(thread::current().id());
        self.changed.notify_all();
    }

    /// Called by an apply: returns when those who are to wait do.
    fn wait(&self) {
        let mut state = self.lock();
        let mut last = false;
        if let Gathering::Once { after, .. } = &mut state.gathering {
            match after.checked_sub(1) {
                None => last = true,
                Some(left) => *after = left,
            }
            if *after > 0 {
                return;
            }
        }
        let enough = |state: &State| match state.gathering {
            Gathering::Never => true,
            Gathering::Once { count, .. } | Gathering::Always { count } => {
                state.waiting.len() >= count
            }
        };
        let patience = match state.gathering {
            Gathering::Always { .. } => LONG_PATIENCE,
            _ => PATIENCE,
        };
        let waited = self
            .changed
            .wait_timeout_while(state, patience, |state| !enough(state));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        if last {
            state.gathering = Gathering::Never;
        }
    }
}

/// Tells a crowd who waits.
#[derive(Debug)]
pub(crate) struct Watch(pub(crate) Arc<Crowd>);

impl Hooks for Watch {
    fn at(&self, moment: Moment) {
        if moment == Moment::Enqueued {
            self.0.enter();
        }
    }

    fn defect(&self) -> Option<Defect> {
        None
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// An engine whose applies wait for a crowd.
#[derive(Debug)]
pub(crate) struct Gathered<K> {
    kv: K,
    crowd: Arc<Crowd>,
}

impl<K: OrderedKv> Gathered<K> {
    pub(crate) fn new(kv: K, crowd: Arc<Crowd>) -> Self {
        Gathered { kv, crowd }
    }
}

impl<K: OrderedKv> OrderedKv for Gathered<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        self.crowd.wait();
        self.kv.apply(batch, durability)
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_and_the_one_before_it_wait_for_so_many_and_no_other_does() {
        let crowd = Crowd::default();
        crowd.gather(Gathering::Once { after: 2, count: 2 });
        crowd.wait();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| crowd.enter());
            }
            crowd.wait();
            assert_eq!(crowd.lock().waiting.len(), 2);
        });
        assert!(matches!(crowd.lock().gathering, Gathering::Once { .. }));
        crowd.wait();
        assert!(matches!(crowd.lock().gathering, Gathering::Never));
        crowd.enter();
        crowd.leave();
        assert_eq!(crowd.lock().waiting.len(), 2, "the others");
    }
}
