//! The commands, one file each.

mod get;
mod run;
mod scan;
mod verify;

use crate::failure::Failure;
use crate::settings::{Command, Settings};

/// Carries a command out.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    match &settings.command {
        Command::Run(command) => run::run(settings, command),
        Command::Get(command) => get::run(settings, command),
        Command::Scan(command) => scan::run(settings, command),
        Command::Verify(command) => verify::run(settings, *command),
    }
}
