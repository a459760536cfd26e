//! Starting other programs.
//!
//! Invariant: what `cargo run` put into this process's environment for xtask itself never reaches
//! a child. A *hermetic* child is also free of the caller's compiler flags and profiles, so that
//! std and the guests come out alike on every machine.

use crate::error::{Error, Result};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Set by cargo for the package it runs, wrong for any other package.
const OF_XTASK: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
];

/// Variables that change what a compilation gives.
const FLAGS: [&str; 12] = [
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "__CARGO_",
];

/// The cargo that runs xtask, or the one on the PATH.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from))
}

/// A child that sees the caller's environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    forget(&mut command, &OF_XTASK);
    command
}

/// Takes the caller's compiler flags, profiles and target folder from a command.
pub(crate) fn hermetic(mut command: Command) -> Command {
    forget(&mut command, &FLAGS);
    command
}

fn forget(command: &mut Command, prefixes: &[&str]) {
    for (name, _) in std::env::vars_os() {
        if prefixes
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
}

/// Runs to the end with the caller's output streams; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| not_started(command, &error))?;
    succeeded(command, status)
}

/// Like [`run`], with nothing shown; says only whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Like [`run`], but gives up after `limit` and ends the child.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = command
        .spawn()
        .map_err(|error| not_started(command, &error))?;
    let started = Instant::now();
    while started.elapsed() < limit {
        match child.try_wait() {
            Ok(Some(status)) => return succeeded(command, status),
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(not_started(command, &error)),
        }
    }
    // Already over is as good as killed; there is nobody to tell of another failure.
    let _ = child.kill();
    let _ = child.wait();
    Err(Error::new(format!(
        "`{}` was not done after {} s",
        shown(command),
        limit.as_secs()
    )))
}

/// Runs to the end and gives its standard output; standard error stays the caller's.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_started(command, &error))?;
    succeeded(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where cargo keeps the source of crates.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    set("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .ok_or_else(|| {
            Error::new("cargo's folder cannot be found").remedy("set HOME or CARGO_HOME")
        })
}

/// Whether a program of this name is on the PATH.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("`{}` failed: {status}", shown(command))))
}

fn not_started(command: &Command, error: &std::io::Error) -> Error {
    Error::new(format!("cannot run `{}`: {error}", shown(command)))
}
