//! Runs invocations on a store and writes down what they saw and did.
//!
//! A [`Recorder`] is shared by the threads of a run and gives out numbers and
//! time; each thread has a [`Log`]; the code of an invocation works with a
//! [`Recorded`] session. Each attempt's record is made from nothing, so that an
//! invocation may be run any number of times.
//!
//! Time is one counter that all threads raise: an event that returned before
//! another one began has the smaller number.

use std::sync::atomic::{AtomicU64, Ordering};

use wasm_storage_engine::{
    Attempt, Kind, NamespaceId, OpError, RunOptions, Session, SessionOptions, Store,
};

use super::record::{Outcome, Record};
use super::session::Recorded;

/// Numbers and time, for all threads of a run.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: AtomicU64,
    attempts: AtomicU64,
    invocations: AtomicU64,
}

/// What one thread has run.
#[derive(Debug)]
pub struct Log<'r> {
    recorder: &'r Recorder,
    thread: u32,
    ns: NamespaceId,
    /// How invocations are run.
    pub options: RunOptions,
    /// A record for each attempt.
    pub records: Vec<Record>,
    /// How the invocations ended.
    pub tally: Tally,
}

/// Invocations, counted by their ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Acknowledged.
    pub committed: u64,
    /// Ended by their own wish.
    pub rolled_back: u64,
    /// Whose caller was told that others were faster.
    pub conflicts: u64,
    /// Which may have happened.
    pub unknown: u64,
    /// Which ended with another error.
    pub failed: u64,
    /// Attempts beyond the first of their invocation.
    pub re_runs: u64,
    /// What the first error said.
    pub first_error: Option<String>,
}

impl Tally {
    /// All invocations.
    pub fn invocations(&self) -> u64 {
        self.committed + self.rolled_back + self.conflicts + self.unknown + self.failed
    }

    /// Adds what another thread has counted.
    pub fn add(&mut self, other: Tally) {
        self.committed += other.committed;
        self.rolled_back += other.rolled_back;
        self.conflicts += other.conflicts;
        self.unknown += other.unknown;
        self.failed += other.failed;
        self.re_runs += other.re_runs;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

/// How the code of an invocation wants it to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Keep the writes.
    Commit,
    /// Leave nothing.
    Rollback,
}

impl Recorder {
    /// A log of its own for a thread. `ns` is the namespace of all its keys.
    pub fn log(&self, thread: u32, ns: NamespaceId) -> Log<'_> {
        Log {
            recorder: self,
            thread,
            ns,
            options: RunOptions::default(),
            records: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// The session of one attempt, which begins now.
    fn start(&self, session: Session, ns: NamespaceId) -> Recorded {
        let serial = self.attempts.fetch_add(1, Ordering::Relaxed);
        Recorded::new(session, ns, serial, self.tick())
    }

    /// Now. No two events have the same time.
    pub fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

impl Log<'_> {
    /// Invocations that all threads have begun so far.
    pub fn invocations(&self) -> u64 {
        self.recorder.invocations.load(Ordering::Relaxed)
    }

    /// Runs one invocation with [`Store::run`] and records all its attempts.
    ///
    /// `code` may be run several times. It must give back the errors it meets.
    pub fn invoke(
        &mut self,
        store: &Store,
        mut code: impl FnMut(&mut Recorded) -> Result<End, OpError>,
    ) -> Outcome {
        let (recorder, thread, ns) = (self.recorder, self.thread, self.ns);
        let invocation = recorder.invocations.fetch_add(1, Ordering::Relaxed);
        let mut attempts: Vec<Record> = Vec::new();
        let mut wish = End::Commit;
        let mut error = None;
        let done = store.run(self.options, |session| {
            let mut recorded = recorder.start(session, ns);
            let end = code(&mut recorded);
            let (session, mut record) = recorded.into_parts();
            record.invocation = invocation;
            record.thread = thread;
            record.end = recorder.tick();
            attempts.push(record);
            wish = *end.as_ref().unwrap_or(&End::Commit);
            error = None;
            match end {
                // A doomed session says at commit why it is.
                Ok(End::Commit) | Err(OpError::Doomed) => Attempt::Commit(session, ()),
                Ok(End::Rollback) => Attempt::Rollback(session, ()),
                Err(other) => {
                    error = Some(format!("{other:?}"));
                    Attempt::Rollback(session, ())
                }
            }
        });
        let outcome = match (&done, error) {
            (Ok(_), Some(error)) => self.failed(error),
            (Ok(_), None) if wish == End::Commit => Outcome::Committed,
            (Ok(_), None) => Outcome::RolledBack,
            (Err(error), _) => match error.kind() {
                Kind::Conflict => Outcome::Conflict,
                Kind::UnknownOutcome => Outcome::Unknown,
                _ => self.failed(error.to_string()),
            },
        };
        self.keep(attempts, outcome);
        outcome
    }

    /// Runs one invocation in a session that can only read.
    pub fn read(
        &mut self,
        store: &Store,
        code: impl FnOnce(&mut Recorded) -> Result<(), OpError>,
    ) -> Outcome {
        let invocation = self.recorder.invocations.fetch_add(1, Ordering::Relaxed);
        let session = store.begin(SessionOptions::read_only());
        let mut recorded = self.recorder.start(session, self.ns);
        let outcome = match code(&mut recorded) {
            Ok(()) => Outcome::Committed,
            Err(OpError::Doomed) => Outcome::Conflict,
            Err(other) => self.failed(format!("{other:?}")),
        };
        let (session, mut record) = recorded.into_parts();
        session.rollback();
        record.invocation = invocation;
        record.thread = self.thread;
        self.keep(vec![record], outcome);
        outcome
    }

    fn failed(&mut self, error: String) -> Outcome {
        self.tally.first_error.get_or_insert(error);
        Outcome::Failed
    }

    /// The attempts of an invocation, the last of which ended so just now.
    fn keep(&mut self, mut attempts: Vec<Record>, outcome: Outcome) {
        let mut number = 0;
        for record in &mut attempts {
            number += 1;
            record.attempt = number;
        }
        if let Some(last) = attempts.last_mut() {
            last.outcome = outcome;
            last.end = self.recorder.tick();
        }
        self.records.append(&mut attempts);
        let tally = &mut self.tally;
        tally.re_runs += u64::from(number.saturating_sub(1));
        *match outcome {
            Outcome::Committed => &mut tally.committed,
            Outcome::RolledBack => &mut tally.rolled_back,
            Outcome::Lost | Outcome::Conflict => &mut tally.conflicts,
            Outcome::Unknown => &mut tally.unknown,
            Outcome::Failed => &mut tally.failed,
        } += 1;
    }
}
