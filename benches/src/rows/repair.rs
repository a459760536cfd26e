//! E2: opening a large store after the process that wrote to it was killed.
//!
//! The killed process commits without a pause, so it dies within a commit or just
//! before one. Everything is in the page cache: nothing is said about cold disks.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{Random, Samples};
use crate::rows::command::run_open_store;
use crate::stores::{Engine, ascending, commit, fill};
use crate::table::{Row, Verdict, time};
use crate::{Options, Result};

const VALUE_BYTES: usize = 1024;
const KILLS: usize = 3;
/// How long the child commits before it is killed.
const LIFE: Duration = Duration::from_millis(700);

/// The row for both engines.
pub(crate) fn after_a_kill(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    Engine::ALL
        .into_iter()
        .map(|engine| of(engine, options, folder))
        .collect()
}

fn of(engine: Engine, options: &Options, folder: &Path) -> Result<Row> {
    let path = engine.path(folder, "repair");
    let mut values = options.megabytes * 1_000_000 / u64::try_from(VALUE_BYTES)?;
    let (mut killed, mut clean) = (Samples::default(), Samples::default());
    for _ in 0..KILLS {
        kill(engine, &path, values)?;
        values = 0;
        killed.push(run_open_store(options, engine, &path)?);
        // Ended in order by now.
        clean.push(run_open_store(options, engine, &path)?);
    }
    Ok(Row {
        id: "E2",
        what: format!(
            "open after a kill, {} MB stored, {}",
            options.megabytes,
            engine.name()
        ),
        measured: format!(
            "{} ({}–{})",
            time(killed.median()),
            time(killed.quantile(0, 1)),
            time(killed.quantile(1, 1))
        ),
        reference: format!("open after a clean end {}", time(clean.median())),
        ratio: format!("{:.2}", killed.median() / clean.median()),
        goal: String::new(),
        met: Verdict::NoGoal,
    })
}

/// Starts a child that fills the store and commits, and kills it while it does.
fn kill(engine: Engine, path: &Path, values: u64) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["fill-and-commit", engine.name()])
        .arg(path)
        .arg(values.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let full = wait_until_full(&mut child);
    std::thread::sleep(LIFE);
    child.kill()?;
    child.wait()?;
    full
}

fn wait_until_full(child: &mut Child) -> Result<()> {
    let output = child.stdout.take().ok_or("no output of the child")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.trim() == "full" {
        Ok(())
    } else {
        Err("the child ended before its store was full".into())
    }
}

/// What the child does.
pub(crate) fn fill_and_commit(engine: Engine, path: &Path, values: u64) -> Result<()> {
    let store = engine.open(path)?;
    let ns = store.default_namespace()?;
    fill(&store, 0..values, ascending, VALUE_BYTES)?;
    println!("full");
    std::io::stdout().flush()?;
    let mut random = Random(std::process::id().into());
    let mut value = [0; VALUE_BYTES];
    loop {
        random.fill(&mut value);
        let key = ascending(random.below(1_000_000));
        commit(&store, |put| put(ns, &key, &value))?;
    }
}
