//! The seam to an embedded engine that this process owns: owned snapshots and
//! one atomic `apply`. It is all that a fjall, redb or LevelDB adapter has to
//! be; transactions over it are the [`Coordinator`](crate::Coordinator)'s.
//!
//! Keys here are physical: namespace id and user key in one byte string
//! ([`layout`](crate::layout)). Required methods only, no defaults.

use crate::backend::{Capabilities, Durability, KeyRange, Order, Visit};
use crate::error::Error;

/// An embedded, ordered key-value engine.
pub trait OrderedKv: Send + Sync + 'static {
    /// A state of the store, as it was when the snapshot was made. It owns what
    /// it needs and carries no lifetime.
    type Snapshot: Snapshot;

    /// What the engine can do: data, not folklore.
    fn capabilities(&self) -> &Capabilities;

    /// The present state.
    fn snapshot(&self) -> Result<Self::Snapshot, Error>;

    /// Writes the whole batch or nothing of it.
    ///
    /// `Ok`: the durability word holds, every later snapshot has all of it, and no
    /// earlier one has any. There are two failures only, and the difference
    /// between them decides what callers are told ([`ApplyError`]).
    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError>;

    /// Syncs and reports; dropping cannot. Idempotent. It does not give the place
    /// back to other processes: dropping the engine and all its snapshots does.
    fn close(&self) -> Result<(), Error>;
}

/// One state of an embedded engine.
///
/// `out` and `visit` must not read the same store again: an engine may call them
/// while it holds a lock.
pub trait Snapshot: Send + Sync + 'static {
    /// Gives the value under `key` to `out` and returns true; false if there is none.
    fn get(&self, key: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<bool, Error>;

    /// Visits the entries of a range in order until the visitor breaks off.
    fn scan(&self, range: &KeyRange<'_>, order: Order, visit: &mut Visit<'_>) -> Result<(), Error>;
}

/// The writes of one commit: keys ascending, each once. `None` deletes.
#[derive(Debug)]
pub struct Batch<'a> {
    writes: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl<'a> Batch<'a> {
    /// A batch of writes that are already sorted by key, each key once.
    pub fn from_sorted(writes: Vec<(&'a [u8], Option<&'a [u8]>)>) -> Self {
        debug_assert!(
            writes.is_sorted_by(|(a, _), (b, _)| a < b),
            "batch keys must ascend, each once"
        );
        Batch { writes }
    }

    /// The writes, keys ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> + '_ {
        self.writes.iter().copied()
    }

    /// Whether an engine can take it: `TooLarge`, with the engine's name, the limit
    /// and the actual size. For [`OrderedKv::apply`], before anything is written.
    pub fn check_limits(&self, capabilities: &Capabilities) -> Result<(), Error> {
        let sizes = self
            .iter()
            .map(|(key, value)| (key.len(), value.map_or(0, <[u8]>::len)));
        check_sizes(capabilities, sizes, 0).map(|_| ())
    }

    /// Keys and values together, in bytes.
    pub fn bytes(&self) -> usize {
        self.iter()
            .map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len))
            .sum()
    }
}

/// Whether an engine can take writes of these sizes, key and value, with `more`
/// bytes beside them: `TooLarge`, with the engine's name, the limit and the actual
/// size. All together, in bytes.
pub fn check_sizes(
    capabilities: &Capabilities,
    sizes: impl Iterator<Item = (usize, usize)>,
    more: usize,
) -> Result<usize, Error> {
    let check = |what: &str, limit: usize, actual: usize| {
        if actual <= limit {
            return Ok(());
        }
        let what = format!("for {}, {what}", capabilities.name);
        Err(Error::too_large(&what, limit, actual))
    };
    let mut bytes = more;
    for (key, value) in sizes {
        check("a key", capabilities.max_key_bytes, key)?;
        check("a value", capabilities.max_value_bytes, value)?;
        bytes += key + value;
    }
    check("a commit", capabilities.max_batch_bytes, bytes)?;
    Ok(bytes)
}

/// How `apply` can fail. There is no third way: a failed write or sync may be on
/// disk after all, so it is never reported as "nothing happened".
#[derive(Debug)]
pub enum ApplyError {
    /// Checked before any byte was written; nothing happened, the store stays open.
    Rejected(Error),
    /// Everything else. The batch may or may not be there after reopening.
    Unknown(Error),
}
