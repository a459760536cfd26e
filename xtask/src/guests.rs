//! `cargo xtask guests`: builds the programs under `guests/` and puts their modules in one folder.
//!
//! Invariant: after a build `target/guests` holds exactly the modules of this checkout's guests,
//! none of a guest that is gone. Tests find the folder by the variable [`FOLDER_VARIABLE`].
//!
//! The guests are a workspace of their own, so that building for Wasm never changes which features
//! the native crates are built with. A folder in it with a Cargo.lock is one more workspace: cargo
//! admits no two versions 0.1.x of a crate in one.

mod groups;

use crate::artifacts::{self, Artifact};
use crate::error::{At, Error, Result};
use crate::process;
use crate::setup::{self, TARGET, WasmToolchain};
use crate::workspace::{self, Workspace};
use groups::Group;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that tells tests where the modules are.
pub(crate) const FOLDER_VARIABLE: &str = "WASM_STORAGE_GUESTS";

/// The guests of this checkout and the toolchain that builds them.
pub(crate) struct Guests<'a> {
    workspace: &'a Workspace,
    toolchain: WasmToolchain,
    /// Each with the folder of its workspace.
    groups: Vec<(PathBuf, Group)>,
}

impl<'a> Guests<'a> {
    /// Finds them, and sets the toolchain up where it is missing.
    pub(crate) fn of(workspace: &'a Workspace) -> Result<Self> {
        let mut groups = Vec::new();
        for folder in workspaces(workspace)? {
            let metadata = workspace::metadata(workspace.cargo().current_dir(&folder))?;
            let of = groups::of(&metadata).into_iter();
            groups.extend(of.map(|group| (folder.clone(), group)));
        }
        if groups.is_empty() {
            return Err(Error::new("there is no guest in guests/")
                .remedy("make a folder with a Cargo.toml there; it is a member by that"));
        }
        Ok(Self {
            workspace,
            toolchain: setup::run()?,
            groups,
        })
    }

    /// Builds all; returns the folder with a module for each.
    pub(crate) fn build(&self) -> Result<PathBuf> {
        let folder = self.workspace.target.join("guests");
        fs::create_dir_all(&folder).at("make the folder", &folder)?;
        let mut current = BTreeSet::new();
        for artifact in self.artifacts("release", |_| true)? {
            let Some(module) = artifact.file("wasm") else {
                continue;
            };
            let name = module.file_name().unwrap_or_default();
            copy_if_new(module, &folder.join(name))?;
            current.insert(name.to_owned());
        }
        remove_others(&folder, &current)?;
        Ok(folder)
    }

    /// Builds the wanted guests in a profile.
    pub(crate) fn artifacts(
        &self,
        profile: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<Artifact>> {
        let mut built = Vec::new();
        for (folder, group) in &self.groups {
            let names: Vec<&str> = group.names().filter(|name| wanted(name)).collect();
            if names.is_empty() {
                continue;
            }
            let mut cargo = self.cargo(folder)?;
            cargo.args(["build", "--profile", profile]);
            if !self.by_default_toolchain() {
                // Possibly an older compiler, taken because there is no other: cargo shall try it.
                cargo.arg("--ignore-rust-version");
            }
            built.extend(artifacts::build(packages(&mut cargo, names))?);
        }
        Ok(built)
    }

    /// Runs clippy on all; only the default toolchain can.
    pub(crate) fn clippy(&self) -> Result<()> {
        for (folder, group) in &self.groups {
            let mut cargo = self.cargo(folder)?;
            packages(cargo.arg("clippy"), group.names());
            process::run(cargo.args(["--", "-D", "warnings"]))?;
        }
        Ok(())
    }

    /// The names of all guests.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|(_, group)| group.names())
    }

    /// Whether the default toolchain builds the guests, so that its clippy can look at them.
    pub(crate) fn by_default_toolchain(&self) -> bool {
        self.toolchain.rustc.is_none()
    }

    /// Cargo in a workspace of guests, set to the Wasm target.
    fn cargo(&self, folder: &Path) -> Result<Command> {
        let mut cargo = self.toolchain.cargo();
        // No path of this machine in a module: modules come out alike, and as small, anywhere.
        let home = process::cargo_home()?;
        let root = self.workspace.root.display();
        let flags = [
            format!("--remap-path-prefix={root}/="),
            format!("--remap-path-prefix={}=/cargo", home.display()),
        ];
        let target = format!("guests-build{}", self.toolchain.folder_suffix()?);
        cargo
            .current_dir(folder)
            .env("CARGO_BUILD_TARGET", TARGET)
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", self.workspace.target.join(target));
        Ok(cargo)
    }
}

/// The folders of the guests' workspaces, the large one first.
pub(crate) fn workspaces(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let guests = workspace.root.join("guests");
    let entries = fs::read_dir(&guests).at("read", &guests)?;
    let mut folders = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .at("read", &guests)?;
    folders.retain(|folder| folder.join("Cargo.lock").is_file());
    folders.sort();
    folders.insert(0, guests);
    Ok(folders)
}

fn packages(
    cargo: &mut Command,
    names: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> &mut Command {
    names
        .into_iter()
        .fold(cargo, |cargo, name| cargo.arg("--package").arg(name))
}

/// `cargo xtask guests`: builds and lists.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let folder = Guests::of(workspace)?.build()?;
    println!("{}:", workspace.short(&folder).display());
    for name in modules(&folder)? {
        let path = folder.join(&name);
        let bytes = fs::metadata(&path).at("look at", &path)?.len();
        println!("{bytes:>9} B  {}", name.display());
    }
    Ok(())
}

/// A module that did not change keeps its time: caches go by it.
fn copy_if_new(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).at("read", from)?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    // By rename: a test that runs now sees the old module or the new one.
    let part = to.with_extension("part");
    fs::write(&part, new).at("write", &part)?;
    fs::rename(&part, to).at("write", to)
}

fn remove_others(folder: &Path, current: &BTreeSet<OsString>) -> Result<()> {
    for name in modules(folder)?.difference(current) {
        let path = folder.join(name);
        fs::remove_file(&path).at("remove", &path)?;
    }
    Ok(())
}

fn modules(folder: &Path) -> Result<BTreeSet<OsString>> {
    let entries = fs::read_dir(folder).at("read", folder)?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names
        .collect::<std::io::Result<BTreeSet<_>>>()
        .at("read", folder)?;
    names.retain(|name| Path::new(name).extension().is_some_and(|is| is == "wasm"));
    Ok(names)
}
