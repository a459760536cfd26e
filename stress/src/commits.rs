//! `stress commits`: so many commits, one after the other, on a new store. What runs
//! while the syncs of a commit are counted (`tests/syncs.rs`).

use std::error::Error;

use wasm_storage_engine::{Attempt, RunOptions};

use crate::crash::engine::{Engine, Word};
use crate::crash::points::Points;
use crate::crash::work::failed;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The engine under the store, by name
    #[arg(long)]
    backend: Engine,
    /// What an acknowledged commit must survive
    #[arg(long, value_enum)]
    durability: Word,
    /// Commits
    #[arg(long)]
    count: u64,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("store");
    let points = Points::new(None);
    let store = arguments
        .backend
        .open(&place, arguments.durability, &points, None)?;
    let ns = store.default_namespace()?;
    for number in 0..arguments.count {
        let done = store.run(RunOptions::default(), |mut session| {
            let put = session.put(ns, &number.to_be_bytes(), b"value");
            Attempt::Commit(session, put)
        })?;
        done.value.map_err(failed)?;
    }
    store.close()?;
    Ok(true)
}
