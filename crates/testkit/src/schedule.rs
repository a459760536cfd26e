//! Threads that commit, held and let go at any [`Moment`]: every interleaving is
//! made on purpose, none by waiting long enough.
//!
//! A [`Schedule`] is the [`Hooks`] of a coordinator. A test spawns named threads
//! ([`Schedule::spawn`]), holds them where it wants ([`Schedule::stop`]), waits until
//! they are there, and lets them go. Time, as far as the coordinator asks for it,
//! stands still until [`Schedule::advance`].
//!
//! Nothing here sleeps. Whoever waits for something that does not come panics after
//! [`PATIENCE`] and says what it waited for and what came last: a lost wake-up or a
//! deadlock is a failed test, not one that hangs.
//!
//! ```
//! use wasm_storage_engine::{SessionOptions, memory::MemoryKv};
//! use wasm_storage_engine::coordinator::hooks::Moment;
//! use wasm_storage_testkit::schedule::Schedule;
//!
//! let schedule = Schedule::new();
//! let store = schedule.store(MemoryKv::new());
//! let ns = store.default_namespace()?;
//! let durable = schedule.stop(Moment::Applied);
//! let writer = store.clone();
//! let task = schedule.spawn("writer", move || {
//!     let mut session = writer.begin(SessionOptions::read_write());
//!     session.put(ns, b"key", b"value").unwrap();
//!     session.commit()
//! });
//! durable.wait_for(1);
//! let mut reader = store.begin(SessionOptions::read_only());
//! assert_eq!(reader.has(ns, b"key").unwrap(), None, "durable, but not visible");
//! drop(durable);
//! assert!(task.join().into_result()?.is_some());
//! # Ok::<(), wasm_storage_engine::Error>(())
//! ```

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasm_storage_engine::coordinator::hooks::{Defect, Hooks, Moment};
use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{Coordinator, Store};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// So many of the last moments are named by a test that waited in vain.
const MOMENTS_SHOWN: usize = 24;

/// The hooks of one coordinator, and the handle of its test. Clones are the same.
#[derive(Clone)]
pub struct Schedule(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Something has happened.
    changed: Condvar,
    defect: Option<Defect>,
    patience: Duration,
}

struct State {
    /// How often each moment has come.
    counts: HashMap<Moment, usize>,
    /// Which, in which thread: all of them, in order.
    log: Vec<(Moment, String)>,
    stops: Vec<StopState>,
    last_stop: u64,
    /// The next thread that passes one of these panics there.
    panics: Vec<Moment>,
    now: Instant,
}

#[derive(Debug)]
struct StopState {
    id: u64,
    moment: Moment,
    /// Whom it stops, if not everybody.
    thread: Option<String>,
    held: usize,
    permits: usize,
}

/// Threads are held at a moment while this lives.
#[must_use = "threads go on when this is dropped"]
pub struct Stop {
    schedule: Schedule,
    id: u64,
}

/// A thread of a test.
#[must_use = "a thread that nobody joins may fail unseen"]
pub struct Task<T> {
    schedule: Schedule,
    name: String,
    answer: mpsc::Receiver<thread::Result<T>>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

impl Schedule {
    /// Nothing is held.
    pub fn new() -> Self {
        Self::with(None, PATIENCE)
    }

    /// A coordinator that has this defect (feature `planted`). Tests that wait in
    /// vain because of it say so soon.
    pub fn planted(defect: Defect) -> Self {
        Self::with(Some(defect), PATIENCE / 15)
    }

    fn with(defect: Option<Defect>, patience: Duration) -> Self {
        let state = State {
            counts: HashMap::new(),
            log: Vec::new(),
            stops: Vec::new(),
            last_stop: 0,
            panics: Vec::new(),
            now: Instant::now(),
        };
        Schedule(Arc::new(Inner {
            state: Mutex::new(state),
            changed: Condvar::new(),
            defect,
            patience,
        }))
    }

    /// A store over `kv` that is watched by this.
    pub fn store(&self, kv: impl OrderedKv) -> Store {
        Store::new(Coordinator::open_with_hooks(kv, None, self.clone()).unwrap())
    }

    /// Runs `work` in a thread of this name.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let (sender, answer) = mpsc::channel();
        thread::Builder::new()
            .name(name.to_string())
            .spawn(move || {
                // A test that does not join it has failed anyway.
                let _ = sender.send(catch_unwind(AssertUnwindSafe(work)));
            })
            .unwrap();
        Task {
            schedule: self.clone(),
            name: name.to_string(),
            answer,
        }
    }

