//! The mark of a store whose last write failed: a file `PATH.needs-check` beside it.
//!
//! After a failed write or sync nobody knows what is on the disk: Linux calls pages
//! clean whose writing failed, so what is read may not be what is stored. The mark
//! is durable before the failure is reported, and no store that has it is opened by
//! accident. Its name is what counts; its text is for people.
//!
//! Who opens a marked store on purpose reads from the disk: what the operating
//! system remembers of its file is dropped first, where it can be asked to (Linux).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use wasm_storage_engine::{Error, Kind};

use crate::{error, place};

/// What its name has behind the store's.
const SUFFIX: &str = ".needs-check";
/// How much of its text is shown, in bytes.
const SHOWN: u64 = 1000;

/// Where the mark of the store at `path` is: the same file however the path is
/// written, once the store is there.
fn file(path: &Path) -> PathBuf {
    let store = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut name = store.into_os_string();
    name.push(SUFFIX);
    name.into()
}

/// The text of the mark, if there is one and `although_marked`.
///
/// Errors: `Corrupt` for a marked store otherwise; `Io`.
pub(crate) fn check(path: &Path, although_marked: bool) -> Result<Option<String>, Error> {
    let mark = file(path);
    let reading = |e| error::io(path, &format!("reading {}", mark.display()), e);
    let Some(why) = read(&mark).map_err(reading)? else {
        return Ok(None);
    };
    if !although_marked {
        return Err(error::plain(
            Kind::Corrupt,
            path,
            &format!(
                "the store is not opened until it is checked, because a write to it failed \
                 ({} says: {why}); free the disk or mend it, then: wasm-storage verify --accept",
                mark.display()
            ),
        ));
    }
    forget(path).map_err(reading)?;
    Ok(Some(why))
}

fn read(mark: &Path) -> io::Result<Option<String>> {
    let file = match File::open(mark) {
        Ok(file) => file,
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(None),
        Err(other) => return Err(other),
    };
    let mut text = Vec::new();
    file.take(SHOWN).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(Some(match text.trim() {
        "" => "nothing, for lack of room".to_string(),
        text => text.escape_debug().to_string(),
    }))
}

/// Marks the store, durably. On a full disk the text may be missing.
pub(crate) fn set(path: &Path, why: &Error) -> io::Result<()> {
    let mark = file(path);
    let mut out = File::create(&mark)?;
    writeln!(out, "{why}").ok();
    out.sync_all()?;
    place::sync_folder_of(&mark)
}

/// Takes the mark away, durably.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let mark = file(path);
    let removing = |e| error::io(path, &format!("removing {}", mark.display()), e);
    match fs::remove_file(&mark) {
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(removing)?,
    }
    place::sync_folder_of(&mark).map_err(removing)
}

/// Writes what was not written of the file and drops it from memory.
#[cfg(target_os = "linux")]
fn forget(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    // A hint: a file system that cannot take it keeps the pages.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the form it has on Linux")]
fn forget(_path: &Path) -> io::Result<()> {
    Ok(())
}
