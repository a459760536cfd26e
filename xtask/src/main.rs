//! `cargo xtask`: the project's automation, in Rust, behind one alias.
//!
//! This file only names the commands and hands each to the module that carries it out. Cargo is
//! all they need; what builds Wasm calls [`setup`] by itself.

#![forbid(unsafe_code)]

mod artifacts;
mod bench;
mod check_history;
mod crash;
mod demo;
mod error;
mod guests;
mod layers;
mod module;
mod process;
mod proofs;
mod setup;
mod sizes;
mod stages;
mod stress;
mod test;
mod torn;
mod workspace;

use clap::{Parser, Subcommand};
use stages::Stage;
use std::path::PathBuf;
use std::process::ExitCode;
use workspace::Workspace;

/// The project's automation.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make wasm32-unknown-unknown usable by cargo; does nothing where it already is
    #[command(after_help = setup::HELP)]
    Setup,
    /// Build the guest programs; their modules go to target/guests
    Guests,
    /// Measure what the guest crate adds to a module, against its promised limits
    Sizes,
    /// Check that crates depend only on those they may know
    CheckLayers,
    /// Run all checks and tests, or the named stages, and show how long each took
    Test {
        /// Stages to run, in their own order; none: all
        stages: Vec<Stage>,
    },
    /// Measure rows of the performance goals and keep them in docs/performance.md
    Bench(bench::Arguments),
    /// Show the whole thing at work on the command line, and check it
    Demo {
        /// Texts to count words in; none: the licence texts of this machine
        files: Vec<PathBuf>,
    },
    /// Open stores whose last write is torn; the last line counts what was lost
    Torn(torn::Arguments),
    /// Kill processes that write, let writes fail; the last line counts what was lost or told wrong
    Crash(crash::Arguments),
    /// Run invocations that conflict; the last line counts what no serial order explains
    CheckHistory(check_history::Arguments),
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> error::Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Setup => setup::run().map(|_| ()),
        Task::Guests => guests::run(&workspace),
        Task::Sizes => sizes::run(&workspace),
        Task::CheckLayers => layers::run(&workspace),
        Task::Test { stages } => test::run(&workspace, stages),
        Task::Bench(arguments) => bench::run(&workspace, arguments),
        Task::Demo { files } => demo::run(&workspace, files),
        Task::Torn(arguments) => torn::run(&workspace, arguments),
        Task::Crash(arguments) => crash::run(&workspace, arguments),
        Task::CheckHistory(arguments) => check_history::run(&workspace, arguments),
    }
}
