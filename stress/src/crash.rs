//! `stress crash`: kills a process while it opens, makes and writes a store, again
//! and again, and looks for what it had acknowledged.
//!
//! Invariant: what a child said before it died is all that is assumed of it; what must
//! be in the store follows from that alone ([`ledger`]).
//!
//! | file | idea |
//! |---|---|
//! | [`plan`] | how each child is killed |
//! | [`victim`] | one child: started, listened to, killed |
//! | [`child`] | what the child does |
//! | [`work`] | what it stores, and what must be there |
//! | [`ledger`] | what is known, and the verdict |
//! | [`points`] | where a child ends itself |
//! | [`plant`] | bugs planted to show that they are found |
//! | [`engine`] | the engines, opened with the hooks of the last two |

pub(crate) mod child;
pub(crate) mod engine;
mod ledger;
mod plan;
pub(crate) mod plant;
pub(crate) mod points;
mod victim;
pub(crate) mod work;

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use engine::{Engine, Word};
use ledger::{Findings, Ledger};
use plan::{Deck, Plan};
use plant::Plant;
use points::Points;
use work::Work;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    /// Kills
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
    #[arg(long, default_value_t = 4, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
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
    };
    let ended = run.all(dir.path(), arguments.kills);
    let good = ended.is_ok() && !run.findings.are_bad();
    let Findings {
        acknowledged,
        unacknowledged,
        lost,
        partial,
        doubled,
        ..
    } = run.findings;
    if let Err(error) = ended {
        eprintln!("after kill {}: {error}", run.kills);
    }
    if !good {
        let kept = dir.keep();
        eprintln!("the stores are left in {}", kept.display());
    }
    println!(
        "seed {}, durability {}, {} writers; {unacknowledged} commits survived unacknowledged",
        arguments.setting.seed, arguments.setting.durability, arguments.setting.writers,
    );
    println!(
        "crash {}: kills {}, acknowledged {acknowledged}, lost {lost}, partial {partial}, \
         doubled {doubled}",
        arguments.setting.backend, run.kills
    );
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
}

impl Run<'_> {
    fn all(&mut self, dir: &Path, kills: u64) -> Result<(), Box<dyn Error>> {
        let mut deck = Deck::new(self.setting.seed, self.setting.backend.has_hooks());
        let place = dir.join("store");
        let mut ledger = Ledger::new(self.setting.writers);
        while self.kills < kills {
            let plan = deck.deal();
            if plan.fresh {
                let folder = dir.join(format!("new-{}", self.kills));
                fs::create_dir(&folder)?;
                let place = folder.join("store");
                let mut ledger = Ledger::new(self.setting.writers);
                self.kill(&place, plan, &mut ledger)?;
                self.check(&place, &mut ledger)?;
                if !self.findings.are_bad() {
                    fs::remove_dir_all(folder)?;
                }
            } else {
                self.kill(&place, plan, &mut ledger)?;
                if plan.check {
                    self.check(&place, &mut ledger)?;
                }
            }
            self.tell(kills);
        }
        if io::stderr().is_terminal() {
            eprintln!();
        }
        // The last kill may have been of another store.
        self.check(&place, &mut ledger)
    }

    fn kill(
        &mut self,
        place: &Path,
        plan: Plan,
        ledger: &mut Ledger,
    ) -> Result<(), Box<dyn Error>> {
        let death = match plan.kill {
            plan::Kill::At(death) => Some(death),
            _ => None,
        };
        let arguments = child::Arguments::new(self.setting, PathBuf::from(place), death);
        let takes = if plan.fresh {
            &mut self.making
        } else {
            &mut self.opening
        };
        let heard = victim::kill(&arguments, plan.kill, *takes)?;
        if let Some(took) = heard.opening() {
            *takes = (*takes * 3 + took) / 4;
        }
        for (writer, number) in heard.acknowledged {
            if !ledger.acknowledged(writer, number, &mut self.findings) {
                return Err(format!("a child spoke of writer {writer}").into());
            }
        }
        ledger.killed();
        self.kills += 1;
        Ok(())
    }

    /// Opens the store in this process, as whoever comes after a kill does.
    fn check(&mut self, place: &Path, ledger: &mut Ledger) -> Result<(), Box<dyn Error>> {
        let Setting {
            backend,
            durability,
            writers,
            seed,
            ..
        } = self.setting;
        let read = || {
            let store = backend.open(place, *durability, &Points::new(None), None)?;
            Work { seed: *seed }.read(&store, *writers)
        };
        match read() {
            Ok(found) => {
                ledger.found(&found, &mut self.findings);
                Ok(())
            }
            Err(error) => {
                self.findings.lost += ledger.sum();
                Err(format!("the store cannot be read: {error}").into())
            }
        }
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
            let Findings {
                acknowledged,
                lost,
                partial,
                doubled,
                ..
            } = &self.findings;
            // Nobody is there to be told of a failure.
            write!(
                err,
                "\r\x1b[Kcrash {}: {} of {kills} kills, acknowledged {acknowledged}, lost {lost}, \
                 partial {partial}, doubled {doubled}",
                self.setting.backend, self.kills
            )
            .ok();
        }
    }
}
