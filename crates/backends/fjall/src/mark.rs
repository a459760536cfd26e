//! The mark of a store whose last write failed: a file `NEEDS_CHECK` in its folder.
//!
//! After a failed write or sync nobody knows what is on the disk: Linux calls pages
//! clean whose writing failed, so what is read may not be what is stored. The mark
//! is durable before the failure is reported, and no store that has it is opened by
//! accident. Its name is what counts; its text is for people.
//!
//! Who opens a marked store on purpose reads from the disk: what the operating
//! system remembers of its files is dropped first, where it can be asked to (Linux).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use wasm_storage_engine::{Error, Kind};

use crate::{error, folder};

/// The file's name.
pub(crate) const NAME: &str = "NEEDS_CHECK";
/// How much of its text is shown, in bytes.
const SHOWN: u64 = 1000;

/// The text of the mark, if there is one and `although_marked`.
///
/// Errors: `Corrupt` for a marked store otherwise; `Io`.
pub(crate) fn check(path: &Path, although_marked: bool) -> Result<Option<String>, Error> {
    let reading = |e| error::io(path, &format!("reading {NAME}"), e);
    let Some(why) = read(path).map_err(reading)? else {
        return Ok(None);
    };
    if !although_marked {
        return Err(error::plain(
            Kind::Corrupt,
            path,
            &format!(
                "the store is not opened until it is checked, because a write to it failed \
                 ({NAME} in it says: {why}); free the disk or mend it, then: \
                 wasm-storage verify --accept"
            ),
        ));
    }
    forget(path).map_err(reading)?;
    Ok(Some(why))
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path.join(NAME)) {
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
    let mut file = File::create(path.join(NAME))?;
    writeln!(file, "{why}").ok();
    file.sync_all()?;
    folder::sync(path)
}

/// Takes the mark away, durably.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let removing = |e| error::io(path, &format!("removing {NAME}"), e);
    match fs::remove_file(path.join(NAME)) {
        Err(none) if none.kind() == ErrorKind::NotFound => return Ok(()),
        removed => removed.map_err(removing)?,
    }
    folder::sync(path).map_err(removing)
}

/// Writes what was not written of the files in a folder and drops it from memory.
#[cfg(target_os = "linux")]
fn forget(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            forget(&entry.path())?;
        } else if kind.is_file() {
            let file = File::open(entry.path())?;
            file.sync_all()?;
            // A hint: a file system that cannot take it keeps the pages.
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the form it has on Linux")]
fn forget(_folder: &Path) -> io::Result<()> {
    Ok(())
}
