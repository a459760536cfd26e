//! `stress history`: invocations that conflict on purpose, and a look for a serial
//! order that explains what they saw.
//!
//! What is run and what must be true of it is `wasm_storage_testkit::history`.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use wasm_storage_connect as connect;
use wasm_storage_engine::Store;
use wasm_storage_testkit::history::broken::{Broken, Defect};
use wasm_storage_testkit::history::workload::hot::{self, Raise};
use wasm_storage_testkit::history::workload::{self, Plan};
use wasm_storage_testkit::history::{Tally, check};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The engine under the store
    #[arg(long)]
    backend: Backend,
    /// Which invocations
    #[arg(long, value_enum, default_value_t = Workload::Mixed)]
    workload: Workload,
    /// Threads that run invocations at the same time [default: 8; of hot: 64]
    #[arg(long, value_parser = RangedU64ValueParser::<u32>::new().range(1..=1024))]
    threads: Option<u32>,
    /// Invocations of all threads together; of hot: on each of its two keys
    #[arg(long, default_value_t = 100_000)]
    invocations: u64,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// fjall: a folder
    Fjall,
    /// redb: a file
    Redb,
    /// In memory
    Memory,
    /// In memory, and the last writer wins: to show that this is found
    #[value(hide = true)]
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// Reads, updates, blind writes, deletions and scans of few keys
    Mixed,
    /// Transfers between ten accounts; audits see a constant sum
    Bank,
    /// Who reads two keys and writes one of them
    Skew,
    /// One counter that all threads raise, with `add` and with `increment`
    Hot,
}

/// Runs it; false: a promise was broken.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("store");
    let open = |url: &str| connect::open(url, &connect::Options::default());
    let (name, store) = match arguments.backend {
        Backend::Fjall => ("fjall", open(&format!("fjall:{}", place.display()))?),
        Backend::Redb => ("redb", open(&format!("redb:{}", place.display()))?),
        Backend::Memory => ("memory", open("memory:")?),
        Backend::Broken => ("broken", Store::new(Broken::new(Defect::LastWriterWins))),
    };
    let good = match arguments.workload {
        Workload::Mixed => history(arguments, workload::Workload::Mixed, name, &store),
        Workload::Bank => history(arguments, workload::Workload::Bank, name, &store),
        Workload::Skew => history(arguments, workload::Workload::Skew, name, &store),
        Workload::Hot => hot(arguments, name, &store),
    }?;
    store.close()?;
    Ok(good)
}

fn history(
    arguments: &Arguments,
    workload: workload::Workload,
    name: &str,
    store: &Store,
) -> Result<bool, Box<dyn Error>> {
    let plan = Plan {
        workload,
        threads: arguments.threads.unwrap_or(8),
        invocations: arguments.invocations,
        seed: arguments.seed,
        rerun: true,
    };
    let began = Instant::now();
    let mut progress = Progress::new(name, plan.invocations);
    let run = workload::run(store, &plan, &mut |done| progress.show(done))?;
    progress.end();
    let ran = began.elapsed();
    let report = check(&run.history);
    let checked = began.elapsed() - ran;
    print!("{report}");
    for told in run.rule_broken.iter().take(20) {
        println!("{told}");
    }
    let Tally {
        committed,
        rolled_back,
        conflicts,
        unknown,
        failed,
        re_runs,
        first_error,
    } = run.tally;
    if let Some(error) = first_error {
        println!("the first error: {error}");
    }
    println!(
        "seed {}; ran {:.1} s, checked {:.1} s: {} transactions, {} dependencies; \
         rolled back {rolled_back}, unknown {unknown}, failed {failed}",
        plan.seed,
        ran.as_secs_f64(),
        checked.as_secs_f64(),
        report.transactions,
        report.edges,
    );
    let rule = run.rule_broken.is_empty();
    if plan.workload == workload::Workload::Bank {
        println!(
            "audits {}, sum constant: {}",
            run.audits.committed,
            if rule { "yes" } else { "no" },
        );
    }
    println!(
        "check-history {name}: threads {}, invocations {}, committed {committed}, \
         conflicts {conflicts}, re-runs {re_runs}, anomalies {}",
        plan.threads,
        plan.invocations,
        report.anomalies(),
    );
    Ok(report.is_clean() && rule && failed == 0 && unknown == 0)
}

fn hot(arguments: &Arguments, name: &str, store: &Store) -> Result<bool, Box<dyn Error>> {
    let threads = arguments.threads.unwrap_or(64);
    let invocations = arguments.invocations;
    let mut good = true;
    for (raise, word) in [(Raise::Add, "add"), (Raise::Increment, "increment")] {
        let began = Instant::now();
        let mut progress = Progress::new(name, invocations);
        let count = hot::run(store, raise, threads, invocations, &mut |done| {
            progress.show(done);
        })?;
        progress.end();
        if let Some(error) = &count.first_error {
            println!("the first error: {error}");
        }
        println!(
            "check-history {name} {word}: threads {threads}, invocations {invocations}, \
             committed {}, failed {}, attempts {}, most for one {}, total {}, \
             wrong answers {}, {:.1} s",
            count.committed,
            count.failed,
            count.attempts,
            count.most_attempts,
            count.total,
            count.wrong_answers,
            began.elapsed().as_secs_f64(),
        );
        good &= count.is_exact() && count.committed == invocations;
    }
    let exact = if good { "yes" } else { "no" };
    println!("check-history {name}: threads {threads}, totals exact: {exact}");
    Ok(good)
}

/// A line that is written over, where somebody watches.
struct Progress<'a> {
    name: &'a str,
    all: u64,
    watched: bool,
    /// When it says something next.
    next: u64,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str, all: u64) -> Self {
        Progress {
            name,
            all,
            watched: io::stderr().is_terminal(),
            next: 0,
        }
    }

    fn show(&mut self, done: u64) {
        if self.watched && done >= self.next {
            let Progress { name, all, .. } = self;
            // Nobody is there to be told of a failure.
            write!(
                io::stderr(),
                "\r\x1b[Kcheck-history {name}: {done} of {all} invocations"
            )
            .ok();
            self.next = done + self.all / 200;
        }
    }

    fn end(&self) {
        if self.watched {
            writeln!(io::stderr()).ok();
        }
    }
}
