//! Instances from a pool: slots for a fixed number of instances, made once and
//! used again, and the gate before them.
//!
//! A slot is address space, not memory: what a guest writes to is taken when it
//! does, and given back or cleaned when its instance goes. So an instance takes a
//! quarter of the time that one of its own mappings takes, and no call sees what
//! another has left (Wasmtime promises it, `tests/pool.rs` looks).
//!
//! Invariant: the gate lets in no more instances than the pool has, and the pool has
//! for each instance all that it accepts of a module. So Wasmtime never finds a pool
//! empty; a call waits at the gate, until its deadline.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use wasm_storage_engine::{Error, Kind};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::limits::TABLE_ELEMENTS;
use crate::module::causes;

/// Memories that a module may have, and tables. Each memory is 4 GiB of address
/// space: all that 32 bits can reach, so that a limit below it stays the limiter's
/// and compiled code needs no bounds checks.
const MEMORIES: u32 = 4;
const TABLES: u32 = 4;
/// What a guest has written to is cleaned in place up to this many bytes, and
/// handed back to the system beyond.
const KEPT_BYTES: usize = 1 << 20;

/// Makes `config` allocate from a pool for `instances`.
pub(crate) fn use_pool(config: &mut Config, instances: NonZeroU32) {
    let instances = instances.get();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(instances)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .total_tables(instances.saturating_mul(TABLES))
        // A heap of garbage-collected objects is in a memory of its own.
        .total_memories(instances.saturating_mul(MEMORIES + 1))
        .total_gc_heaps(instances)
        .linear_memory_keep_resident(KEPT_BYTES)
        .table_keep_resident(KEPT_BYTES)
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
}

/// Why there is no pool: in practice, too little address space for it.
pub(crate) fn refused(instances: NonZeroU32, error: &wasmtime::Error) -> Error {
    let message = format!("a pool for {instances} instances cannot be made");
    Error::with_source(Kind::InvalidArgument, message, causes(error))
}

/// Lets in a number of instances at a time; the others wait, in the order they came.
#[derive(Debug)]
pub(crate) struct Gate {
    instances: NonZeroU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Passes that nobody has. None as long as anybody waits.
    free: u32,
    waiting: VecDeque<Arc<Waiter>>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    /// Set by whoever hands their pass over.
    has_pass: AtomicBool,
}

/// The right to have an instance; dropping it hands it over to the next who waits.
#[derive(Debug)]
pub(crate) struct Pass<'a>(&'a Gate);

impl Gate {
    pub(crate) fn new(instances: NonZeroU32) -> Self {
        Gate {
            instances,
            state: Mutex::new(State {
                free: instances.get(),
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Waits for a pass.
    ///
    /// Errors: `Unavailable` if there was none until the deadline.
    pub(crate) fn enter(&self, deadline: Option<Instant>) -> Result<Pass<'_>, Error> {
        let mut state = self.lock();
        if let Some(left) = state.free.checked_sub(1) {
            state.free = left;
            return Ok(Pass(self));
        }
        let me = Arc::new(Waiter {
            thread: thread::current(),
            has_pass: AtomicBool::new(false),
        });
        state.waiting.push_back(Arc::clone(&me));
        drop(state);
        while !me.has_pass.load(Ordering::Acquire) {
            match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(left) if left.is_zero() => {
                    let mut state = self.lock();
                    let place = state.waiting.iter().position(|it| Arc::ptr_eq(it, &me));
                    // Whoever is not in the row any more has got a pass just now.
                    let Some(place) = place else { break };
                    state.waiting.remove(place);
                    return Err(self.full());
                }
                Some(left) => thread::park_timeout(left),
            }
        }
        Ok(Pass(self))
    }

    fn full(&self) -> Error {
        let message = format!(
            "other calls kept all {} instances of this host busy until the deadline of this one",
            self.instances
        );
        Error::new(Kind::Unavailable, message)
    }

    /// Nothing under the lock can panic, so a poisoned lock is still consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        match state.waiting.pop_front() {
            Some(next) => {
                next.has_pass.store(true, Ordering::Release);
                next.thread.unpark();
            }
            None => state.free += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn gate(instances: u32) -> Gate {
        Gate::new(NonZeroU32::new(instances).unwrap())
    }

    #[test]
    fn as_many_as_the_pool_has_come_in_and_one_more_waits_until_its_deadline() {
        let gate = gate(2);
        let passes = [gate.enter(None).unwrap(), gate.enter(None).unwrap()];
        for left in [Duration::ZERO, Duration::from_millis(5)] {
            let error = gate.enter(Some(Instant::now() + left)).unwrap_err();
            assert_eq!(error.kind(), Kind::Unavailable);
            assert!(error.to_string().contains("all 2 instances"), "{error}");
        }
        drop(passes);
        // Whoever finds a pass free is not too late for it.
        let again = [(); 2].map(|()| gate.enter(Some(Instant::now())).unwrap());
        assert!(gate.enter(Some(Instant::now())).is_err());
        drop(again);
    }

    #[test]
    fn those_who_wait_come_in_in_the_order_they_came() {
        let gate = gate(1);
        let order = Mutex::new(Vec::new());
        let far = Instant::now() + Duration::from_secs(60);
        let pass = gate.enter(None).unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (gate, order) = (&gate, &order);
                scope.spawn(move || {
                    let pass = gate.enter((number % 2 == 0).then_some(far)).unwrap();
                    order.lock().unwrap().push(number);
                    drop(pass);
                });
                while gate.lock().waiting.len() <= number {
                    std::thread::yield_now();
                }
            }
            drop(pass);
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(gate.lock().free, 1);
    }

    #[test]
    fn many_who_come_and_give_up_leave_as_many_passes_as_there_were() {
        let gate = gate(2);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for microseconds in 0..500 {
                        let soon = Instant::now() + Duration::from_micros(microseconds % 50);
                        drop(gate.enter(Some(soon)));
                    }
                });
            }
        });
        assert_eq!(gate.lock().free, 2);
        assert!(gate.lock().waiting.is_empty());
    }

    #[test]
    fn a_pass_is_given_back_by_a_call_that_panics() {
        let gate = gate(1);
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _pass = gate.enter(None).unwrap();
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
        });
        assert!(gate.enter(Some(Instant::now())).is_ok());
    }
}