    /// From now on every thread waits when it comes to `moment`.
    pub fn stop(&self, moment: Moment) -> Stop {
        self.new_stop(moment, None)
    }

    /// From now on the thread of this name waits when it comes to `moment`.
    pub fn stop_thread(&self, thread: &str, moment: Moment) -> Stop {
        self.new_stop(moment, Some(thread.to_string()))
    }

    fn new_stop(&self, moment: Moment, thread: Option<String>) -> Stop {
        let mut state = self.lock();
        state.last_stop += 1;
        let id = state.last_stop;
        state.stops.push(StopState {
            id,
            moment,
            thread,
            held: 0,
            permits: 0,
        });
        Stop {
            schedule: self.clone(),
            id,
        }
    }

    /// The next thread that is at `moment`, and not held there, panics.
    pub fn panic_at(&self, moment: Moment) {
        self.lock().panics.push(moment);
    }

    /// How often a moment has come.
    pub fn count(&self, moment: Moment) -> usize {
        self.lock().counts.get(&moment).copied().unwrap_or_default()
    }

    /// Returns when a moment has come so often, since the store was opened.
    pub fn wait_until(&self, moment: Moment, count: usize) {
        let what = format!("{moment:?} for the {count}th time");
        self.wait(&what, |state| {
            state.counts.get(&moment).copied().unwrap_or_default() >= count
        });
    }

    /// The moments that have come so far, in order.
    pub fn moments(&self) -> Vec<Moment> {
        self.lock().log.iter().map(|(moment, _)| *moment).collect()
    }

    /// Lets time pass, as the coordinator sees it.
    pub fn advance(&self, time: Duration) {
        self.lock().now += time;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something holds; panics if it does not come to that.
    fn wait(&self, what: &str, mut holds: impl FnMut(&mut State) -> bool) {
        let (mut state, timeout) = self
            .0
            .changed
            .wait_timeout_while(self.lock(), self.0.patience, |state| !holds(state))
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && !holds(&mut state) {
            let report = state.report();
            drop(state);
            panic!("waited in vain for {what}; {report}");
        }
    }
}

impl State {
    /// Who is held, and what came last.
    fn report(&self) -> String {
        let held = self.stops.iter().filter(|stop| stop.held > 0);
        let held: Vec<String> = held
            .map(|stop| format!("{} at {:?}", stop.held, stop.moment))
            .collect();
        let shown = self.log.len().saturating_sub(MOMENTS_SHOWN);
        let last = self.log[shown..].iter();
        let last: Vec<String> = last
            .map(|(moment, thread)| format!("{thread}: {moment:?}"))
            .collect();
        format!("held: {held:?}; moments so far: {last:?}")
    }
}

impl Hooks for Schedule {
    fn at(&self, moment: Moment) {
        let name = match thread::current().name() {
            Some(name) if !name.contains("::") => name.to_string(),
            // The test's own, named after the test.
            _ => "test".to_string(),
        };
        let mut state = self.lock();
        *state.counts.entry(moment).or_default() += 1;
        state.log.push((moment, name.clone()));
        let id = state.stops.iter_mut().find_map(|stop| {
            let here = stop.moment == moment;
            let stops = here && stop.thread.as_ref().is_none_or(|thread| *thread == name);
            stops.then(|| {
                stop.held += 1;
                stop.id
            })
        });
        drop(state);
        self.0.changed.notify_all();
        if let Some(id) = id {
            let what = format!("being let go at {moment:?}");
            self.wait(&what, |state| {
                match state.stops.iter_mut().find(|stop| stop.id == id) {
                    None => true,
                    Some(stop) if stop.permits > 0 => {
                        stop.permits -= 1;
                        stop.held -= 1;
                        true
                    }
                    Some(_) => false,
                }
            });
        }
        let mut state = self.lock();
        let armed = state.panics.iter().position(|at| *at == moment);
        if let Some(armed) = armed {
            state.panics.swap_remove(armed);
            drop(state);
            panic!("injected: panic at {moment:?}");
        }
    }

    fn now(&self) -> Instant {
        self.lock().now
    }

