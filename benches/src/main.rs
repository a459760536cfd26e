//! The rows of docs/performance.md: each measures something of this project beside
//! something that it is compared with, in the same rounds, and prints one line.
//!
//! `cargo xtask bench` builds this and what it needs, runs it, and keeps its
//! standard output; progress goes to standard error.
//!
//! | file | idea |
//! |---|---|
//! | [`rows`] | the rows, a file for each group |
//! | [`harness`] | interleaved rounds, medians |
//! | [`spinners`] | busy cores, or the disk looks 20 times slower than it is |
//! | [`disk`] | raw syncs, counters of bytes |
//! | [`stores`] | the engines under test, filled |
//! | [`invocations`] | a guest, called through the runtime |
//! | [`machine`] | the machine in one line |
//! | [`table`] | rows as Markdown |
#![forbid(unsafe_code)]

mod disk;
mod harness;
mod invocations;
mod machine;
mod rows;
mod spinners;
mod stores;
mod table;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use rows::RowId;
use stores::Engine;

/// A failure; the text is all that anyone needs of it.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
/// What every step gives.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Measures what docs/performance.md tells. Started by `cargo xtask bench`.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure rows and print them
    Run(Options),
    /// Keep a core busy until standard input ends
    Spin,
    /// Fill a store, say so, then commit until killed
    FillAndCommit {
        engine: Engine,
        path: PathBuf,
        /// Values of 1 KiB to store at first
        values: u64,
    },
}

/// What to measure, and with what.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The rows
    #[arg(long, value_delimiter = ',', required = true)]
    pub(crate) rows: Vec<RowId>,
    /// Where stores are made, on the disk in question
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// Keys stored for P1
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) keys: u64,
    /// Megabytes stored for E2
    #[arg(long, default_value_t = 1_000)]
    pub(crate) megabytes: u64,
    /// The module of `benches/guests`: calls in loops
    #[arg(long)]
    pub(crate) guest: PathBuf,
    /// The module of `benches/guests/invocation`
    #[arg(long)]
    pub(crate) invocation: PathBuf,
    /// The module of the guest `counter`
    #[arg(long)]
    pub(crate) counter: PathBuf,
    /// The program `wasm-storage`
    #[arg(long)]
    pub(crate) cli: PathBuf,
    /// The program `open-store`
    #[arg(long)]
    pub(crate) open_store: PathBuf,
}

fn main() -> Result<()> {
    match Args::parse().task {
        Task::Run(options) => run(&options),
        Task::Spin => spinners::spin(),
        Task::FillAndCommit {
            engine,
            path,
            values,
        } => rows::repair::fill_and_commit(engine, &path, values),
    }
}

fn run(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.folder)?;
    // How busy others kept the machine belongs to a result as the day does.
    let on = format!("{}, load {}", machine::date(), machine::load());
    println!("machine: {}", machine::name(&options.folder));
    for id in &options.rows {
        eprintln!("{id:?} ...");
        let folder = tempfile::tempdir_in(&options.folder)?;
        let rows = id.measure(options, folder.path());
        for row in rows.map_err(|error| format!("{id:?}: {error}"))? {
            let line = row.markdown(&on);
            eprintln!("{line}");
            println!("{line}");
        }
    }
    Ok(())
}
