//! `stress torn`: writes of which a power failure has kept only some sectors.
//!
//! What is torn and what must be true afterwards is `wasm_storage_testkit::torn`.

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_fjall::Fjall;
use wasm_storage_redb::Redb;
use wasm_storage_testkit::torn::{Counts, Engine, Growth, run as tear};

use crate::backend::Backend;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The engine under the store
    #[arg(long)]
    backend: Backend,
    /// Torn tails to try
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A folder to work in; without it, a temporary one, in memory if it can be
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Runs it; false: a promise was broken.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    match arguments.backend {
        Backend::Fjall => with(
            arguments,
            "fjall",
            &Engine {
                open: &|path| Fjall::open(&wasm_storage_fjall::Config::new(path)),
                repaired: &|kv| kv.repair().is_some(),
                growth: Growth::Appended,
            },
        ),
        Backend::Redb => with(
            arguments,
            "redb",
            &Engine {
                open: &|path| Redb::open(&wasm_storage_redb::Config::new(path)),
                // What it does not need, it does not look at.
                repaired: &|_| false,
                growth: Growth::Ordered,
            },
        ),
    }
}

fn with<K: OrderedKv>(
    arguments: &Arguments,
    name: &str,
    engine: &Engine<'_, K>,
) -> Result<bool, Box<dyn Error>> {
    let folder = match &arguments.dir {
        Some(dir) => tempfile::tempdir_in(dir)?,
        // No power fails here: syncs would only take their time.
        None => tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?,
    };
    let began = Instant::now();
    let mut told = 0;
    let watched = std::io::stderr().is_terminal();
    let counts = tear(
        engine,
        folder.path(),
        arguments.count,
        arguments.seed,
        &mut |counts: &Counts| {
            for failure in counts.told.iter().skip(told) {
                println!("{failure}");
            }
            told = counts.told.len();
            if watched {
                eprint!("\r{} of {}", counts.tails, arguments.count);
            }
        },
    );
    if watched {
        eprintln!();
    }
    println!("{:.1} s", began.elapsed().as_secs_f64());
    println!("torn {name}: {counts}");
    Ok(counts.is_clean())
}
