//! `stress commits`: so many commits of each writer on a new store. What runs while the
//! syncs of a commit are counted (`tests/syncs.rs`).

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wasm_storage_engine::{Attempt, NamespaceId, RunOptions, Store};

use crate::crash::crowd::{Crowd, Gathering};
use crate::crash::engine::{Around, Engine, Word};
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
    /// Commits of each writer, one after the other
    #[arg(long)]
    count: u64,
    /// Threads that write at the same time
    #[arg(long, default_value_t = 1)]
    writers: u32,
    /// Each commit to the engine waits until all writers wait: the largest groups that
    /// there can be
    #[arg(long)]
    gathered: bool,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let place = dir.path().join("store");
    let around = Around::default();
    let opened = arguments
        .backend
        .open(&place, arguments.durability, &around)?;
    let store = opened.store;
    let ns = store.default_namespace()?;
    let crowd: &Crowd = &around.crowd;
    let at_work = AtomicUsize::new(usize::try_from(arguments.writers)?);
    let gather = |count| {
        if arguments.gathered {
            crowd.gather(Gathering::Always { count });
        }
    };
    gather(at_work.load(Ordering::SeqCst));
    let write = |writer: u32| {
        let written = write(&store, ns, crowd, writer, arguments.count);
        gather(at_work.fetch_sub(1, Ordering::SeqCst) - 1);
        written
    };
    let all: Result<Vec<()>, _> = thread::scope(|scope| {
        let write = &write;
        let started: Vec<_> = (0..arguments.writers)
            .map(|writer| scope.spawn(move || write(writer)))
            .collect();
        let ended = started.into_iter().map(|writer| writer.join());
        ended
            .map(|ended| ended.unwrap_or_else(|_| Err("a writer panicked".into())))
            .collect()
    });
    all.map_err(|error| -> Box<dyn Error> { error })?;
    store.close()?;
    Ok(true)
}

fn write(
    store: &Store,
    ns: NamespaceId,
    crowd: &Crowd,
    writer: u32,
    count: u64,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    for number in 0..count {
        let key = [&writer.to_be_bytes()[..], &number.to_be_bytes()].concat();
        let done = store.run(RunOptions::default(), |mut session| {
            let put = session.put(ns, &key, b"value");
            Attempt::Commit(session, put)
        })?;
        crowd.leave();
        done.value.map_err(failed)?;
    }
    Ok(())
}
