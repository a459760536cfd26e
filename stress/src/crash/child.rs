//! The process that is killed: opens the store, writes without end, and says each
//! step ([`said`](super::said)). If a write is to fail, it ends itself when every writer
//! has said what it was told.
//!
//! Invariant: it ends when its standard input does, so that no child outlives its
//! parent.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, abort, exit};
use std::sync::Arc;
use std::time::Duration;
use std::{io, panic, thread};

use wasm_storage_engine::{Kind, Store};

use super::Setting;
use super::engine::{Around, Engine, Opened};
use super::plan::Kill;
use super::points::{Death, Point, Points};
use super::said::{Said, say};
use super::shared::Namespaces;
use super::trouble::{End, Trouble, What};
use super::work::Work;
use super::writer::{Ended, Fate, Writer};

/// The exit code of a child that found something wrong itself.
pub(crate) const FAILED: i32 = 1;
/// The exit code of a child that has closed its store after a failed write.
const CLOSED: i32 = 3;

/// How a child is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    setting: Setting,
    #[arg(long)]
    store: PathBuf,
    #[arg(long, requires = "die_time")]
    die_point: Option<Point>,
    #[arg(long)]
    die_time: Option<u64>,
    #[arg(long, default_value_t = 0)]
    die_delay_us: u64,
    #[arg(long)]
    trouble: Option<Trouble>,
}

impl Arguments {
    pub(crate) fn new(setting: &Setting, store: PathBuf, kill: Kill) -> Self {
        let (death, trouble) = match kill {
            Kill::At(death) => (Some(death), None),
            Kill::Failing(trouble) => (None, Some(trouble)),
            Kill::Opening(_) | Kill::Writing(_) => (None, None),
        };
        let delay = death.map_or(0, |death| death.delay.as_micros());
        Arguments {
            setting: setting.clone(),
            store,
            die_point: death.map(|death| death.point),
            die_time: death.map(|death| death.time),
            die_delay_us: u64::try_from(delay).unwrap_or(u64::MAX),
            trouble,
        }
    }

    /// Writes them after the subcommand.
    pub(crate) fn add_to(&self, command: &mut Command) {
        self.setting.add_to(command);
        command.arg("--store").arg(&self.store);
        if let (Some(point), Some(time)) = (self.die_point, self.die_time) {
            command.args(["--die-point", &super::name_of(&point)]);
            command.args(["--die-time", &time.to_string()]);
            command.args(["--die-delay-us", &self.die_delay_us.to_string()]);
        }
        if let Some(trouble) = self.trouble {
            command.args(["--trouble", &trouble.to_string()]);
        }
    }

    fn death(&self) -> Option<Death> {
        Some(Death {
            point: self.die_point?,
            time: self.die_time?,
            delay: Duration::from_micros(self.die_delay_us),
        })
    }
}

/// Writes until it is ended.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    thread::spawn(|| {
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        exit(0);
    });
    let trouble = arguments.trouble;
    let injected = trouble.is_some_and(|trouble| trouble.what.is_panic());
    // The other threads would go on as if nothing were wrong.
    panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string();
        if !(injected && text.contains("injected: ")) {
            eprintln!("{text}");
            exit(FAILED);
        }
    }));
    let setting = &arguments.setting;
    let around = Around {
        points: Points::new(arguments.death()),
        plant: setting.plant,
        crowd: Arc::default(),
    };
    say(&[Said::Opening])?;
    let opened = setting
        .backend
        .open(&arguments.store, setting.durability, &around)?;
    let Opened { store, troubles } = opened;
    let namespaces = Namespaces::make(&store)?;
    let work = Work { seed: setting.seed };
    let last = work.last(&store, setting.writers)?;
    if let (Some(trouble), Some(troubles)) = (trouble, &troubles) {
        troubles.arm(trouble, &around.crowd);
    }
    say(&[Said::Ready])?;
    let begin = |writer| Writer {
        store: &store,
        points: &around.points,
        crowd: &around.crowd,
        namespaces,
        work,
        writer,
        last: last.get(writer).copied().unwrap_or(0),
        plant: setting.plant,
    };
    let ended = write((0..setting.writers).map(begin));
    let Some(trouble) = trouble else {
        return Err("the store has failed by itself".into());
    };
    // A planted bug is for the parent to find.
    if setting.plant.is_none() {
        look(arguments, &store, work, trouble, &ended)?;
    }
    if trouble.end == End::Abort {
        abort();
    }
    let closed = store.close();
    let unknown = ended
        .iter()
        .any(|ended| matches!(ended.fate, Fate::Unknown(_)));
    if unknown && closed.is_ok() {
        return Err("closing a store with an unknown outcome has succeeded".into());
    }
    drop(store);
    exit(CLOSED);
}

/// Lets all writers write; returns when the store takes no more.
fn write<'a>(writers: impl Iterator<Item = Writer<'a>>) -> Vec<Ended> {
    let run = |writer: Writer<'_>| {
        writer.run().unwrap_or_else(|error| {
            eprintln!("writer {}: {error}", writer.writer);
            exit(FAILED)
        })
    };
    thread::scope(|scope| {
        let started: Vec<_> = writers
            .map(|writer| scope.spawn(move || run(writer)))
            .collect();
        let ended = started.into_iter().map(|writer| writer.join());
        ended.filter_map(Result::ok).collect()
    })
}

/// Looks at a store that takes no more writes: it does not guess the outcome of a
/// commit, and shows the last state that was acknowledged, whole. (redb does not show
/// what it would have to read from a file to which a write has failed.)
fn look(
    arguments: &Arguments,
    store: &Store,
    work: Work,
    trouble: Trouble,
    ended: &[Ended],
) -> Result<(), Box<dyn Error>> {
    for ended in ended {
        if let Fate::Unknown(id) = ended.fate {
            match store.outcome(id) {
                Err(error) if error.kind() == Kind::Unavailable => {}
                answer => return Err(format!("commit {id} is guessed: {answer:?}").into()),
            }
        }
        if let Some(id) = ended.acknowledged {
            let answer = store.outcome(id)?;
            if answer != Some(true) {
                return Err(format!("commit {id} was acknowledged: {answer:?}").into());
            }
        }
    }
    let gives_up = trouble.what.is_real() && arguments.setting.backend == Engine::Redb;
    let found = match work.read(store, ended.len()) {
        Err(error) if gives_up && error.kind() == Kind::Unavailable => return Ok(()),
        found => found?,
    };
    if let Some(wrong) = found.wrong() {
        return Err(format!("readers see {wrong}").into());
    }
    // What it acknowledged last, such a store cannot show.
    if trouble.what == What::Unseen {
        return Ok(());
    }
    for (writer, ended) in ended.iter().enumerate() {
        let number = found.number(writer);
        if number != ended.last {
            let text = format!("readers see {number} of writer {writer}: {ended:?}");
            return Err(text.into());
        }
    }
    Ok(())
}
