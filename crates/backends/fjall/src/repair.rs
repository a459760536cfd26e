//! The end of a journal, cut off and kept beside it.
//!
//! Invariant: at every moment all bytes are in the journal, in a copy that is
//! durable, or in both. Whether they may be cut off is decided in `tail`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use wasm_storage_engine::Error;

use crate::journal::TRAILER;
use crate::{error, folder};

/// The name of what was cut off ends so, behind the journal's: `0.jnl.torn`.
pub(crate) const KEPT: &str = ".torn";
/// And so, until it is complete.
pub(crate) const KEPT_UNFINISHED: &str = ".torn-unfinished";

/// What was cut off a journal when the store was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The journal.
    pub journal: PathBuf,
    /// Where it was cut: all whole batches are before it. In bytes.
    pub offset: u64,
    /// From there to the last byte of the torn batch, in bytes.
    pub bytes: u64,
    /// Whether this was damage that [`Config::discard_damaged`](crate::Config) has
    /// given up, and not just a write that was not finished.
    pub damaged: bool,
    /// A copy of them, at the offset they had. `None` where the disk was full and
    /// the batch had no end anyway.
    pub kept: Option<PathBuf>,
}

impl std::fmt::Display for Repair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.damaged {
            true => "damaged bytes and all behind them",
            false => "unacknowledged bytes of a last write that was not finished",
        };
        let journal = self.journal.display();
        write!(
            f,
            "discarded {} {what}, at offset {} of {journal}",
            self.bytes, self.offset
        )?;
        match &self.kept {
            Some(kept) => write!(f, "; they are kept in {}", kept.display()),
            None => f.write_str("; the disk has no room to keep them"),
        }
    }
}

/// Keeps `tail` beside the journal and cuts it off. The copy is durable before the
/// cut, the cut before this returns.
pub(crate) fn cut(
    path: &Path,
    journal: &Path,
    offset: u64,
    tail: &[u8],
    damaged: bool,
) -> Result<Repair, Error> {
    let failed = |doing: &'static str| move |e| error::io(path, doing, e);
    let kept = match keep(path, journal, offset, tail) {
        Ok(kept) => Some(kept),
        // What fjall itself would cut off is not worth more than the store.
        Err(full) if is_full(&full) && !damaged && !tail.ends_with(TRAILER) => None,
        Err(other) => return Err(failed("keeping a copy of a torn last batch")(other)),
    };
    let cutting = failed("cutting off a torn last batch");
    File::options()
        .write(true)
        .open(journal)
        .and_then(|file| {
            file.set_len(offset)?;
            file.sync_all()
        })
        .and_then(|()| folder::sync(path))
        .map_err(cutting)?;
    Ok(Repair {
        journal: journal.to_path_buf(),
        offset,
        bytes: tail.len() as u64,
        damaged,
        kept,
    })
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// Writes the copy, then removes earlier ones.
fn keep(path: &Path, journal: &Path, offset: u64, tail: &[u8]) -> io::Result<PathBuf> {
    let named = |suffix: &str| {
        let mut name = journal.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let (unfinished, copy) = (named(KEPT_UNFINISHED), named(KEPT));
    let written = write_at(&unfinished, offset, tail).and_then(|()| fs::rename(&unfinished, &copy));
    if let Err(error) = written {
        // It is of no use, and this may be for lack of space.
        fs::remove_file(&unfinished).ok();
        return Err(error);
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if folder::is_kept_tail(&entry.file_name()) && entry.path() != copy {
            fs::remove_file(entry.path())?;
        }
    }
    folder::sync(path)?;
    Ok(copy)
}

fn write_at(path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    file.sync_all()
}
