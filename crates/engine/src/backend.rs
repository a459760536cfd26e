//! The seam to a transactional store: begin, read, commit. Implemented by the
//! [`Coordinator`](crate::Coordinator) over any [`OrderedKv`](crate::kv::OrderedKv),
//! and directly by shared servers.
//!
//! A backend sees namespaces as numbers and values as bytes; names, quotas,
//! expiry and guests are the concern of others.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::time::Instant;

use wasm_storage_abi::{Kind, limits};

use crate::error::Error;

/// A store of namespaces that commits transactions.
pub trait Backend: Send + Sync + 'static {
    /// What the store can do: data, not folklore.
    fn capabilities(&self) -> &Capabilities;

    /// The id of a namespace. `create` makes it if it is missing, by a commit of
    /// its own that is durable before this returns; else it is `NoSuchNamespace`.
    fn namespace(&self, name: &NamespaceName, create: bool) -> Result<NamespaceId, Error>;

    /// Begins a transaction. No I/O. [`Mode::Reserved`] may wait for others, until
    /// `deadline`, and is then a [`TxError::Conflict`]; no other mode waits.
    fn begin(
        &self,
        mode: Mode<'_>,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Transaction>, TxError>;

    /// A fresh key, 1 ..= 2^53 - 1. While the store is open it is not given out
    /// again, rolled back or not; after reopening, one that no commit followed may be.
    fn mint(&self, ns: NamespaceId) -> Result<i64, Error>;

    /// Whether a commit whose outcome was unknown has happened. `None`: too old to tell.
    fn outcome(&self, id: CommitId) -> Result<Option<bool>, Error>;

    /// Refuses new work, waits for the commits in flight, syncs. Idempotent.
    fn close(&self) -> Result<(), Error>;
}

/// One transaction: a conversation that records its own reads.
pub trait Transaction: Send + 'static {
    /// The time of this transaction by the store's clock, fixed at the first read.
    fn now(&mut self) -> Result<Millis, TxError>;

    /// Gives the value under `key` to `out` and returns true; false if there is none.
    fn get(&mut self, key: Key<'_>, out: &mut dyn FnMut(&[u8])) -> Result<bool, TxError>;

    /// Gives each key's value, or `None`, to `out` with the key's index.
    fn get_many(
        &mut self,
        keys: &[Key<'_>],
        out: &mut dyn FnMut(usize, Option<&[u8]>),
    ) -> Result<(), TxError>;

    /// Visits the entries of a range of one namespace, in order, until the visitor
    /// breaks off. `hint` says how much of it the caller expects to see.
    fn scan(
        &mut self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
        order: Order,
        hint: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<(), TxError>;

    /// Whether all reads so far are still one consistent state. For backends whose
    /// `snapshot_reads` is false, before an end other than commit is reported.
    fn validate(&mut self) -> Result<(), TxError>;

    /// Ends the transaction with these writes: all of them, durably, or none.
    fn commit(self: Box<Self>, request: Commit) -> Outcome;
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// Reads and writes.
    ReadWrite,
    /// Reads only; its reads are not recorded.
    ReadOnly,
    /// Reads and writes, and until its end (or one second) nobody else commits to
    /// these namespaces: for an invocation that has lost again and again.
    Reserved(&'a [NamespaceId]),
}

/// Milliseconds since 1970 by the store's own clock, which never steps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A namespace's number within its store: from 1, never reused. 0 is the system's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId(pub u32);

/// A namespace's name: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceName(String);

impl NamespaceName {
    /// Every store has this one.
    pub const DEFAULT: &'static str = "default";

    /// Checks a name.
    ///
    /// Errors: `InvalidArgument` for an empty name or control characters,
    /// `TooLarge` over 256 bytes.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        if name.len() > limits::NAMESPACE_NAME_BYTES {
            return Err(Error::too_large(
                "a namespace name",
                limits::NAMESPACE_NAME_BYTES,
                name.len(),
            ));
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::new(
                Kind::InvalidArgument,
                format!(
                    "{name:?} is no namespace name: it must be 1 to 256 bytes without control characters"
                ),
            ));
        }
        Ok(NamespaceName(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key within a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The namespace.
    pub ns: NamespaceId,
    /// The key as the guest passed it.
    pub bytes: &'a [u8],
}

/// A key that owns its bytes: namespace id (4 bytes, big-endian), then the key.
/// Ordered by namespace, then key, as the bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedKey(Box<[u8]>);

impl OwnedKey {
    /// Copies a key.
    pub fn new(key: Key<'_>) -> Self {
        let mut bytes = Vec::with_capacity(4 + key.bytes.len());
        bytes.extend_from_slice(&key.ns.0.to_be_bytes());
        bytes.extend_from_slice(key.bytes);
        OwnedKey(bytes.into_boxed_slice())
    }

    /// Namespace id and key in one byte string, as embedded engines store it.
    pub fn physical(&self) -> &[u8] {
        &self.0
    }

    /// The namespace and the key in it.
    pub fn key(&self) -> Key<'_> {
        match self.0.split_first_chunk::<4>() {
            Some((ns, bytes)) => Key {
                ns: NamespaceId(u32::from_be_bytes(*ns)),
                bytes,
            },
            // An OwnedKey is made by `new` alone, with four bytes at least.
            None => Key {
                ns: NamespaceId(0),
                bytes: &[],
            },
        }
    }
}

/// So that a map of owned keys can be asked with borrowed physical bytes.
impl std::borrow::Borrow<[u8]> for OwnedKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// A range of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange<'a> {
    /// The low end.
    pub lo: Bound<&'a [u8]>,
    /// The high end.
    pub hi: Bound<&'a [u8]>,
}

impl KeyRange<'_> {
    /// The same range within a namespace, as physical keys.
    pub fn within(&self, ns: NamespaceId) -> (Bound<OwnedKey>, Bound<OwnedKey>) {
        let physical = |bytes| OwnedKey::new(Key { ns, bytes });
        let lo = match self.lo {
            Bound::Included(lo) => Bound::Included(physical(lo)),
            Bound::Excluded(lo) => Bound::Excluded(physical(lo)),
            Bound::Unbounded => Bound::Included(physical(&[])),
        };
        let hi = match (self.hi, ns.0.checked_add(1)) {
            (Bound::Included(hi), _) => Bound::Included(physical(hi)),
            (Bound::Excluded(hi), _) => Bound::Excluded(physical(hi)),
            (Bound::Unbounded, Some(next)) => Bound::Excluded(OwnedKey::new(Key {
                ns: NamespaceId(next),
                bytes: &[],
            })),
            (Bound::Unbounded, None) => Bound::Unbounded,
        };
        (lo, hi)
    }

    /// Everything.
    pub const ALL: KeyRange<'static> = KeyRange {
        lo: Bound::Unbounded,
        hi: Bound::Unbounded,
    };

    /// Whether no key can be in it. (`BTreeMap::range` panics on such a range.)
    pub fn is_empty(&self) -> bool {
        match (self.lo, self.hi) {
            (Bound::Included(lo), Bound::Included(hi)) => lo > hi,
            (Bound::Included(lo) | Bound::Excluded(lo), Bound::Excluded(hi))
            | (Bound::Excluded(lo), Bound::Included(hi)) => lo >= hi,
            (Bound::Unbounded, Bound::Excluded(hi)) => hi.is_empty(),
            _ => false,
        }
    }
}

