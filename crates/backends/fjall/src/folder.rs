//! The store's folder, before fjall sees it and after it is made.
//!
//! fjall makes a database wherever it finds no file `version`, and deletes what
//! its catalog does not know. So this file looks first: a folder of something
//! else is refused and left as it is, a store with its catalog missing is
//! `Corrupt` rather than emptied, and what a creation that was killed has left,
//! which fjall does not open again, is removed.
//!
//! fjall makes, in this order: `lock`, `keyspaces/`, `0.jnl` (zeros), `version`,
//! then `keyspaces/0` (its catalog) and `keyspaces/1` (our `data`). Until there is
//! a `version`, nothing can have been stored.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use wasm_storage_engine::{Error, Kind};

use crate::config::Config;
use crate::manifest::{self, CURRENT};
use crate::repair::{KEPT, KEPT_UNFINISHED, Repair};
use crate::{error, mark, tail};

const LOCK: &str = "lock";
const VERSION: &str = "version";
/// What `version` begins with; one byte for the format follows.
const MAGIC: &[u8] = b"FJL";
/// fjall's format that we read.
const FORMAT: u8 = 3;
const VERSION_BYTES: usize = MAGIC.len() + 1;
const KEYSPACES: &str = "keyspaces";
const FIRST_JOURNAL: &str = "0.jnl";
/// Within a keyspace: the folder of its tables.
const TABLES: &str = "tables";

/// What was found and done before fjall is let loose.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    pub(crate) repair: Option<Repair>,
    /// What the mark says of a store that is opened although it has one.
    pub(crate) mark: Option<String>,
}

/// Makes sure that fjall can be let loose on `path`: a store is there, or nothing
/// and `create` is set. (Between this and fjall's own locking, another process can
/// have the store; it leaves it as good as any process does that is killed.)
///
/// Errors: `InvalidArgument` for a path where no store can be and, without
/// `create`, for one where none is; `Unavailable` if another process has the store
/// open or makes it; `Corrupt`; `Io`.
pub(crate) fn prepare(config: &Config) -> Result<Prepared, Error> {
    let (path, create) = (config.path.as_path(), config.create);
    let bad = |text: &str| error::plain(Kind::InvalidArgument, path, text);
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(bad("is a file; a store is a folder")),
        Err(missing) if missing.kind() == ErrorKind::NotFound => {
            return match create {
                true => make(path).map(|()| Prepared::default()),
                false => Err(none(path)),
            };
        }
        Err(other) if other.kind() == ErrorKind::NotADirectory => {
            return Err(bad("a part of this path is a file, not a folder"));
        }
        Err(other) => return Err(error::io(path, "looking at it", other)),
    }
    // What another process is changing or just making is not judged.
    let _lock = lock(path)?;
    if has_version(path)? {
        let mark = mark::check(path, config.although_marked)?;
        check(path)?;
        return Ok(Prepared {
            repair: tail::check(path, config.discard_damaged)?,
            mark,
        });
    }
    refuse_foreign(path)?;
    if !create {
        return Err(none(path));
    }
    for left in [FIRST_JOURNAL, VERSION] {
        match fs::remove_file(path.join(left)) {
            Err(other) if other.kind() != ErrorKind::NotFound => {
                return Err(error::io(path, "removing an unfinished creation", other));
            }
            _ => {}
        }
    }
    Ok(Prepared::default())
}

/// Makes durable the names that fjall's creation leaves to chance: of the folder
/// in its parent, and of the keyspaces in theirs. Needed before the first commit,
/// so whenever nothing is stored yet.
pub(crate) fn settle(path: &Path) -> Result<(), Error> {
    let parent = parent(path);
    for folder in [&path.join(KEYSPACES), path, &parent] {
        match sync(folder) {
            // A parent that may be searched but not read, nobody can sync.
            Err(denied) if denied.kind() == ErrorKind::PermissionDenied && folder == parent => {}
            Err(other) => {
                let doing = format!("syncing the folder {}", folder.display());
                return Err(error::io(path, &doing, other));
            }
            Ok(()) => {}
        }
    }
    Ok(())
}

fn none(path: &Path) -> Error {
    Error::new(
        Kind::InvalidArgument,
        format!("no store at {}", path.display()),
    )
}

/// Makes the last folder of the path.
fn make(path: &Path) -> Result<(), Error> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        // Another process was faster; fjall's lock decides between the two.
        Err(there) if there.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Err(error::plain(
            Kind::InvalidArgument,
            path,
            &format!("its parent folder {} is missing", parent(path).display()),
        )),
        Err(other) => Err(error::io(path, "making the folder", other)),
    }
}

/// The folder that `path` is in.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        Some(_) => PathBuf::from("."),
        // The root, or a prefix of Windows.
        None => path.to_path_buf(),
    }
}

/// Whether there is a database: `version` is whole.
///
/// Errors: `Unsupported` for another format than ours, `Corrupt` for none, `Io`.
fn has_version(path: &Path) -> Result<bool, Error> {
    let bytes = match fs::read(path.join(VERSION)) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(false),
        Err(other) => return Err(error::io(path, "reading its version", other)),
    };
    match bytes.strip_prefix(MAGIC).and_then(<[u8]>::first) {
        None => Ok(false),
        Some(&FORMAT) => Ok(true),
        Some(0) => Err(error::plain(
            Kind::Corrupt,
            path,
            &format!("the file {VERSION} names no format"),
        )),
        Some(other) => Err(error::format(path, *other)),
    }
}

