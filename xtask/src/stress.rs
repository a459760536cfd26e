//! Starting the long tests, `stress/`, a program of the workspace of its own.
//!
//! Invariant: the dev profile, so that what `cargo xtask test` has built is used; the program's
//! exit code decides, its last line has the numbers.

use crate::error::Result;
use crate::process;
use crate::workspace::Workspace;
use std::ffi::OsStr;

/// Builds `stress` and runs it with `arguments`, the first of which is the subcommand.
pub(crate) fn run<A: AsRef<OsStr>>(
    workspace: &Workspace,
    arguments: impl IntoIterator<Item = A>,
) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "wasm-storage-stress", "--"]);
    process::run(cargo.args(arguments))
}