/// The direction of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Reverse,
}

/// How much of a range the caller expects to see; servers size their chunks by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageHint {
    /// Entries, if the caller knows.
    pub entries: Option<u32>,
    /// Bytes, if the caller knows.
    pub bytes: Option<usize>,
}

/// What a scan calls for each entry: key, value. `Break` ends the scan.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// The end of a transaction.
#[derive(Debug, Default)]
pub struct Commit {
    /// The writes, keys ascending, each key once.
    pub writes: Vec<(OwnedKey, Write)>,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Store these bytes.
    Put(Box<[u8]>),
    /// Delete the key.
    Delete,
    /// Add to the i64 entry under the key, whatever it holds when this commits: it
    /// is no read, so it does not conflict. An absent entry counts as 0.
    Add(i64),
}

/// How a commit ended.
#[derive(Debug)]
pub enum Outcome {
    /// Durable by the store's word, and visible. `None`: it wrote nothing, and what
    /// it read was one state of the store.
    Committed(Option<CommitId>),
    /// Nothing happened. Run again.
    Conflict(Why),
    /// Nothing happened, and running again will not help.
    Rejected(Error),
    /// It may have happened; [`Backend::outcome`] can tell after reopening.
    Unknown(CommitId, Error),
}

impl Outcome {
    /// The commit, if it wrote anything; or why it did not happen, or is unknown.
    pub fn into_result(self) -> Result<Option<CommitId>, Error> {
        match self {
            Outcome::Committed(id) => Ok(id),
            Outcome::Conflict(why) => Err(why.into_error()),
            Outcome::Rejected(error) => Err(error),
            Outcome::Unknown(id, error) => Err(id.unknown(error)),
        }
    }
}

/// Why a transaction cannot commit although running it again may help.
#[derive(Debug)]
pub enum Why {
    /// Another transaction was faster; the text says where.
    Beaten(Error),
    /// A [`Write::Add`] met an entry that it cannot be added to. Run again with
    /// additions that read, so that the guest gets this error where it adds.
    Unmergeable(Error),
}

impl Why {
    /// The error itself.
    pub fn into_error(self) -> Error {
        match self {
            Why::Beaten(error) | Why::Unmergeable(error) => error,
        }
    }
}

/// Names one commit, for ever: no other commit of the store has the same. On
/// embedded stores the number of its group and, in the high half, a random number
/// of the opening that made it; on shared servers 128 random bits.
///
/// As text `12-9f3c5b7a11d2e480`: the low half in decimal, the high half in
/// hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(pub u128);

impl CommitId {
    /// The error of a caller who does not know whether this commit has happened.
    pub(crate) fn unknown(self, error: Error) -> Error {
        let message = format!("commit {self} may or may not have happened");
        Error::with_source(Kind::UnknownOutcome, message, error)
    }

