//! The engines that a stress test can be told to run on.

use clap::ValueEnum;

/// An embedded engine, as `--backend` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// fjall: a folder
    Fjall,
    /// redb: a file
    Redb,
}
