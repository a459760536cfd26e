//! The folder that setup keeps its work in, outside the checkout: one std serves every clone.
//!
//! Invariant: whoever holds a [`Cache`] is the only one on this machine at work in it, and a
//! folder in it is either complete or absent (work happens in [`Scratch`], then one rename).

use crate::error::{At, Error, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The locked cache folder.
pub(super) struct Cache {
    folder: PathBuf,
    _lock: File,
}

impl Cache {
    /// Opens the folder; waits while another process sets up.
    pub(super) fn open() -> Result<Self> {
        let base = match (std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME")) {
            (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
            (_, Some(home)) if !home.is_empty() => Path::new(&home).join(".cache"),
            _ => {
                return Err(Error::new("there is no folder to keep a Wasm std in")
                    .remedy("set HOME or XDG_CACHE_HOME"));
            }
        };
        let folder = base.join("wasm-storage");
        fs::create_dir_all(&folder).at("make the folder", &folder)?;
        // An absolute path without links: cargo takes no other for the source of std.
        let folder = fs::canonicalize(&folder).at("find", &folder)?;
        let path = folder.join("setup.lock");
        let lock = File::create(&path).at("make", &path)?;
        if lock.try_lock().is_err() {
            super::say("waiting for another setup to end");
            lock.lock().at("lock", &path)?;
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// A path in the cache; nothing is made.
    pub(super) fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// Whether a path lies in the cache.
    pub(super) fn contains(&self, path: &Path) -> bool {
        path.starts_with(&self.folder)
    }

    /// An empty folder to work in.
    pub(super) fn scratch(&self) -> Result<Scratch> {
        // The lock is held: what lies there was left by a setup that was interrupted.
        let folder = self.path("work");
        if folder.exists() {
            fs::remove_dir_all(&folder).at("remove", &folder)?;
        }
        fs::create_dir_all(&folder).at("make the folder", &folder)?;
        Ok(Scratch { folder })
    }
}

/// A folder that is removed at the end.
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// A sub-folder; made here.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).at("make the folder", &folder)?;
        Ok(folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next setup removes what stays.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Puts a finished folder where it belongs, over what lies there.
pub(super) fn publish(finished: &Path, place: &Path) -> Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).at("make the folder", parent)?;
    }
    if place.exists() {
        fs::remove_dir_all(place).at("remove", place)?;
    }
    fs::rename(finished, place).at("move the new std to", place)
}
