//! Where the store is and what it may use. Durability is not here: it is asked
//! for at every commit (`OrderedKv::apply`).

use std::path::PathBuf;

/// How [`Fjall::open`](crate::Fjall::open) opens a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The store's folder. Its parent must exist.
    pub path: PathBuf,
    /// Whether a store is made where there is none. Default: true.
    pub create: bool,
    /// Whether a store is opened that an earlier opening has marked because a write
    /// failed (`NEEDS_CHECK`), to look what is in it; see
    /// [`Fjall::accept`](crate::Fjall::accept). Default: false, it is refused.
    pub although_marked: bool,
    /// Whether everything behind a damaged batch of the newest journal is given up,
    /// acknowledged or not; a copy is kept. Default: false, the store is `Corrupt`.
    /// (A torn last write is cut off anyway.)
    pub discard_damaged: bool,
    /// Threads that flush and compact in the background, 1 at least. Default: 1.
    /// More let a long compaction and a flush go on side by side.
    pub worker_threads: usize,
    /// Memory for cached blocks of tables, in bytes. Default: 32 MiB.
    pub cache_bytes: u64,
}

impl Config {
    /// Default of [`Config::cache_bytes`].
    pub const CACHE_BYTES: u64 = 32 * 1024 * 1024;

    /// The store at `path`, made if it is missing, everything else by default.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config {
            path: path.into(),
            create: true,
            although_marked: false,
            discard_damaged: false,
            worker_threads: 1,
            cache_bytes: Self::CACHE_BYTES,
        }
    }
}