    fn defect(&self) -> Option<Defect> {
        self.0.defect
    }
}

impl Stop {
    /// Returns when `count` threads are held here.
    pub fn wait_for(&self, count: usize) {
        let id = self.id;
        self.schedule
            .wait(&format!("{count} threads at {self:?}"), |state| {
                let mut stops = state.stops.iter();
                stops.any(|stop| stop.id == id && stop.held >= count)
            });
    }

    /// Lets one thread pass, the next one that comes if none is here.
    pub fn pass_one(&self) {
        let mut state = self.schedule.lock();
        let stop = state.stops.iter_mut().find(|stop| stop.id == self.id);
        stop.unwrap().permits += 1;
        drop(state);
        self.schedule.0.changed.notify_all();
    }

    /// Lets everybody pass, as dropping it does.
    pub fn open(self) {}
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.schedule.lock();
        let stop = state.stops.iter().find(|stop| stop.id == self.id);
        write!(f, "{stop:?}")
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        let id = self.id;
        self.schedule.lock().stops.retain(|stop| stop.id != id);
        self.schedule.0.changed.notify_all();
    }
}

impl<T> Task<T> {
    /// What the thread answered; panics if it did.
    pub fn join(self) -> T {
        self.end().unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// What the thread answered, or its panic.
    pub fn end(self) -> thread::Result<T> {
        match self.answer.recv_timeout(self.schedule.0.patience) {
            Ok(end) => end,
            Err(error) => {
                assert_eq!(
                    error,
                    RecvTimeoutError::Timeout,
                    "it sends, whatever it does"
                );
                let report = self.schedule.lock().report();
                panic!("waited in vain for the end of {}; {report}", self.name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(panic: Box<dyn std::any::Any + Send>) -> String {
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => panic.downcast::<&str>().unwrap().to_string(),
        }
    }

    #[test]
    fn threads_wait_at_a_stop_and_pass_one_by_one() {
        let schedule = Schedule::new();
        let stop = schedule.stop(Moment::Applied);
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let hooks = schedule.clone();
                schedule.spawn("worker", move || {
                    hooks.at(Moment::Begin);
                    hooks.at(Moment::Applied);
                    hooks.at(Moment::Published);
                    n
                })
            })
            .collect();
        stop.wait_for(3);
        assert_eq!(schedule.count(Moment::Published), 0);
        stop.pass_one();
        schedule.wait_until(Moment::Published, 1);
        stop.wait_for(2);
        assert_eq!(schedule.count(Moment::Published), 1);
        stop.open();
        let answers: Vec<i32> = tasks.into_iter().map(Task::join).collect();
        assert_eq!(answers, [0, 1, 2]);
        assert_eq!(schedule.moments().len(), 9);
    }

    #[test]
    fn a_stop_for_one_thread_lets_others_pass() {
        let schedule = Schedule::new();
        let stop = schedule.stop_thread("held", Moment::Begin);
        let [held, free] = ["held", "free"].map(|name| {
            let hooks = schedule.clone();
            schedule.spawn(name, move || hooks.at(Moment::Begin))
        });
        free.join();
        stop.wait_for(1);
        drop(stop);
        held.join();
    }

    #[test]
    fn a_panic_is_injected_once() {
        let schedule = Schedule::new();
        schedule.panic_at(Moment::Decided);
        let hooks = schedule.clone();
        let panic = schedule
            .spawn("it", move || hooks.at(Moment::Decided))
            .end()
            .unwrap_err();
        assert!(text(panic).contains("Decided"));
        schedule.at(Moment::Decided);
    }

    #[test]
    fn who_waits_in_vain_says_for_what() {
        let schedule = Schedule::with(None, Duration::from_millis(1));
        schedule.at(Moment::Begin);
        let stop = schedule.stop(Moment::Applied);
        let waits: [&dyn Fn(); 2] = [&|| stop.wait_for(1), &|| {
            schedule.wait_until(Moment::Published, 2)
        }];
        for (wait, name) in waits.iter().zip(["Applied", "Published"]) {
            let panic = catch_unwind(AssertUnwindSafe(wait)).unwrap_err();
            let text = text(panic);
            assert!(text.contains(name) && text.contains("Begin"), "{text}");
        }
    }

    #[test]
    fn time_stands_still_until_it_is_moved() {
        let schedule = Schedule::new();
        let before = schedule.now();
        assert_eq!(schedule.now(), before);
        schedule.advance(Duration::from_secs(1));
        assert_eq!(schedule.now() - before, Duration::from_secs(1));
    }
}
