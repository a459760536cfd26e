//! Who holds a store: an advisory file beside it, `PATH.holder`, so that whoever
//! waits in vain can be told for whom.
//!
//! The engine's own lock decides who has the store; this file decides nothing and
//! may be missing, stale or unwritable. It is written after the lock is had and
//! removed before it is given back, so nobody removes another's.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error, Kind};

/// Between two attempts to have the store.
const PAUSE: Duration = Duration::from_millis(10);

/// Opens the engine at `path`, waiting until `wait` has passed for another process
/// that holds it, and leaves word of who we are beside it.
pub(crate) fn open<K: OrderedKv>(
    path: &Path,
    wait: Duration,
    mut open: impl FnMut() -> Result<K, Error>,
) -> Result<Held<K>, Error> {
    let began = Instant::now();
    loop {
        match open() {
            Ok(kv) => {
                return Ok(Held {
                    note: Note::write(path),
                    kv,
                });
            }
            Err(held) if held.kind() == Kind::Unavailable => {
                let left = wait.saturating_sub(began.elapsed());
                if left.is_zero() {
                    return Err(unavailable(path, wait));
                }
                thread::sleep(PAUSE.min(left));
            }
            Err(other) => return Err(other),
        }
    }
}

fn unavailable(path: &Path, wait: Duration) -> Error {
    let by = match file_beside(path).and_then(|file| Holder::read(&file)) {
        None => "another process".to_string(),
        Some(holder) if holder.pid == std::process::id() => {
            format!("this process itself, {holder}")
        }
        Some(holder) if !runs(holder.pid) => format!(
            "another process; it is not the one noted in {}.holder, which no longer runs ({holder})",
            path.display()
        ),
        Some(holder) => format!("another process: {holder}"),
    };
    Error::new(
        Kind::Unavailable,
        format!(
            "{}: the store is held by {by} (waited {} ms)",
            path.display(),
            wait.as_millis()
        ),
    )
}

/// An engine with a note beside it that says who has it.
#[derive(Debug)]
pub(crate) struct Held<K> {
    /// Dropped before the engine, and with it the engine's lock.
    note: Option<Note>,
    kv: K,
}

impl<K> Held<K> {
    /// The engine.
    pub(crate) fn engine(&self) -> &K {
        &self.kv
    }
}

impl<K: OrderedKv> OrderedKv for Held<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        self.kv.apply(batch, durability)
    }

    /// The note goes too: who closes may exit without dropping anything.
    fn close(&self) -> Result<(), Error> {
        let closed = self.kv.close();
        if let Some(note) = &self.note {
            note.remove();
        }
        closed
    }
}

/// The file, removed when this is dropped.
#[derive(Debug)]
struct Note(PathBuf);

impl Note {
    /// Writes the file anew; `None` where that cannot be.
    fn write(store: &Path) -> Option<Note> {
        let file = file_beside(store)?;
        // Whoever left one is gone: we have the lock. Never through a link.
        fs::remove_file(&file).ok();
        let mut out = File::create_new(&file).ok()?;
        let note = Note(file);
        out.write_all(Holder::ourselves().to_text().as_bytes())
            .ok()?;
        Some(note)
    }

    fn remove(&self) {
        // Gone already, or not removable: it is advisory.
        fs::remove_file(&self.0).ok();
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Where the note of the store at `path` is: the same file however the path is
/// written, once the store is there.
fn file_beside(path: &Path) -> Option<PathBuf> {
    let store = fs::canonicalize(path).ok()?;
    let mut name: OsString = store.file_name()?.to_os_string();
    name.push(".holder");
    Some(store.with_file_name(name))
}

/// A process that has a store open.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    pid: u32,
    program: String,
    /// RFC 3339, UTC.
    since: String,
}

impl Holder {
    fn ourselves() -> Self {
        let program = std::env::current_exe()
            .ok()
            .and_then(|program| Some(program.file_name()?.to_string_lossy().into_owned()))
            .unwrap_or_else(|| "unknown".to_string());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Holder {
            pid: std::process::id(),
            program,
            since: rfc3339(now),
        }
    }

    fn to_text(&self) -> String {
        let Holder {
            pid,
            program,
            since,
        } = self;
        format!("pid {pid}\nprogram {program}\nsince {since}\n")
    }

    fn read(file: &Path) -> Option<Self> {
        Self::from_text(&fs::read_to_string(file).ok()?)
    }

    fn from_text(text: &str) -> Option<Self> {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
                // It is shown: no control characters of anybody, no endless lines.
                .map(|value| value.escape_debug().take(100).collect::<String>())
        };
        Some(Holder {
            pid: field("pid")?.parse().ok()?,
            program: field("program")?,
            since: field("since")?,
        })
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holder {
            pid,
            program,
            since,
        } = self;
        write!(f, "{program}, pid {pid}, since {since}")
    }
}

/// Whether a process with this id runs here, as far as can be known.
#[cfg(unix)]
fn runs(pid: u32) -> bool {
    use rustix::process::{Pid, test_kill_process};

    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Only "no such process" says that there is none.
        Some(pid) => test_kill_process(pid) != Err(rustix::io::Errno::SRCH),
        None => false,
    }
}

/// Not known here: not called dead.
#[cfg(not(unix))]
fn runs(_pid: u32) -> bool {
    true
}

/// Seconds since 1970 as RFC 3339 in UTC. Days to a date: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), date);
        }
    }

    #[test]
    fn a_note_is_read_back_and_nonsense_is_not() {
        let holder = Holder::ourselves();
        assert_eq!(Holder::from_text(&holder.to_text()), Some(holder));
        for nonsense in [
            "",
            "pid\n",
            "pid x\nprogram y\nsince z\n",
            "pid 1\nprogram y\n",
        ] {
            assert_eq!(Holder::from_text(nonsense), None, "{nonsense}");
        }
        let hostile = "pid 1\nprogram \x1b[2J\nsince now\n";
        let shown = Holder::from_text(hostile).unwrap().to_string();
        assert!(!shown.contains('\x1b'), "{shown}");
    }

    #[test]
    fn this_process_runs_and_none_has_the_largest_id() {
        assert!(runs(std::process::id()));
        #[cfg(unix)]
        assert!(!runs(u32::MAX) && !runs(i32::MAX.unsigned_abs()));
    }
}