/// Whether `version` is one that fjall began to write: a part of its bytes, or
/// zeros where the disk lost them.
fn unfinished_version(file: &Path) -> io::Result<bool> {
    let bytes = fs::read(file)?;
    Ok(bytes.len() <= VERSION_BYTES
        && (MAGIC.starts_with(&bytes) || bytes.iter().all(|byte| *byte == 0)))
}

/// fjall's own lock, if its file is there. Given back when the file is dropped.
fn lock(path: &Path) -> Result<Option<File>, Error> {
    let file = match File::options().read(true).write(true).open(path.join(LOCK)) {
        Ok(file) => file,
        // A folder of that name is not fjall's.
        Err(other) if matches!(other.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory) => {
            return Ok(None);
        }
        Err(other) => return Err(error::io(path, "opening its lock", other)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(error::held(path)),
        Err(TryLockError::Error(other)) => Err(error::io(path, "locking it", other)),
    }
}

/// In a folder without a version: refuses everything but what fjall's creation
/// makes before it.
fn refuse_foreign(path: &Path) -> Result<(), Error> {
    let reading = |e| error::io(path, "reading the folder", e);
    let mut entries = fs::read_dir(path)
        .and_then(|entries| entries.collect::<io::Result<Vec<_>>>())
        .map_err(reading)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let inside = entry.path();
        let is_dir = entry.file_type().map_err(reading)?.is_dir();
        let (ours, empty) = match name.to_str() {
            Some(LOCK) => (!is_dir, true),
            Some(KEYSPACES) => (is_dir, is_dir && !has_entries(&inside).map_err(reading)?),
            Some(FIRST_JOURNAL) => (!is_dir, !is_dir && only_zeros(&inside).map_err(reading)?),
            Some(VERSION) => (
                !is_dir && unfinished_version(&inside).map_err(reading)?,
                true,
            ),
            // Later journals and what we leave come after `version`.
            Some(mark::NAME) => (!is_dir, false),
            Some(_) if number(&name, ".jnl").is_some() || is_kept_tail(&name) => (!is_dir, false),
            _ => (false, false),
        };
        if !ours {
            return Err(error::plain(
                Kind::InvalidArgument,
                path,
                &format!(
                    "the folder holds something else than a store: {}",
                    name.display()
                ),
            ));
        }
        if !empty {
            return Err(error::plain(
                Kind::Corrupt,
                path,
                &format!(
                    "the file {VERSION} is missing or damaged, but {} is not empty",
                    name.display()
                ),
            ));
        }
    }
    Ok(())
}

fn only_zeros(file: &Path) -> io::Result<bool> {
    let mut file = File::open(file)?;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(true),
            n if chunk.iter().take(n).any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

/// What fjall would panic on or would delete data for.
fn check(path: &Path) -> Result<(), Error> {
    let reading = |e| error::io(path, "reading the folder", e);
    let damaged = |text: String| error::plain(Kind::Corrupt, path, &text);
    for entry in fs::read_dir(path).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let name = entry.file_name();
        let journal = Path::new(&name)
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("jnl"));
        if journal && (number(&name, ".jnl").is_none() || entry.path().is_dir()) {
            return Err(damaged(format!("{} is no journal", name.display())));
        }
    }
    let keyspaces = path.join(KEYSPACES);
    // Not made anew: whoever holds the lock of the file that is gone would not notice.
    for needed in [path.join(LOCK), keyspaces.clone()] {
        if !needed.try_exists().map_err(reading)? {
            return Err(damaged(format!("{} is missing", needed.display())));
        }
    }
    let mut with_data = Vec::new();
    for entry in fs::read_dir(&keyspaces).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let name = entry.file_name();
        if !entry.file_type().map_err(reading)?.is_dir() {
            continue;
        }
        let Some(id) = number(&name, "") else {
            return Err(damaged(format!(
                "{KEYSPACES}/{} is no keyspace",
                name.display()
            )));
        };
        if !manifest::is_intact(&entry.path()).map_err(reading)? {
            return Err(damaged(format!(
                "{KEYSPACES}/{id}/{CURRENT} and the version file it names do not match"
            )));
        }
        if has_entries(&entry.path().join(TABLES)).map_err(reading)? {
            with_data.push(id);
        }
    }
    // Without it, fjall starts a new catalog and deletes the keyspaces it does not
    // know; or one keyspace, if that one's is missing.
    for id in with_data {
        for needed in [0, id] {
            let current = keyspaces.join(needed.to_string()).join(CURRENT);
            if !current.try_exists().map_err(reading)? {
                return Err(damaged(format!(
                    "{KEYSPACES}/{needed}/{CURRENT} is missing, but there is data in {KEYSPACES}/{id}"
                )));
            }
        }
    }
    Ok(())
}

/// The journals in the folder of a store, oldest first.
pub(crate) fn journals(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if let Some(number) = number(&entry.file_name(), ".jnl") {
            journals.push((number, entry.path()));
        }
    }
    journals.sort();
    Ok(journals)
}

/// Whether this is what `tail` has cut off a journal, or the beginning of it.
pub(crate) fn is_kept_tail(name: &OsStr) -> bool {
    number(name, &format!(".jnl{KEPT}")).is_some()
        || number(name, &format!(".jnl{KEPT_UNFINISHED}")).is_some()
}

/// The number in a name such as `7` or `7.jnl`.
fn number(name: &OsStr, suffix: &str) -> Option<u64> {
    name.to_str()?.strip_suffix(suffix)?.parse().ok()
}

fn has_entries(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(false),
        Err(other) => Err(other),
    }
}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Only Unix can sync a folder.
#[cfg(not(unix))]
pub(crate) fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
