//! The process that is killed: opens the store, writes without end, and says each
//! step in a line of its own on standard output, one write for each.
//!
//! Invariant: `WRITER NUMBER` is said after the commit has returned. It ends when its
//! standard input does, so that no child outlives its parent.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, exit};
use std::time::Duration;
use std::{panic, thread};

use wasm_storage_engine::{Attempt, OpError, RunOptions, Store};

use super::Setting;
use super::plant::Plant;
use super::points::{Death, Point, Points};
use super::work::{Namespaces, Work, failed};

/// Said before the store is opened.
pub(crate) const OPENING: &str = "opening";
/// Said when it is open and the writers begin.
pub(crate) const READY: &str = "ready";

/// The exit code of a child that found something wrong itself.
pub(crate) const FAILED: i32 = 1;

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
}

impl Arguments {
    pub(crate) fn new(setting: &Setting, store: PathBuf, death: Option<Death>) -> Self {
        let delay = death.map_or(0, |death| death.delay.as_micros());
        Arguments {
            setting: setting.clone(),
            store,
            die_point: death.map(|death| death.point),
            die_time: death.map(|death| death.time),
            die_delay_us: u64::try_from(delay).unwrap_or(u64::MAX),
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
    // The other threads would go on as if nothing were wrong.
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        exit(FAILED);
    }));
    let setting = &arguments.setting;
    let points = Points::new(arguments.death());
    say(OPENING)?;
    let store =
        setting
            .backend
            .open(&arguments.store, setting.durability, &points, setting.plant)?;
    let namespaces = Namespaces::make(&store)?;
    say(READY)?;
    thread::scope(|scope| {
        for writer in 0..setting.writers {
            let writer = Writer {
                store: &store,
                points: &points,
                namespaces,
                work: Work { seed: setting.seed },
                writer,
                plant: setting.plant,
            };
            scope.spawn(move || writer.run());
        }
    });
    Err("there are no writers".into())
}

struct Writer<'a> {
    store: &'a Store,
    points: &'a Points,
    namespaces: Namespaces,
    work: Work,
    writer: usize,
    plant: Option<Plant>,
}

impl Writer<'_> {
    fn run(&self) {
        loop {
            if let Err(error) = self.once() {
                eprintln!("writer {}: {error}", self.writer);
                exit(FAILED);
            }
        }
    }

    fn once(&self) -> Result<(), Box<dyn Error>> {
        if self.plant == Some(Plant::RunTwice) {
            self.invocation()?;
        }
        let number = self.invocation()?;
        if self.plant != Some(Plant::UnsyncedAcknowledge) {
            self.acknowledge(number)?;
        }
        Ok(())
    }

    /// One invocation, committed.
    fn invocation(&self) -> Result<u64, Box<dyn Error>> {
        let done = self.store.run(RunOptions::default(), |mut session| {
            let ran = self
                .work
                .invoke(&mut session, self.namespaces, self.writer)
                .and_then(|number| {
                    if self.plant == Some(Plant::UnsyncedAcknowledge) {
                        self.acknowledge(number).map_err(|_| OpError::Overdue)?;
                    }
                    Ok(number)
                });
            match ran {
                Ok(number) => Attempt::Commit(session, Ok(number)),
                Err(error) => Attempt::Rollback(session, Err(error)),
            }
        })?;
        Ok(done.value.map_err(failed)?)
    }

    fn acknowledge(&self, number: u64) -> io::Result<()> {
        self.points.pass(Point::BeforeAcknowledgement);
        say(&format!("{} {number}", self.writer))
    }
}

/// A line in one write: standard output passes whole lines on at once.
fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}