    /// The id of a group of an embedded store.
    pub(crate) fn of_group(opening: u64, group: u64) -> Self {
        CommitId(u128::from(opening) << 64 | u128::from(group))
    }

    /// The opening and the group of an embedded store.
    pub(crate) fn opening_and_group(self) -> (u64, u64) {
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
        (half(self.0 >> 64), half(self.0))
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = self.opening_and_group();
        write!(f, "{low}-{high:016x}")
    }
}

impl std::str::FromStr for CommitId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.split_once('-')
            .filter(|(_, high)| high.len() == 16 && high.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|(low, high)| {
                let low = low.parse().ok()?;
                Some(CommitId::of_group(u64::from_str_radix(high, 16).ok()?, low))
            })
            .ok_or_else(|| {
                let message = format!("{text:?} is no commit id, such as 12-9f3c5b7a11d2e480");
                Error::new(Kind::InvalidArgument, message)
            })
    }
}

/// Why an operation of a transaction failed.
#[derive(Debug)]
pub enum TxError {
    /// The transaction cannot commit any more; its invocation must run again.
    Conflict(Why),
    /// The operation failed; the transaction can go on.
    Failed(Error),
}

impl From<Error> for TxError {
    fn from(error: Error) -> Self {
        TxError::Failed(error)
    }
}

/// How safe a commit is when it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Lost with the process.
    Memory,
    /// Survives the process, lost with the machine.
    OsBuffer,
    /// Survives the machine: synced to the disk.
    Synced,
    /// Acknowledged by one server that may lose it on failover.
    PrimaryOnly,
    /// Acknowledged by a quorum.
    Replicated,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Durability::Memory => "memory",
            Durability::OsBuffer => "os-buffer",
            Durability::Synced => "synced",
            Durability::PrimaryOnly => "primary-only",
            Durability::Replicated => "replicated",
        })
    }
}

/// What a store can do. The conformance suite chooses its cases by it.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The engine's name, such as `fjall`.
    pub name: &'static str,
    /// The durability words that the store can make true, the default first.
    pub durability: &'static [Durability],
    /// Whether all reads of a transaction see one state.
    pub snapshot_reads: bool,
    /// Whether one transaction can span namespaces.
    pub multi_namespace: bool,
    /// Whether several processes can use the store at a time.
    pub multi_process: bool,
    /// Longest physical key, in bytes.
    pub max_key_bytes: usize,
    /// Longest stored value, in bytes.
    pub max_value_bytes: usize,
    /// Largest commit, keys and values together, in bytes.
    pub max_batch_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_both_limits() {
        assert!(NamespaceName::new("n".repeat(256)).is_ok());
        let over = NamespaceName::new("n".repeat(257)).unwrap_err();
        assert_eq!(over.kind(), Kind::TooLarge);
        assert!(over.to_string().contains("257"), "{over}");
        for bad in ["", "a\nb"] {
            assert_eq!(
                NamespaceName::new(bad).unwrap_err().kind(),
                Kind::InvalidArgument
            );
        }
    }

    #[test]
    fn a_commit_id_is_read_back_from_its_text() {
        for (opening, group) in [(0, 0), (0x9f3c_5b7a_11d2_e480, 12), (u64::MAX, u64::MAX)] {
            let id = CommitId::of_group(opening, group);
            assert_eq!(id.to_string().parse::<CommitId>().unwrap(), id);
            assert_eq!(id.opening_and_group(), (opening, group));
        }
        let shown = CommitId::of_group(0x9f3c_5b7a_11d2_e480, 12).to_string();
        assert_eq!(shown, "12-9f3c5b7a11d2e480");
        for bad in [
            "",
            "12",
            "12-",
            "12-1",
            "x-9f3c5b7a11d2e480",
            "12-9f3c5b7a11d2e48g",
        ] {
            let refused = bad.parse::<CommitId>().unwrap_err();
            assert_eq!(refused.kind(), Kind::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn an_owned_key_gives_back_its_parts_and_sorts_as_its_bytes() {
        let key = Key {
            ns: NamespaceId(7),
            bytes: b"k",
        };
        let owned = OwnedKey::new(key);
        assert_eq!(owned.key(), key);
        assert_eq!(owned.physical(), b"\0\0\0\x07k");
        let later = OwnedKey::new(Key {
            ns: NamespaceId(8),
            bytes: b"",
        });
        assert!(owned < later && owned.physical() < later.physical());
    }

    #[test]
    fn empty_ranges_are_seen() {
        let range = |lo, hi| KeyRange { lo, hi };
        use Bound::{Excluded, Included, Unbounded};
        assert!(!range(Included(&b"a"[..]), Included(b"a")).is_empty());
        assert!(range(Included(&b"a"[..]), Excluded(b"a")).is_empty());
        assert!(range(Excluded(&b"a"[..]), Included(b"a")).is_empty());
        assert!(range(Included(&b"b"[..]), Included(b"a")).is_empty());
        assert!(range(Unbounded, Excluded(&b""[..])).is_empty());
        assert!(!KeyRange::ALL.is_empty());
    }
}
