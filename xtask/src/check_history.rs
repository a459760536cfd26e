//! `cargo xtask check-history`: invocations that conflict on purpose, and a look for a serial
//! order that explains what they saw.
//!
//! The test is `stress/src/history.rs`, which also says what may be asked of it; this file hands
//! everything over, once for each engine if none is named.

use crate::error::Result;
use crate::stress;
use crate::workspace::Workspace;
use std::ffi::OsString;

/// All engines.
const ENGINES: [&str; 3] = ["fjall", "redb", "memory"];

/// What to run.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// As `stress history --help` has them; without --backend, all engines in turn
    #[arg(
        value_name = "--threads N, --invocations N, --workload mixed|bank|skew|hot, \
                      --backend fjall|redb|memory, --seed S",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    handed_over: Vec<OsString>,
}

/// Runs it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    stress::hand_over(workspace, "history", &arguments.handed_over, &ENGINES)
}
