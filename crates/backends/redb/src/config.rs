//! Where the store is and what it may use.

use std::path::PathBuf;

/// How [`Redb::open`](crate::Redb::open) opens a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The store's file. Its folder must exist.
    pub path: PathBuf,
    /// Whether a store is made where there is none. Default: true.
    pub create: bool,
    /// Whether a store is opened that an earlier opening has marked because a write
    /// failed (`PATH.needs-check`), to look what is in it; see
    /// [`Redb::accept`](crate::Redb::accept). All of it is checked by redb when it is
    /// opened so. Default: false, it is refused.
    pub although_marked: bool,
    /// Memory for cached pages, in bytes. Default: 64 MiB (redb's own is 1 GiB).
    pub cache_bytes: usize,
}

impl Config {
    /// Default of [`Config::cache_bytes`].
    pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

    /// The store at `path`, made if it is missing, everything else by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config {
            path: path.into(),
            create: true,
            although_marked: false,
            cache_bytes: Self::CACHE_BYTES,
        }
    }
}
