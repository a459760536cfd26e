//! Tests that run for minutes and end with one line of numbers: each subcommand
//! is a file of its own, started by `cargo xtask` under the same name.
//!
//! Invariant: the last line of standard output says what was counted, and the exit
//! code is 1 unless every number that must be 0 is 0. What is tested is made by
//! the libraries (`wasm-storage-testkit`); here are only counts and reports.

#![forbid(unsafe_code)]

mod backend;
mod commits;
mod crash;
mod history;
mod torn;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Long tests of the store's promises.
#[derive(Parser)]
#[command(name = "stress", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes of which a power failure kept only some sectors: no acknowledged commit is lost
    Torn(torn::Arguments),
    /// A process killed while it writes, or whose writes fail: what it acknowledged is there, once
    /// and whole, and the outcome of what it did not learn is told
    Crash(crash::Arguments),
    /// Invocations that conflict: some serial order explains what they saw
    History(history::Arguments),
    #[command(hide = true)]
    CrashChild(crash::child::Arguments),
    #[command(hide = true)]
    Commits(commits::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Torn(arguments) => torn::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::CrashChild(arguments) => crash::child::run(&arguments),
        Command::Commits(arguments) => commits::run(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stress: {error}");
            ExitCode::FAILURE
        }
    }
}
