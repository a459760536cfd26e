//! Invocations that conflict on purpose, from many threads, recorded.
//!
//! | workload | idea |
//! |---|---|
//! | [`Workload::Mixed`] | reads, read-modify-writes, blind writes, deletions and scans of few keys |
//! | [`Workload::Bank`] | transfers between ten accounts; audits see a constant sum |
//! | [`Workload::Skew`] | who reads two keys and writes one of them |
//! | [`hot`] | one counter, many threads |
//!
//! What a thread does is decided by the seed, when it does it is not: a run cannot
//! be repeated exactly.

mod bank;
pub mod hot;
mod mixed;
mod skew;

use std::sync::mpsc;
use std::thread;

use wasm_storage_engine::{Error, NamespaceId, Store};

use super::recorder::{Log, Recorder, Tally};
use super::{History, Record};
use crate::model::Random;

/// Which invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Everything, on few keys.
    Mixed,
    /// Transfers and audits.
    Bank,
    /// Pairs of keys whose sum must not be negative.
    Skew,
}

/// What is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Which invocations.
    pub workload: Workload,
    /// Threads, one at least.
    pub threads: u32,
    /// Invocations of all threads together; audits of the bank are not counted.
    pub invocations: u64,
    /// Where the random choices begin.
    pub seed: u64,
    /// Whether an attempt that lost is run again.
    pub rerun: bool,
}

/// What was run.
#[derive(Debug, Default)]
pub struct Run {
    /// Everything, setup and the last reading included.
    pub history: History,
    /// How the invocations ended, without setup, audits and the last reading.
    pub tally: Tally,
    /// How the audits ended.
    pub audits: Tally,
    /// Readers that saw the workload's rule broken: a wrong sum.
    pub rule_broken: Vec<String>,
}

/// One thread of a run.
struct Worker<'a> {
    store: &'a Store,
    log: Log<'a>,
    audits: Log<'a>,
    random: Random,
    rule_broken: Vec<String>,
}

impl<'a> Worker<'a> {
    fn new(
        store: &'a Store,
        ns: NamespaceId,
        recorder: &'a Recorder,
        thread: u32,
        plan: &Plan,
    ) -> Self {
        let log = || {
            let mut log = recorder.log(thread, ns);
            log.options.rerun = plan.rerun;
            log
        };
        Worker {
            store,
            log: log(),
            audits: log(),
            random: Random::new(plan.seed.wrapping_mul(1_000_003) ^ u64::from(thread)),
            rule_broken: Vec::new(),
        }
    }

    fn step(&mut self, workload: Workload) {
        match workload {
            Workload::Mixed => mixed::step(self),
            Workload::Bank => bank::step(self),
            Workload::Skew => skew::step(self),
        }
    }

    /// Reads everything at the end.
    fn last(&mut self, workload: Workload) {
        match workload {
            Workload::Mixed => mixed::last(self),
            Workload::Bank => bank::audit(self),
            Workload::Skew => skew::last(self),
        }
    }

    fn into_parts(self) -> (Vec<Record>, Tally, Tally, Vec<String>) {
        let mut records = self.log.records;
        records.extend(self.audits.records);
        (records, self.log.tally, self.audits.tally, self.rule_broken)
    }
}

/// Runs a plan on a store in which none of its keys is. `progress` is told from time
/// to time how many invocations are over.
///
/// Errors: what the store says when asked for its default namespace. Everything later
/// is counted.
pub fn run(store: &Store, plan: &Plan, progress: &mut dyn FnMut(u64)) -> Result<Run, Error> {
    /// Invocations of a thread between two words of progress.
    const ROUND: u64 = 64;

    let ns = store.default_namespace()?;
    let recorder = Recorder::default();
    let mut first = Worker::new(store, ns, &recorder, plan.threads, plan);
    if plan.workload == Workload::Bank {
        bank::open(&mut first);
    }
    let threads = u64::from(plan.threads);
    let (tell, told) = mpsc::channel();
    let parts = thread::scope(|scope| {
        let mut running = Vec::new();
        for thread in 0..plan.threads {
            let mut worker = Worker::new(store, ns, &recorder, thread, plan);
            let share = plan.invocations / threads
                + u64::from(u64::from(thread) < plan.invocations % threads);
            let tell = tell.clone();
            running.push(scope.spawn(move || {
                for done in 1..=share {
                    worker.step(plan.workload);
                    if done.is_multiple_of(ROUND) {
                        // Whoever listened may be gone.
                        tell.send(ROUND).ok();
                    }
                }
                worker.into_parts()
            }));
        }
        drop(tell);
        let mut done = 0;
        for more in told {
            done += more;
            progress(done);
        }
        let parts: Vec<_> = running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        parts
    });
    first.last(plan.workload);
    let mut run = Run::default();
    run.history.snapshot_reads = store.capabilities().snapshot_reads;
    let (records, _, _, rule_broken) = first.into_parts();
    run.history.records = records;
    run.rule_broken = rule_broken;
    for (records, tally, audits, rule_broken) in parts {
        run.history.records.extend(records);
        run.tally.add(tally);
        run.audits.add(audits);
        run.rule_broken.extend(rule_broken);
    }
    Ok(run)
}
