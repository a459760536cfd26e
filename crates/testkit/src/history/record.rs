//! What is known of one run: a [`Record`] for each attempt of each invocation.
//!
//! Every value that is written names its version, and no version is written twice,
//! so that a read says whose write it saw ("recoverability" in Elle's terms). A
//! deleted key holds nothing that could name its deleter; what a read of absence
//! says is worked out later, in `order`.

use std::fmt;

/// A key: its bytes in the store are these four, big-endian, so that ranges of
/// numbers are ranges of keys.
pub type Key = u32;

/// Names one write: the attempt that made it, and which of its writes it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// [`Record::serial`] of the writer.
    pub writer: u64,
    /// Counts the writes of one attempt, from 0.
    pub number: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}.{}", self.writer, self.number)
    }
}

/// What a read saw: a version, or that nothing is there.
pub type Seen = Option<Version>;

/// What the writer of a value knew of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// The key was not read before it was written.
    Blind,
    /// The key was read: this was there.
    Read(Seen),
}

/// A read of one key, of what others have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The key.
    pub key: Key,
    /// What was there.
    pub seen: Seen,
}

/// A read of all keys of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The first key of the range.
    pub lo: Key,
    /// The first key after it.
    pub hi: Key,
    /// The entries that others have written.
    pub seen: Vec<(Key, Version)>,
    /// Keys in the range that the attempt itself had written: it could not see what
    /// is in the store there.
    pub hidden: Vec<Key>,
}

/// A write: of a value, or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: Key,
    /// Its name among the writes of the attempt. A deletion has one, too, that no
    /// read can see.
    pub number: u32,
    /// Whether it deletes.
    pub deletes: bool,
    /// What was known of the value before.
    pub replaces: Replaces,
}

/// How an attempt ended, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged.
    Committed,
    /// Its own wish.
    RolledBack,
    /// It lost to others, and the invocation was run again.
    Lost,
    /// It lost to others, and the caller was told so.
    Conflict,
    /// An error; nothing must have happened.
    Failed,
    /// It may have happened.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Committed => "committed",
            Outcome::RolledBack => "rolled back",
            Outcome::Lost => "lost and run again",
            Outcome::Conflict => "conflict",
            Outcome::Failed => "failed",
            Outcome::Unknown => "outcome unknown",
        })
    }
}

/// One attempt of an invocation.
#[derive(Clone, Debug)]
pub struct Record {
    /// Numbers all attempts of a history, each once; reports call it T and this.
    pub serial: u64,
    /// The invocation it belongs to.
    pub invocation: u64,
    /// 1 for the invocation's first attempt.
    pub attempt: u32,
    /// The thread that ran it.
    pub thread: u32,
    /// When it began, by the history's clock: a number that only grows, each given once.
    pub begin: u64,
    /// When its caller was told of its end.
    pub end: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// What it read of others, in order.
    pub reads: Vec<Read>,
    /// What it scanned, in order.
    pub scans: Vec<Scan>,
    /// What it wrote, in order; of two writes of one key the later counts.
    pub writes: Vec<Write>,
    /// Keys where it did not find what it had itself written.
    pub own_write_missed: Vec<Key>,
}

impl Record {
    /// The write of `key` that is to stay.
    pub(super) fn last_write(&self, key: Key) -> Option<&Write> {
        self.writes.iter().rev().find(|write| write.key == key)
    }
}

/// The records of one run on a store that was empty when it began.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In no particular order.
    pub records: Vec<Record>,
    /// Whether also an attempt that did not commit must have seen one state of the
    /// store, as [`Capabilities::snapshot_reads`](wasm_storage_engine::Capabilities)
    /// promises.
    pub snapshot_reads: bool,
}
