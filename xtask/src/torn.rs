//! `cargo xtask torn`: stores whose last write is torn, opened by the thousand.
//!
//! The test is `stress/src/torn.rs`; this file hands over what was asked, for one engine or for
//! both in turn.

use crate::error::Result;
use crate::stress;
use crate::workspace::Workspace;
use clap::ValueEnum;

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The engine; without it, all of them in turn
    #[arg(long)]
    backend: Option<Backend>,
    /// Torn tails to try on each engine
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// Where the random choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The engines that have a tail.
#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    Fjall,
    Redb,
}

/// Runs it; the error of the first engine that breaks the promise.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let chosen = arguments.backend;
    for backend in chosen
        .as_ref()
        .map_or(Backend::value_variants(), |one| std::slice::from_ref(one))
    {
        let name = match backend {
            Backend::Fjall => "fjall",
            Backend::Redb => "redb",
        };
        let (count, seed) = (arguments.count.to_string(), arguments.seed.to_string());
        let words = [
            "torn",
            "--backend",
            name,
            "--count",
            &count,
            "--seed",
            &seed,
        ];
        stress::run(workspace, words)?;
    }
    Ok(())
}
