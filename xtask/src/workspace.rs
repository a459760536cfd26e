//! Where things are in this checkout, asked of `cargo metadata`.

use crate::error::{Error, Result};
use crate::process;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// This checkout.
pub(crate) struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, wherever the caller's settings put it.
    pub(crate) target: PathBuf,
    /// All of `cargo metadata --no-deps`.
    pub(crate) metadata: Value,
}

impl Workspace {
    /// Finds the workspace that the current folder belongs to.
    pub(crate) fn find() -> Result<Self> {
        let metadata = metadata(&mut process::cargo())?;
        let path = |name: &str| match metadata.get(name).and_then(Value::as_str) {
            Some(path) => Ok(PathBuf::from(path)),
            None => Err(Error::new(format!("`cargo metadata` names no {name}"))),
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            metadata,
        })
    }

    /// Cargo for the main workspace, with the caller's settings.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = process::cargo();
        cargo.current_dir(&self.root);
        // A relative one would mean another folder after the change above.
        if std::env::var_os("CARGO_TARGET_DIR").is_some() {
            cargo.env("CARGO_TARGET_DIR", &self.target);
        }
        cargo
    }

    /// A path as short as a reader in the workspace's folder can have it.
    pub(crate) fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// What `cargo metadata` says of the packages of a workspace, without those from outside.
pub(crate) fn metadata(cargo: &mut Command) -> Result<Value> {
    let json = process::output(cargo.args(["metadata", "--format-version", "1", "--no-deps"]))?;
    serde_json::from_str(&json)
        .map_err(|error| Error::new(format!("cannot read `cargo metadata`: {error}")))
}
