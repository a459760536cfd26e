//! `stress crash`: kills a process while it opens, makes and writes a store, or lets
//! one of its writes fail, again and again; looks for what it had acknowledged, and asks
//! the store about the commits whose outcome it did not learn.
//!
//! Invariant: what a child said before it died is all that is assumed of it; what must
//! be in the store follows from that alone ([`ledger`]).
//!
//! | file | idea |
//! |---|---|
//! | [`plan`] | how each child is killed |
//! | [`victim`] | one child: started, listened to, killed |
//! | [`child`] | what the child does |
//! | [`writer`] | what each of its threads does |
//! | [`said`] | what it says of it |
//! | [`work`] | what a writer stores for itself, and what must be there |
//! | [`shared`] | the same of what all writers share |
//! | [`ledger`] | what is known, and the verdict |
//! | [`outcomes`] | what the store says of commits after reopening |
//! | [`points`] | where a child ends itself |
//! | [`trouble`] | writes that fail |
//! | [`disk`] | a disk that is full |
//! | [`crowd`] | how many wait when they do |
//! | [`plant`] | bugs planted to show that they are found |
//! | [`engine`] | the engines, opened with the hooks of the last five |

pub(crate) mod child;
pub(crate) mod crowd;
mod disk;
pub(crate) mod engine;
mod ledger;
mod outcomes;
mod plan;
mod plant;
mod points;
mod said;
mod shared;
mod trouble;
mod victim;
pub(crate) mod work;
mod writer;

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use wasm_storage_connect as connect;
use wasm_storage_engine::{Attempt, Kind, RunOptions, Store};

use engine::{Around, Engine, Word};
use ledger::{Findings, Ledger};
use outcomes::Outcomes;
use plan::{Deck, Kill, Plan};
use plant::Plant;
use said::Said;
use shared::Namespaces;
use victim::Heard;
use work::{Found, Work, failed};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// Processes killed, or ended by a write that fails
    #[arg(long, default_value_t = 500)]
    kills: u64,
}

/// What parent and children agree on.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Setting {
    /// The engine under the store: fjall, redb, or the scheme of another store's URL
    #[arg(long)]
    backend: Engine,
    /// What an acknowledged commit must survive
    #[arg(long, value_enum, default_value_t = Word::Synced)]
    durability: Word,
    /// Threads that write at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    writers: usize,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Has a bug on purpose
    #[arg(long, hide = true)]
    plant: Option<Plant>,
}

impl Setting {
    fn add_to(&self, command: &mut Command) {
        command.args(["--backend", &self.backend.to_string()]);
        command.args(["--durability", &name_of(&self.durability)]);
        command.args(["--writers", &self.writers.to_string()]);
        command.args(["--seed", &self.seed.to_string()]);
        if let Some(plant) = self.plant {
            command.args(["--plant", &name_of(&plant)]);
        }
    }
}

/// The word that stands for a value on the command line.
fn name_of(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Runs it; false: a promise was broken.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut run = Run {
        setting: &arguments.setting,
        findings: Findings::default(),
        told: 0,
        kills: 0,
        opening: Duration::from_millis(10),
        making: Duration::from_millis(30),
        groups: 0,
        invocations: 0,
        reruns: 0,
        checked: 0,
    };
    let ended = run.all(dir.path(), arguments.kills);
    let good = ended.is_ok() && !run.findings.are_bad();
    if let Err(error) = ended {
        eprintln!("after kill {}: {error}", run.kills);
    }
    if !good {
        let kept = dir.keep();
        eprintln!("the stores are left in {}", kept.display());
    }
    println!(
        "seed {}, durability {}, {} writers: {} invocations in {} groups, {} attempts lost; \
         {} commits survived unacknowledged",
        arguments.setting.seed,
        arguments.setting.durability,
        arguments.setting.writers,
        run.invocations,
        run.groups,
        run.reruns,
        run.findings.unacknowledged,
    );
    println!(
        "of the unknown, {} had happened; {} questions about outcomes; {} marked stores checked",
        run.findings.unknown_happened, run.findings.asked, run.checked,
    );
    println!("{}", run.verdict());
    Ok(good)
}

