//! The place of a store, before redb sees it.
//!
//! redb makes a store in a file that is empty, and refuses every other that does
//! not begin like one of its own. So it does not open again what it has left itself
//! when it was killed while it made a store: a file of its size whose magic is still
//! missing. This file tells that from a file of something else.
//!
//! redb makes a store in this order (4.5.0, `page_manager.rs`): length, header
//! without the magic, sync, magic, sync. Until there is a magic, nothing is stored.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use wasm_storage_engine::{Error, Kind};

use crate::config::Config;
use crate::{error, mark};

/// What a store begins with.
const MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";
/// The header, behind which the pages begin, in bytes.
const HEADER: usize = 320;

/// Makes sure that redb can be let loose on the place: a store is there, or nothing
/// and `create` is set. Gives the text of the mark of a store that has one and is
/// opened although.
///
/// Errors: `InvalidArgument` for a path where no store can be and, without
/// `create`, for one where none is; `Corrupt` for a marked store; `Io`.
pub(crate) fn prepare(config: &Config) -> Result<Option<String>, Error> {
    let path = config.path.as_path();
    let bad = |text: &str| error::plain(Kind::InvalidArgument, path, text);
    let none = || {
        let text = format!("no store at {}", path.display());
        Err(Error::new(Kind::InvalidArgument, text))
    };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(bad("is a folder; a redb store is a file")),
        Ok(_) => {}
        Err(missing) if missing.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            return match parent {
                Some(parent) if !parent.is_dir() => Err(bad(&format!(
                    "its parent folder {} is missing",
                    parent.display()
                ))),
                _ if config.create => Ok(None),
                _ => none(),
            };
        }
        Err(other) if other.kind() == ErrorKind::NotADirectory => {
            return Err(bad("a part of this path is a file, not a folder"));
        }
        Err(other) => return Err(error::io(path, "looking at it", other)),
    }
    let opening = |e| error::io(path, "opening the store", e);
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(opening)?;
    // What another process is changing or just making is not judged.
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(error::held(path)),
        Err(TryLockError::Error(other)) => return Err(error::io(path, "locking it", other)),
    }
    match look(&mut file).map_err(opening)? {
        Found::Store => mark::check(path, config.although_marked),
        Found::Foreign => Err(bad("the file holds something else than a redb store")),
        Found::Nothing if !config.create => none(),
        Found::Nothing => {
            file.set_len(0)
                .map_err(|e| error::io(path, "removing an unfinished creation", e))?;
            Ok(None)
        }
    }
}

/// What a file is.
enum Found {
    Store,
    /// Empty, or what a creation that was killed has left.
    Nothing,
    Foreign,
}

fn look(file: &mut File) -> io::Result<Found> {
    let mut begin = Vec::new();
    file.take(HEADER as u64).read_to_end(&mut begin)?;
    if begin.starts_with(MAGIC) {
        return Ok(Found::Store);
    }
    if begin.iter().take(MAGIC.len()).any(|byte| *byte != 0) {
        return Ok(Found::Foreign);
    }
    file.seek(SeekFrom::Start(HEADER as u64))?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Found::Nothing),
            n if chunk.iter().take(n).any(|byte| *byte != 0) => return Ok(Found::Foreign),
            _ => {}
        }
    }
}

/// Makes durable that a file is in its folder.
#[cfg(unix)]
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    match File::open(parent.unwrap_or(Path::new("."))) {
        // A folder that may be searched but not read, nobody can sync.
        Err(denied) if denied.kind() == ErrorKind::PermissionDenied => Ok(()),
        folder => folder?.sync_all(),
    }
}

/// Only Unix can sync a folder.
#[cfg(not(unix))]
pub(crate) fn sync_folder_of(_path: &Path) -> io::Result<()> {
    Ok(())
}
