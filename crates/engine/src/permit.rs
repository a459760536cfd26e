//! The store's only write permit. A read-write transaction holds it from its
//! first operation to its end, so nothing can conflict; optimistic validation
//! will take its place.
//!
//! A permit is owned and given back by drop: a guest that traps, runs out of time
//! or is thrown away cannot keep it. Those who wait get it in the order they came.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    /// Tickets of those who wait, in order.
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

/// The right to write, given back by drop.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Gate>);

impl Gate {
    /// Waits for the permit; `None` when the deadline has passed.
    pub(crate) fn acquire(self: &Arc<Self>, deadline: Option<Instant>) -> Option<Permit> {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        while state.held || state.waiting.front() != Some(&ticket) {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                None => self
                    .freed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.waiting.retain(|waiting| *waiting != ticket);
                    self.freed.notify_all();
                    return None;
                }
                Some(left) => {
                    self.freed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        state.waiting.pop_front();
        state.held = true;
        Some(Permit(Arc::clone(self)))
    }

    /// Nothing under the lock can panic, so a poisoned lock is still consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.lock().held = false;
        self.0.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn one_at_a_time_and_given_back_by_drop() {
        let gate = Arc::new(Gate::default());
        let held = gate.acquire(None).unwrap();
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(gate.acquire(Some(soon)).is_none());
        drop(held);
        assert!(gate.acquire(Some(Instant::now())).is_some());
    }

    #[test]
    fn those_who_wait_get_it_in_the_order_they_came() {
        let gate = Arc::new(Gate::default());
        let order = Mutex::new(Vec::new());
        let held = gate.acquire(None).unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (gate, order) = (&gate, &order);
                scope.spawn(move || {
                    let permit = gate.acquire(None);
                    order.lock().unwrap().push(number);
                    drop(permit);
                });
                while gate.lock().waiting.len() <= number {
                    std::thread::yield_now();
                }
            }
            drop(held);
        });
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn who_gives_up_waiting_does_not_block_the_next() {
        let gate = Arc::new(Gate::default());
        let held = gate.acquire(None).unwrap();
        assert!(gate.acquire(Some(Instant::now())).is_none());
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| gate.acquire(None).is_some());
            drop(held);
            assert!(waiter.join().unwrap());
        });
    }
}
