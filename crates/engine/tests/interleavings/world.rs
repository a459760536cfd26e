//! A store that is watched, and groups of one's own choice.

use std::ops::{Bound, ControlFlow};

use wasm_storage_engine::coordinator::hooks::{Defect, Moment};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Attempt, CommitId, Coordinator, Done, KeyRange, Kind, Mode, NamespaceId, OpError, Order,
    Outcome, PageHint, RunError, RunOptions, Session, SessionOptions, Store,
};
use wasm_storage_testkit::fault::{Faults, FaultyKv};
use wasm_storage_testkit::schedule::{Schedule, Stop, Task};

/// A store over memory whose moments and faults a test commands.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) schedule: Schedule,
    pub(crate) faults: Faults,
    pub(crate) kv: MemoryKv,
    pub(crate) store: Store,
    pub(crate) ns: NamespaceId,
    pub(crate) other: NamespaceId,
    /// Where nothing is but what a [`Door`] has written.
    door: NamespaceId,
}

/// A thread that leads and is held: whoever commits now waits, and is in the next
/// group.
pub(crate) struct Door {
    stop: Stop,
    task: Task<Outcome>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Schedule::new())
    }

    pub(crate) fn planted(defect: Defect) -> Self {
        Self::with(Schedule::planted(defect))
    }

    fn with(schedule: Schedule) -> Self {
        let kv = MemoryKv::new();
        let (faulty, faults) = FaultyKv::new(kv.clone());
        let store = schedule.store(faulty);
        World {
            ns: store.default_namespace().unwrap(),
            other: store.namespace("other", true).unwrap(),
            door: store.namespace("door", true).unwrap(),
            schedule,
            faults,
            kv,
            store,
        }
    }

    /// The same store, opened anew.
    pub(crate) fn reopened(&self) -> Store {
        Store::new(Coordinator::open(self.kv.clone(), None).unwrap())
    }

    pub(crate) fn write(&self) -> Session {
        self.store.begin(SessionOptions::read_write())
    }

    pub(crate) fn read(&self) -> Session {
        self.store.begin(SessionOptions::read_only())
    }

    /// A session that has reserved these namespaces.
    pub(crate) fn reserving(&self, namespaces: &[NamespaceId]) -> Session {
        // A few bytes, once for each test.
        let namespaces: &'static [NamespaceId] = namespaces.to_vec().leak();
        self.store.begin(SessionOptions {
            mode: Mode::Reserved(namespaces),
            deadline: None,
        })
    }

    /// A session with one blind write in it.
    pub(crate) fn putting(&self, key: &[u8], value: &[u8]) -> Session {
        let mut session = self.write();
        session.put(self.ns, key, value).unwrap();
        session
    }

    /// A session that has read the counter `key` and will write it plus one.
    pub(crate) fn adding(&self, key: &[u8]) -> Session {
        let mut session = self.write();
        session.add(self.ns, key, 1).unwrap();
        session
    }

    /// Commits one blind write.
    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> CommitId {
        committed(self.putting(key, value).commit())
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        get(&mut self.read(), self.ns, key)
    }

    /// Commits one blind write to the other namespace.
    pub(crate) fn put_other(&self, key: &[u8]) -> CommitId {
        let mut session = self.write();
        session.put(self.other, key, b"v").unwrap();
        committed(session.commit())
    }

    pub(crate) fn counter(&self, key: &[u8]) -> i64 {
        self.write().add(self.ns, key, 0).unwrap()
    }

    /// How many members have entered the queue so far.
    pub(crate) fn entered(&self) -> usize {
        self.schedule.count(Moment::Enqueued)
    }

    /// Runs `work` in a thread of this name, until it has a member in the queue.
    pub(crate) fn enter<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let entered = self.entered();
        let task = self.schedule.spawn(name, work);
        self.schedule.wait_until(Moment::Enqueued, entered + 1);
        task
    }

    /// Commits a session in a thread of this name; returns when it is in the queue.
    pub(crate) fn commit(&self, name: &str, session: Session) -> Task<Outcome> {
        self.enter(name, || session.commit())
    }

    /// [`Store::run`] in a thread of this name; returns when its first attempt is in
    /// the queue.
    pub(crate) fn run<R: Send + 'static>(
        &self,
        name: &str,
        attempt: impl FnMut(Session) -> Attempt<R> + Send + 'static,
    ) -> Task<Result<Done<R>, RunError>> {
        let store = self.store.clone();
        self.enter(name, move || store.run(RunOptions::default(), attempt))
    }

    /// A read-modify-write of `key`, as [`World::run`].
    pub(crate) fn run_add(&self, name: &str, key: &[u8]) -> Task<Result<Done<i64>, RunError>> {
        let (ns, key) = (self.ns, key.to_vec());
        self.run(name, move |mut session| match session.add(ns, &key, 1) {
            Ok(sum) => Attempt::Commit(session, sum),
            Err(_) => Attempt::Rollback(session, 0),
        })
    }

    /// Somebody leads, and is held before its group is decided.
    pub(crate) fn door(&self) -> Door {
        let stop = self.schedule.stop_thread("door", Moment::Collected);
        let mut session = self.write();
        session.put(self.door, b"door", b"").unwrap();
        let task = self.commit("door", session);
        stop.wait_for(1);
        Door { stop, task }
    }
}

impl Door {
    /// Lets its leader go: the next group is made of those that have entered since.
    pub(crate) fn open(self) {
        self.stop.open();
        committed(self.task.join());
    }
}

pub(crate) fn get(session: &mut Session, ns: NamespaceId, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    let found = session.get(ns, key, |bytes| value = Some(bytes.to_vec()));
    assert_eq!(found.unwrap(), value.is_some());
    value
}

/// The first `most` keys of a range.
pub(crate) fn scan(
    session: &mut Session,
    ns: NamespaceId,
    (lo, hi): (Bound<&[u8]>, Bound<&[u8]>),
    order: Order,
    most: usize,
) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let range = KeyRange { lo, hi };
    session
        .scan(ns, &range, order, PageHint::default(), &mut |key, _| {
            keys.push(key.to_vec());
            if keys.len() == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    keys
}

/// All keys of a namespace.
pub(crate) fn keys(session: &mut Session, ns: NamespaceId) -> Vec<Vec<u8>> {
    let all = (Bound::Unbounded, Bound::Unbounded);
    scan(session, ns, all, Order::Forward, usize::MAX)
}

pub(crate) fn committed(outcome: Outcome) -> CommitId {
    match outcome {
        Outcome::Committed(Some(id)) => id,
        other => panic!("should have committed: {other:?}"),
    }
}

/// The text of a conflict with another commit.
pub(crate) fn beaten(outcome: Outcome) -> String {
    match outcome {
        Outcome::Conflict(why) => {
            let error = why.into_error();
            assert_eq!(error.kind(), Kind::Conflict);
            error.to_string()
        }
        other => panic!("should have lost: {other:?}"),
    }
}

/// The error of a commit that did not happen and need not be tried again.
pub(crate) fn rejected(outcome: Outcome) -> (Kind, String) {
    match outcome {
        Outcome::Rejected(error) => (error.kind(), error.to_string()),
        other => panic!("should have been rejected: {other:?}"),
    }
}

/// The error of an operation.
pub(crate) fn failed<T: std::fmt::Debug>(result: Result<T, OpError>) -> Kind {
    match result {
        Err(OpError::Failed(error)) => error.kind(),
        other => panic!("should have failed: {other:?}"),
    }
}
