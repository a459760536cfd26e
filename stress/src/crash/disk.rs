//! A disk that is full, made by a limit on the size of this process's files: a write
//! beyond it fails, and one across it is done in part. (Linux; elsewhere every disk has
//! room. The process must ignore `SIGXFSZ`, see [`victim`](super::victim).)

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error, Kind};

/// Whether a disk can be filled here.
pub(crate) const CAN_BE_FULL: bool = cfg!(target_os = "linux");
/// The room that is left can be anything less.
pub(crate) const ROOMS: u64 = 8_192;
/// Applies that may still find room within the limit; then there is none at all.
const LUCKY: u32 = 32;

/// The disk under one store.
#[derive(Debug)]
pub(crate) struct Disk {
    place: PathBuf,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Roomy,
    /// So many applies are well before it is full.
    Filling {
        after: u64,
        room: u64,
        awhile: bool,
    },
    /// The limit is set, and so many applies may be lucky.
    Full {
        lucky: u32,
        awhile: bool,
    },
}

impl Disk {
    pub(crate) fn new(place: &Path) -> Arc<Self> {
        Arc::new(Disk {
            place: place.to_path_buf(),
            state: Mutex::new(State::Roomy),
        })
    }

    /// `after` applies go well; then there is little `room` or none, `awhile` until one
    /// has failed.
    pub(crate) fn fill_after(&self, after: u64, room: u64, awhile: bool) {
        *self.state() = State::Filling {
            after,
            room,
            awhile,
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn before_apply(&self) -> io::Result<()> {
        let mut state = self.state();
        match &mut *state {
            State::Roomy | State::Full { lucky: 0, .. } => {}
            State::Filling {
                after: after @ 1.., ..
            } => *after -= 1,
            State::Filling { room, awhile, .. } => {
                set_limit(Some(limit(&self.place, *room)?))?;
                *state = State::Full {
                    lucky: LUCKY,
                    awhile: *awhile,
                };
            }
            State::Full { lucky, .. } => {
                *lucky -= 1;
                if *lucky == 0 {
                    set_limit(Some(0))?;
                }
            }
        }
        Ok(())
    }

    fn after_failure(&self) -> io::Result<()> {
        match *self.state() {
            State::Full { awhile: true, .. } => set_limit(None),
            _ => Ok(()),
        }
    }
}

/// How long files may be, so that the next writes of a store meet the limit.
///
/// fjall writes on at the end of its newest journal, of which the last page of 4 KiB is
/// not full: from there `room` bytes. redb writes anywhere in its file: a share of it.
#[cfg(target_os = "linux")]
fn limit(place: &Path, room: u64) -> io::Result<u64> {
    use rustix::fs::{SeekFrom, seek};
    use std::fs::{self, File};

    const PAGE: u64 = 4_096;
    if !place.is_dir() {
        let length = fs::metadata(place)?.len();
        return Ok(length.saturating_mul(room) / ROOMS);
    }
    let mut newest = None;
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(number), Some("jnl")) = (number, path.extension().and_then(|e| e.to_str())) {
            newest = newest.max(Some((number, path)));
        }
    }
    let newest: Option<(u64, PathBuf)> = newest;
    let (_, newest) = newest.ok_or_else(|| io::Error::other("there is no journal"))?;
    let end = seek(&File::open(newest)?, SeekFrom::Hole(0))?;
    Ok(end.saturating_sub(PAGE) + room)
}

#[cfg(target_os = "linux")]
fn set_limit(bytes: Option<u64>) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Fsize).maximum;
    let limit = Rlimit {
        current: bytes.or(maximum),
        maximum,
    };
    Ok(setrlimit(Resource::Fsize, limit)?)
}

#[cfg(not(target_os = "linux"))]
fn limit(_place: &Path, _room: u64) -> io::Result<u64> {
    Ok(0)
}

#[cfg(not(target_os = "linux"))]
fn set_limit(_bytes: Option<u64>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// An engine on a [`Disk`].
#[derive(Debug)]
pub(crate) struct OnDisk<K> {
    kv: K,
    disk: Arc<Disk>,
}

impl<K: OrderedKv> OnDisk<K> {
    pub(crate) fn new(kv: K, disk: Arc<Disk>) -> Self {
        OnDisk { kv, disk }
    }
}

impl<K: OrderedKv> OrderedKv for OnDisk<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let failed = |error| {
            let text = "the disk cannot be filled or emptied";
            Error::with_source(Kind::Internal, text, error)
        };
        let filled = self.disk.before_apply();
        filled.map_err(|error| ApplyError::Rejected(failed(error)))?;
        let applied = self.kv.apply(batch, durability);
        if applied.is_err() {
            let emptied = self.disk.after_failure();
            emptied.map_err(|error| ApplyError::Unknown(failed(error)))?;
        }
        applied
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}
