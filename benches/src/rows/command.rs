//! P12: a whole process of `wasm-storage run`, from its start to its end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{Samples, interleaved, timed};
use crate::spinners::Spinners;
use crate::stores::{Engine, VALUE_BYTES, fill, scattered};
use crate::table::{Ratio, Row, Verdict, time};
use crate::{Options, Result};

const ROUNDS: usize = 61;
const GOAL_RATIO: f64 = 2.0;
const GOAL_SECONDS: f64 = 0.030;

/// The row for both engines, with few keys and with many: a call that commits, a
/// call that only reads.
pub(crate) fn run(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for engine in Engine::ALL {
        for keys in [1_000, 100_000] {
            rows.extend(with_engine(engine, keys, options, folder)?);
        }
    }
    Ok(rows)
}

fn with_engine(engine: Engine, keys: u64, options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let path = engine.path(folder, &format!("command-{keys}"));
    let store = engine.open(&path)?;
    fill(&store, 0..keys, scattered, VALUE_BYTES)?;
    store.close()?;
    drop(store);

    let call = |function: &str| {
        let mut command = Command::new(&options.cli);
        command
            .arg("run")
            .arg(&options.counter)
            .args([function, "--store", &engine.url(&path)])
            .env("XDG_CACHE_HOME", folder.join("cache"));
        command
    };
    // Compiles, and says if this engine is not known to the command line.
    if let Err(error) = run_to_end(&mut call("increment")) {
        return Ok(vec![Row {
            id: "P12",
            what: format!("`wasm-storage run`, {}", engine.name()),
            measured: format!("cannot be run: {error}"),
            reference: String::new(),
            ratio: String::new(),
            goal: "<= 2, < 30 ms".into(),
            met: Verdict::Missed,
        }]);
    }
    let _busy = Spinners::idle()?;
    let process = |mut command: Command| timed(|| run_to_end(&mut command));
    let [commits, reads, opens, nothing] = interleaved(
        ROUNDS,
        [
            &mut |_| process(call("increment")),
            &mut |_| process(call("value")),
            &mut |_| process(open_store(options, engine, &path)),
            &mut |_| process(Command::new(&options.open_store)),
        ],
    )?;
    let row = |what: &str, samples: &Samples| {
        let ratio = Ratio::new(samples, &opens);
        Row {
            id: "P12",
            what: format!(
                "`wasm-storage run` of a cached module, {what}, {}, {keys} keys",
                engine.name()
            ),
            measured: time(samples.median()),
            reference: format!(
                "a program that opens the store and exits {} (an empty one {})",
                time(opens.median()),
                time(nothing.median())
            ),
            ratio: ratio.to_string(),
            goal: "<= 2, < 30 ms".into(),
            met: ratio
                .at_most(GOAL_RATIO)
                .and(Verdict::of(samples.median() < GOAL_SECONDS)),
        }
    };
    Ok(vec![row("one commit", &commits), row("reads only", &reads)])
}

fn open_store(options: &Options, engine: Engine, path: &Path) -> Command {
    let mut command = Command::new(&options.open_store);
    command.arg(engine.name()).arg(path);
    command
}

/// How long `open-store` says that opening took, in seconds.
pub(crate) fn run_open_store(options: &Options, engine: Engine, path: &Path) -> Result<f64> {
    let output = output(&mut open_store(options, engine, path))?;
    let nanoseconds = String::from_utf8(output)?.trim().parse()?;
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}

fn run_to_end(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().into())
}
