//! A session of a recorded invocation: does what a [`Session`] does, and writes it
//! down.
//!
//! Invariant: what is recorded as read was written by others. What the attempt itself
//! has written is compared on the spot.

use std::ops::{Bound, ControlFlow};

use wasm_storage_codec::record::read_i64_entry;
use wasm_storage_engine::{KeyRange, NamespaceId, OpError, Order, PageHint, Session};

use super::record::{Key, Outcome, Read, Record, Replaces, Scan, Seen, Version, Write};
use super::value::Value;

/// A session that writes down what it does.
#[derive(Debug)]
pub struct Recorded {
    session: Session,
    ns: NamespaceId,
    record: Record,
}

impl Recorded {
    pub(super) fn new(session: Session, ns: NamespaceId, serial: u64, begin: u64) -> Self {
        Recorded {
            session,
            ns,
            record: Record {
                serial,
                invocation: 0,
                attempt: 1,
                thread: 0,
                begin,
                end: 0,
                outcome: Outcome::Lost,
                reads: Vec::new(),
                scans: Vec::new(),
                writes: Vec::new(),
                own_write_missed: Vec::new(),
            },
        }
    }

    /// The session, and what was written down.
    pub(super) fn into_parts(self) -> (Session, Record) {
        (self.session, self.record)
    }

    /// The payload under `key`, if there is one.
    pub fn get(&mut self, key: Key) -> Result<Option<i64>, OpError> {
        let mut found = None;
        let bytes = key.to_be_bytes();
        self.session
            .get(self.ns, &bytes, |value| found = Some(read(value)))?;
        let seen = found.map(|value| value.version);
        if let Some(own) = self.own(key) {
            if own != seen {
                self.record.own_write_missed.push(key);
            }
        } else {
            self.record.reads.push(Read { key, seen });
        }
        Ok(found.map(|value| value.payload))
    }

    /// Stores `payload` under `key`.
    pub fn put(&mut self, key: Key, payload: i64) -> Result<(), OpError> {
        let write = self.next_write(key, false);
        let value = Value {
            version: self.version(&write),
            replaces: write.replaces,
            payload,
        };
        // Recorded even if it fails: nobody may see it then.
        self.record.writes.push(write);
        self.session
            .put(self.ns, &key.to_be_bytes(), &value.encode())
    }

    /// Deletes `key`.
    pub fn delete(&mut self, key: Key) -> Result<(), OpError> {
        let write = self.next_write(key, true);
        self.record.writes.push(write);
        self.session.delete(self.ns, &key.to_be_bytes())
    }

    /// The entries with keys from `lo` to before `hi`, at most `most` of them, which
    /// is not 0.
    pub fn scan(
        &mut self,
        lo: Key,
        hi: Key,
        order: Order,
        most: usize,
    ) -> Result<Vec<(Key, i64)>, OpError> {
        let mut entries = Vec::new();
        let (low, high) = (lo.to_be_bytes(), hi.to_be_bytes());
        let range = KeyRange {
            lo: Bound::Included(&low[..]),
            hi: Bound::Excluded(&high[..]),
        };
        let visit = &mut |key: &[u8], value: &[u8]| {
            // A key that no workload writes stands for itself as a version of nobody.
            let key = key.try_into().map_or(lo, Key::from_be_bytes);
            entries.push((key, read(value)));
            if entries.len() == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        self.session
            .scan(self.ns, &range, order, PageHint::default(), visit)?;
        // Of a scan that was broken off, only so much is known.
        let (mut from, mut to) = (lo, hi);
        if entries.len() == most
            && let Some((last, _)) = entries.last()
        {
            match order {
                Order::Forward => to = last.saturating_add(1),
                Order::Reverse => from = *last,
            }
        }
        self.note_scan(from, to, &entries);
        Ok(entries
            .into_iter()
            .map(|(key, value)| (key, value.payload))
            .collect())
    }

    /// Adds to a counter. Counters are not recorded, their values name no version:
    /// their keys must be no others'.
    pub fn increment(&mut self, counter: Key, delta: i64) -> Result<(), OpError> {
        self.session
            .increment(self.ns, &counter.to_be_bytes(), delta)
    }

    /// What a counter says; 0 if there is none.
    pub fn counter(&mut self, counter: Key) -> Result<i64, OpError> {
        let mut count = 0;
        self.session.get(self.ns, &counter.to_be_bytes(), |entry| {
            count = read_i64_entry(entry).unwrap_or(i64::MIN);
        })?;
        Ok(count)
    }

    fn note_scan(&mut self, lo: Key, hi: Key, entries: &[(Key, Value)]) {
        let mut scan = Scan {
            lo,
            hi,
            seen: Vec::new(),
            hidden: Vec::new(),
        };
        for (key, value) in entries {
            if self.own(*key).is_none() {
                scan.seen.push((*key, value.version));
            }
        }
        for at in 0..self.record.writes.len() {
            let key = self.record.writes[at].key;
            if !(lo..hi).contains(&key) || scan.hidden.contains(&key) {
                continue;
            }
            scan.hidden.push(key);
            let shown = entries.iter().find(|(shown, _)| *shown == key);
            if self.own(key) != Some(shown.map(|(_, value)| value.version)) {
                self.record.own_write_missed.push(key);
            }
        }
        self.record.scans.push(scan);
    }

    /// What this attempt itself has left under `key`, if it wrote it.
    fn own(&self, key: Key) -> Option<Seen> {
        let write = self.record.last_write(key)?;
        Some((!write.deletes).then(|| self.version(write)))
    }

    fn version(&self, write: &Write) -> Version {
        Version {
            writer: self.record.serial,
            number: write.number,
        }
    }

    fn next_write(&self, key: Key, deletes: bool) -> Write {
        let number = u32::try_from(self.record.writes.len()).unwrap();
        Write {
            key,
            number,
            deletes,
            replaces: self.replaces(key),
        }
    }

    /// What was read of `key` before its first write.
    fn replaces(&self, key: Key) -> Replaces {
        let record = &self.record;
        if let Some(write) = record.last_write(key) {
            return write.replaces;
        }
        let point = record.reads.iter().rev().find(|read| read.key == key);
        if let Some(read) = point {
            return Replaces::Read(read.seen);
        }
        for scan in record.scans.iter().rev() {
            if (scan.lo..scan.hi).contains(&key) {
                let seen = scan.seen.iter().find(|(seen, _)| *seen == key);
                return Replaces::Read(seen.map(|(_, version)| *version));
            }
        }
        Replaces::Blind
    }
}

/// Bytes that are no recorded value are a version of nobody.
fn read(bytes: &[u8]) -> Value {
    Value::decode(bytes).unwrap_or(Value {
        version: Version {
            writer: u64::MAX,
            number: u32::MAX,
        },
        replaces: Replaces::Blind,
        payload: 0,
    })
}
