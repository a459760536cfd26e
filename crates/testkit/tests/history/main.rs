//! The history checker: what it calls clean, what it finds, and a correct store.
//!
//! | file | idea |
//! |---|---|
//! | `written` | histories written by hand, one for each anomaly |
//! | `serial` | random histories of serial executions: never a finding |
//! | `planted` | stores with one defect each are found out, under the right name |
//! | `engine` | the engine with defects planted in its commit protocol (feature `planted`) |
//! | `stores` | the engine, and a correct store that conflicts, are clean |
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[cfg(feature = "planted")]
mod engine;
mod planted;
mod serial;
mod stores;
mod written;

use wasm_storage_testkit::history::{
    Key, Outcome, Read, Record, Replaces, Scan, Seen, Version, Write,
};

/// A record that is written by hand. An attempt writes a key once, and the number of
/// the version is the key.
struct T(Record);

/// Transaction `serial`, committed, from `begin` to `end`.
fn t(serial: u64, begin: u64, end: u64) -> T {
    T(Record {
        serial,
        invocation: serial,
        attempt: 1,
        thread: 0,
        begin,
        end,
        outcome: Outcome::Committed,
        reads: Vec::new(),
        scans: Vec::new(),
        writes: Vec::new(),
        own_write_missed: Vec::new(),
    })
}

fn version(writer: u64, key: Key) -> Version {
    Version {
        writer,
        number: key,
    }
}

impl T {
    /// Reads what `writer` wrote.
    fn r(mut self, key: Key, writer: u64) -> Self {
        let seen = Some(version(writer, key));
        self.0.reads.push(Read { key, seen });
        self
    }

    /// Finds nothing.
    fn none(mut self, key: Key) -> Self {
        self.0.reads.push(Read { key, seen: None });
        self
    }

    fn scan(mut self, lo: Key, hi: Key, seen: &[(Key, u64)]) -> Self {
        let seen = seen
            .iter()
            .map(|(key, writer)| (*key, version(*writer, *key)));
        self.0.scans.push(Scan {
            lo,
            hi,
            seen: seen.collect(),
            hidden: self.0.writes.iter().map(|write| write.key).collect(),
        });
        self
    }

    fn seen(&self, key: Key) -> Option<Seen> {
        let point = self.0.reads.iter().rev().find(|read| read.key == key);
        let scanned = || {
            let scan = self
                .0
                .scans
                .iter()
                .find(|scan| (scan.lo..scan.hi).contains(&key))?;
            let seen = scan.seen.iter().find(|(seen, _)| *seen == key);
            Some(seen.map(|(_, version)| *version))
        };
        point.map(|read| read.seen).or_else(scanned)
    }

    fn write(mut self, key: Key, deletes: bool) -> Self {
        let replaces = self.seen(key).map_or(Replaces::Blind, Replaces::Read);
        self.0.writes.push(Write {
            key,
            number: key,
            deletes,
            replaces,
        });
        self
    }

    fn w(self, key: Key) -> Self {
        self.write(key, false)
    }

    fn d(self, key: Key) -> Self {
        self.write(key, true)
    }

    fn ended(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }
}
