//! The stages of `cargo xtask test`, in their order; each is one check of the whole project.
//!
//! What they have in common: the dev profile and the caller's flags, so that no stage makes
//! another one's work obsolete. For the same reason `--examples` stands where it seems to do
//! nothing: cargo then chooses the features of dependencies as it does for tests, and Wasmtime is
//! not built twice. Order, times and table are in `test.rs`.

use crate::error::Result;
use crate::guests::{self, FOLDER_VARIABLE, Guests};
use crate::process;
use crate::workspace::Workspace;
use crate::{layers, proofs, sizes};
use clap::ValueEnum;

/// One stage; the order here is the order they run in, cheap checks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Stage {
    /// Formatting of crates and guests
    Fmt,
    /// Dependencies between crates
    Layers,
    /// The tests that docs/ names as proofs
    Proofs,
    /// The Wasm toolchain, and a build of all guests
    Guests,
    /// clippy of crates and guests, warnings denied
    Clippy,
    /// Unit and integration tests, guests on their runtimes included
    Tests,
    /// The examples in the documentation
    Doctests,
    /// The documentation, warnings denied
    Docs,
    /// The size promises of the guest crate
    Sizes,
}

impl Stage {
    /// The name it has in the table and as an argument.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Runs it; its output is the caller's.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Fmt => fmt(workspace),
            Self::Layers => layers::run(workspace),
            Self::Proofs => proofs::run(workspace),
            Self::Guests => Guests::of(workspace)?.build().map(|_| ()),
            Self::Clippy => clippy(workspace),
            Self::Tests => tests(workspace),
            Self::Doctests => doctests(workspace),
            Self::Docs => docs(workspace),
            Self::Sizes => sizes::run(workspace),
        }
    }
}

fn fmt(workspace: &Workspace) -> Result<()> {
    process::run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    for folder in guests::workspaces(workspace)? {
        let mut cargo = workspace.cargo();
        process::run(
            cargo
                .args(["fmt", "--all", "--check", "--manifest-path"])
                .arg(folder.join("Cargo.toml")),
        )?;
    }
    Ok(())
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let all = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ];
    process::run(workspace.cargo().args(all))?;
    let guests = Guests::of(workspace)?;
    if !guests.by_default_toolchain() {
        println!("clippy of the guests left out: the default toolchain has no std for Wasm");
        return Ok(());
    }
    guests.clippy()
}

fn tests(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    if process::succeeds(workspace.cargo().args(["nextest", "--version"])) {
        cargo.args(["nextest", "run", "--workspace"]);
    } else {
        cargo.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--examples",
        ]);
    }
    process::run(cargo.env(FOLDER_VARIABLE, Guests::of(workspace)?.build()?))
}

fn doctests(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--workspace", "--doc"]);
    process::run(cargo.env(FOLDER_VARIABLE, Guests::of(workspace)?.build()?))
}

fn docs(workspace: &Workspace) -> Result<()> {
    let inherited = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    let mut cargo = workspace.cargo();
    cargo.args(["doc", "--workspace", "--no-deps", "--all-features"]);
    cargo.args(["--lib", "--bins", "--examples"]);
    process::run(cargo.env("RUSTDOCFLAGS", format!("{inherited} -D warnings").trim()))
}
