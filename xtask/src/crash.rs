//! `cargo xtask crash`: kills processes that write and lets their writes fail, and looks for what
//! they acknowledged.
//!
//! The test is `stress/src/crash.rs`, which also says what may be asked of it; this file hands
//! everything over, once for each engine if none is named.

use crate::error::Result;
use crate::stress;
use crate::workspace::Workspace;
use std::ffi::OsString;

/// The engines that keep anything.
const ENGINES: [&str; 2] = ["fjall", "redb"];

/// What to run.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// As `stress crash --help` has them; without --backend, all engines in turn
    #[arg(
        value_name = "--kills N, --backend fjall|redb, --writers W, --seed S",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    handed_over: Vec<OsString>,
}

/// Runs it.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    stress::hand_over(workspace, "crash", &arguments.handed_over, &ENGINES)
}