struct Run<'a> {
    setting: &'a Setting,
    findings: Findings,
    /// Findings shown.
    told: usize,
    kills: u64,
    /// How long it took lately to open a store, and to make one.
    opening: Duration,
    making: Duration,
    /// Of the invocations that were acknowledged: how many, in how many groups, and
    /// attempts that were lost.
    invocations: u64,
    groups: usize,
    reruns: u64,
    /// Stores that were marked, and opened after a check.
    checked: u64,
}

/// What is known of one store.
struct Known {
    place: PathBuf,
    ledger: Ledger,
    outcomes: Outcomes,
}

impl Known {
    fn new(place: PathBuf, writers: usize) -> Self {
        Known {
            place,
            ledger: Ledger::new(writers),
            outcomes: Outcomes::default(),
        }
    }
}

impl Run<'_> {
    fn all(&mut self, dir: &Path, kills: u64) -> Result<(), Box<dyn Error>> {
        let writers = self.setting.writers;
        let mut deck = Deck::new(self.setting.seed, self.setting.backend.has_hooks(), writers);
        let mut lasting = Known::new(dir.join("store"), writers);
        while self.kills < kills {
            let plan = deck.deal();
            if plan.fresh {
                let folder = dir.join(format!("new-{}", self.kills));
                fs::create_dir(&folder)?;
                self.one(plan, &mut Known::new(folder.join("store"), writers))?;
                if !self.findings.are_bad() {
                    fs::remove_dir_all(folder)?;
                }
            } else {
                self.one(plan, &mut lasting)?;
            }
            self.tell(kills);
        }
        if io::stderr().is_terminal() {
            eprintln!();
        }
        // The last kill may have been of another store.
        self.check(&mut lasting, false)
    }

    fn one(&mut self, plan: Plan, known: &mut Known) -> Result<(), Box<dyn Error>> {
        let heard = self.kill(plan, known)?;
        if let Kill::Failing(trouble) = plan.kill {
            let lost = |said: &&Said| !matches!(said, Said::Acknowledged { .. });
            let writers = heard.said.iter().filter(lost).count();
            if writers != self.setting.writers {
                let text = format!("after {trouble}, {writers} writers said what became of them");
                return Err(text.into());
            }
            if trouble.what.is_real() {
                self.accept(&known.place)?;
            }
            return self.check(known, true);
        }
        match plan.check {
            true => self.check(known, false),
            false => Ok(()),
        }
    }

    fn kill(&mut self, plan: Plan, known: &mut Known) -> Result<Heard, Box<dyn Error>> {
        let arguments = child::Arguments::new(self.setting, known.place.clone(), plan.kill);
        let takes = if plan.fresh {
            &mut self.making
        } else {
            &mut self.opening
        };
        known.outcomes.opening();
        let heard = victim::kill(&arguments, plan.kill, *takes)?;
        if let Some(took) = heard.opening() {
            *takes = (*takes * 3 + took) / 4;
        }
        let mut groups = HashSet::new();
        for said in &heard.said {
            let (ledger, findings) = (&mut known.ledger, &mut self.findings);
            let there = match *said {
                Said::Acknowledged {
                    writer,
                    number,
                    commit,
                } => {
                    if let Some((id, attempts)) = commit {
                        known.outcomes.acknowledged(id);
                        groups.insert(id);
                        self.invocations += 1;
                        self.reruns += u64::from(attempts.saturating_sub(1));
                    }
                    ledger.acknowledged(writer, number, findings)
                }
                Said::Unknown {
                    writer,
                    number,
                    commit,
                } => {
                    known.outcomes.unknown(commit, writer, number);
                    findings.unknown += 1;
                    ledger.failed(writer, number, false, findings)
                }
                Said::Panicked { writer, number } => ledger.failed(writer, number, false, findings),
                Said::Unavailable { writer, number } => {
                    ledger.failed(writer, number, true, findings)
                }
                Said::Opening | Said::Ready => true,
            };
            if !there {
                return Err(format!("there is no such writer: {said}").into());
            }
        }
        self.groups += groups.len();
        known.ledger.killed();
        self.kills += 1;
        Ok(heard)
    }

    /// A store to which a write failed is not opened before it is checked. Does that.
    fn accept(&mut self, place: &Path) -> Result<(), Box<dyn Error>> {
        match self.open(place) {
            Ok(_) => return Err("a store to which a write has failed was opened".into()),
            Err(refused) if refused.kind() == Kind::Corrupt => {}
            Err(other) => return Err(other.into()),
        }
        let url = self.setting.backend.url(place);
        let report = connect::accept(&url, &connect::Options::default())?;
        if report.mark.is_none() {
            return Err("a store to which a write has failed has no mark".into());
        }
        self.checked += 1;
        Ok(())
    }

    /// As whoever comes after a kill does.
    fn open(&self, place: &Path) -> Result<Store, wasm_storage_engine::Error> {
        let plant = Some(Plant::OutcomeByNumber).filter(|plant| self.setting.plant == Some(*plant));
        let around = Around {
            plant,
            ..Around::default()
        };
        let backend = &self.setting.backend;
        Ok(backend.open(place, self.setting.durability, &around)?.store)
    }

    /// Opens the store in this process and compares everything in it. After a failed
    /// write it also commits more and looks again.
    fn check(&mut self, known: &mut Known, failing: bool) -> Result<(), Box<dyn Error>> {
        let read = |run: &mut Self, known: &mut Known| {
            let store = run.open(&known.place)?;
            let found = run.read(&store)?;
            Ok((store, found))
        };
        let (store, found) = read(self, known).map_err(|error: wasm_storage_engine::Error| {
            self.findings.lost += known.ledger.sum();
            format!("the store cannot be read: {error}")
        })?;
        known.ledger.found(&found, &mut self.findings);
        known.outcomes.ask(&store, &found, &mut self.findings)?;
        if failing {
            known.outcomes.opening();
            self.commit_more(&store, known)?;
            let found = self.read(&store)?;
            known.ledger.found(&found, &mut self.findings);
            known.outcomes.ask(&store, &found, &mut self.findings)?;
        }
        Ok(())
    }

    fn read(&self, store: &Store) -> Result<Found, wasm_storage_engine::Error> {
        let seed = self.setting.seed;
        Work { seed }.read(store, self.setting.writers)
    }

    /// A few commits more: the numbers of groups that did not happen are used again.
    fn commit_more(&mut self, store: &Store, known: &mut Known) -> Result<(), Box<dyn Error>> {
        const MOST: usize = 3;
        let seed = self.setting.seed;
        let namespaces = Namespaces::make(store)?;
        for writer in 0..self.setting.writers.min(MOST) {
            let done = store.run(RunOptions::default(), |mut session| {
                let number = Work { seed }.commit(&mut session, namespaces, writer);
                Attempt::Commit(session, number)
            })?;
            let number = done.value.map_err(failed)?;
            known
                .ledger
                .acknowledged(writer, number, &mut self.findings);
            if let Some(id) = done.commit {
                known.outcomes.acknowledged(id);
            }
        }
        Ok(())
    }

    /// The last line.
    fn verdict(&self) -> String {
        let Findings {
            acknowledged,
            unknown,
            wrong_outcomes,
            lost,
            partial,
            doubled,
            ..
        } = &self.findings;
        format!(
            "crash {}: kills {}, acknowledged {acknowledged}, unknown {unknown}, \
             wrong outcomes {wrong_outcomes}, lost {lost}, partial {partial}, doubled {doubled}",
            self.setting.backend, self.kills
        )
    }

    /// Shows what was found since, and where the run is.
    fn tell(&mut self, kills: u64) {
        const MOST: usize = 20;
        let news = self.findings.said.iter().skip(self.told);
        for said in news.take(MOST.saturating_sub(self.told)) {
            eprintln!("after kill {}: {said}", self.kills);
        }
        self.told = self.findings.said.len();
        let mut err = io::stderr();
        if err.is_terminal() {
            // Nobody is there to be told of a failure.
            write!(err, "\r\x1b[K{} of {kills}", self.verdict()).ok();
        }
    }
}
