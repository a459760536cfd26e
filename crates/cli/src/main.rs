//! The command line `wasm-storage`: run guests, look into stores.
//!
//! The way of one command: [`args`] (what was typed) → [`settings`] (what it means
//! here) → one function in [`commands`] → here, an exit code.
//!
//! Invariant: standard output carries results only. Errors, warnings and notes are
//! one line each on standard error, without control characters: guests and stored
//! bytes must not drive a terminal.
//!
//! | file | idea |
//! |---|---|
//! | [`args`] | arguments, options, help |
//! | [`units`] | durations and sizes as they are typed |
//! | [`settings`] | environment and defaults → all that a command needs |
//! | [`commands`] | `run`, `get`, `scan`, `verify` |
//! | [`opening`] | the store and the namespace of a command |
//! | [`buffers`] | text and bytes for a guest's function |
//! | [`numbers`] | arguments of a guest's function, by its type |
//! | [`show`] | keys and values as text |
//! | [`failure`] | why a command ends, and its exit code |
#![forbid(unsafe_code)]

mod args;
mod buffers;
mod commands;
mod failure;
mod numbers;
mod opening;
mod settings;
mod show;
mod units;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::failure::Failure;
use crate::settings::Settings;

fn main() -> ExitCode {
    match Settings::resolve(Args::parse()).and_then(|settings| commands::run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough, as in `scan | head`.
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say("error", &failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// One line on standard error.
fn say(what: &str, text: &str) {
    let line = show::one_line(text);
    // Where standard error is closed, nobody is told.
    writeln!(std::io::stderr(), "{what}: {line}").ok();
}
