//! E1: opening an existing store, and ending it (`close`, then dropped).

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Result;
use crate::harness::{ROUNDS, Samples, interleaved};
use crate::spinners::Spinners;
use crate::stores::{Engine, VALUE_BYTES, fill, scattered};
use crate::table::{Ratio, Row, Verdict, time};

/// The row for both engines, with 0 and 100,000 keys.
pub(crate) fn open_and_close(folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for keys in [0, 100_000] {
        rows.extend(with_keys(folder, keys)?);
    }
    Ok(rows)
}

fn with_keys(folder: &Path, keys: u64) -> Result<[Row; 2]> {
    let [fjall, redb] = Engine::ALL.map(|engine| engine.path(folder, &format!("start-{keys}")));
    for (engine, path) in Engine::ALL.into_iter().zip([&fjall, &redb]) {
        let store = engine.open(path)?;
        fill(&store, 0..keys, scattered, VALUE_BYTES)?;
        store.close()?;
    }
    let _busy = Spinners::nice()?;
    let (mut fjall_ends, mut redb_ends) = (Samples::default(), Samples::default());
    let [fjall_opens, redb_opens] = interleaved(
        ROUNDS,
        [
            &mut |_| open(Engine::Fjall, &fjall, &mut fjall_ends),
            &mut |_| open(Engine::Redb, &redb, &mut redb_ends),
        ],
    )?;
    let fjall = (&fjall_opens, &fjall_ends);
    let redb = (&redb_opens, &redb_ends);
    let row = |engine: Engine, of: Both<'_>, other: Engine, beside: Both<'_>| Row {
        id: "E1",
        what: format!("open + end a store of {keys} keys, {}", engine.name()),
        measured: shown(of),
        reference: format!("{} {}", other.name(), shown(beside)),
        ratio: Ratio::new(&of.0.plus(of.1), &beside.0.plus(beside.1)).to_string(),
        goal: String::new(),
        met: Verdict::NoGoal,
    };
    Ok([
        row(Engine::Fjall, fjall, Engine::Redb, redb),
        row(Engine::Redb, redb, Engine::Fjall, fjall),
    ])
}

/// Times to open, times to end.
type Both<'a> = (&'a Samples, &'a Samples);

fn shown((opens, ends): Both<'_>) -> String {
    format!("{} + {}", time(opens.median()), time(ends.median()))
}

/// The time to open; the time to end goes to `ends`.
fn open(engine: Engine, path: &Path, ends: &mut Samples) -> Result<Duration> {
    let began = Instant::now();
    let store = engine.open(path)?;
    let opened = began.elapsed();
    let began = Instant::now();
    store.close()?;
    drop(store);
    ends.push(began.elapsed().as_secs_f64());
    Ok(opened)
}
