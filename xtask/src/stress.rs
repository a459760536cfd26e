//! Starting the long tests, `stress/`, a program of the workspace of its own.
//!
//! Invariant: the dev profile, so that what `cargo xtask test` has built is used; the program's
//! exit code decides, its last line has the numbers.

use crate::error::Result;
use crate::process;
use crate::workspace::Workspace;
use std::ffi::{OsStr, OsString};

/// Builds `stress` and runs it with `arguments`, the first of which is the subcommand.
pub(crate) fn run<A: AsRef<OsStr>>(
    workspace: &Workspace,
    arguments: impl IntoIterator<Item = A>,
) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--package", "wasm-storage-stress", "--"]);
    process::run(cargo.args(arguments))
}

/// Hands over what the caller has written behind a subcommand; where that names no engine, once
/// for each of `engines`. The error of the first that breaks the promise.
pub(crate) fn hand_over(
    workspace: &Workspace,
    subcommand: &str,
    given: &[OsString],
    engines: &[&str],
) -> Result<()> {
    let words =
        || std::iter::once(OsStr::new(subcommand)).chain(given.iter().map(OsString::as_os_str));
    if names_an_engine(given) {
        return run(workspace, words());
    }
    for engine in engines {
        let backend = ["--backend", engine].map(OsStr::new);
        run(workspace, words().chain(backend))?;
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
