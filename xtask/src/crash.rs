//! `cargo xtask crash`: kills processes that write and lets their writes fail, and looks for what
//! they acknowledged.
//!
//! The test is `stress/src/crash.rs`, which also says what may be asked of it; this file hands
//! everything over, once for each engine if none is named.

use crate::error::Result;
use crate::stress;
use crate::workspace::Workspace;
use std::ffi::{OsStr, OsString};

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

/// Runs it; the error of the first engine that breaks the promise.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let given = &arguments.handed_over;
    let words =
        || std::iter::once(OsStr::new("crash")).chain(given.iter().map(OsString::as_os_str));
    if names_an_engine(given) {
        return stress::run(workspace, words());
    }
    for engine in ENGINES {
        let backend = ["--backend", engine].map(OsStr::new);
        stress::run(workspace, words().chain(backend))?;
    }
    Ok(())
}

/// Also where help is asked for: once is enough.
fn names_an_engine(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument.starts_with("--backend") || ["-h", "--help"].contains(&&*argument)
    })
}

#[cfg(test)]
mod tests {
    use super::names_an_engine;

    #[test]
    fn an_engine_is_named_in_either_form() {
        let named = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(Into::into).collect();
            names_an_engine(&words)
        };
        assert!(named(&["--kills", "5", "--backend", "redb"]));
        assert!(named(&["--backend=redb"]) && named(&["--help"]));
        assert!(!named(&[]) && !named(&["--kills", "5"]));
    }
}
