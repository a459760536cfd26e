//! The write set of a session: what it has written and not yet committed, with
//! an undo log for savepoints.
//!
//! Invariant: `bytes` is the size of all live writes plus everything the undo
//! log keeps, and never exceeds the limit. A key's previous state goes into the
//! log at its first touch after a savepoint, not at every write.

use std::collections::{BTreeMap, btree_map};

use wasm_storage_abi::limits;

use crate::backend::{Key, KeyRange, NamespaceId, OwnedKey, Write};
use crate::error::Error;
use crate::layout::{self, KEY_PREFIX_BYTES};

#[derive(Debug, Default)]
pub(crate) struct Overlay {
    writes: BTreeMap<OwnedKey, Entry>,
    undo: Vec<Undo>,
    /// Open savepoints: their serial number and where the undo log stood.
    savepoints: Vec<(u32, usize)>,
    /// The serial number of the last savepoint ever set; 0 before the first.
    last_savepoint: u32,
    /// Bytes counted against the limit.
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    write: Write,
    /// The innermost savepoint that was open when this key's state was last logged.
    logged_at: u32,
}

/// What a key held before it was written: `None` if this session had not written it.
#[derive(Debug)]
struct Undo {
    key: OwnedKey,
    previous: Option<Entry>,
}

fn size(key: &OwnedKey, write: Option<&Write>) -> usize {
    let value = match write {
        Some(Write::Put(value)) => value.len(),
        Some(Write::Add(_)) => layout::I64_VALUE_BYTES,
        Some(Write::Delete) | None => 0,
    };
    key.physical().len() + value + limits::WRITE_OVERHEAD_BYTES
}

impl Overlay {
    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// This session's write to a key, if it wrote it.
    pub(crate) fn get(&self, physical: &[u8]) -> Option<&Write> {
        self.writes.get(physical).map(|entry| &entry.write)
    }

    /// Records a write.
    ///
    /// Errors: `TooLarge` if the write set would exceed its limit; nothing is changed then.
    pub(crate) fn write(&mut self, key: Key<'_>, write: Write) -> Result<(), Error> {
        let savepoint = self.current_savepoint();
        let entry = self.writes.entry(OwnedKey::new(key));
        let added = size(entry.key(), Some(&write));
        // A logged previous state stays counted: it moves into the log. Where there
        // was none, the log keeps the key alone.
        let (log, freed, logged) = match &entry {
            btree_map::Entry::Occupied(old) if old.get().logged_at < savepoint => (true, 0, 0),
            btree_map::Entry::Occupied(old) => (false, size(old.key(), Some(&old.get().write)), 0),
            btree_map::Entry::Vacant(new) if savepoint > 0 => (true, 0, size(new.key(), None)),
            btree_map::Entry::Vacant(_) => (false, 0, 0),
        };
        let bytes = (self.bytes - freed)
            .saturating_add(logged)
            .saturating_add(added);
        if bytes > limits::WRITE_SET_BYTES {
            return Err(Error::too_large(
                "the write set of this call",
                limits::WRITE_SET_BYTES,
                bytes,
            ));
        }
        self.bytes = bytes;
        let logged_key = log.then(|| entry.key().clone());
        let written = Entry {
            write,
            logged_at: savepoint,
        };
        let previous = match entry {
            btree_map::Entry::Occupied(mut old) => Some(old.insert(written)),
            btree_map::Entry::Vacant(new) => {
                new.insert(written);
                None
            }
        };
        if let Some(key) = logged_key {
            self.undo.push(Undo { key, previous });
        }
        Ok(())
    }

    /// Sets a savepoint; `None` if as many as allowed are open.
    pub(crate) fn savepoint(&mut self) -> Option<u32> {
        if self.savepoints.len() >= limits::SAVEPOINTS {
            return None;
        }
        let serial = self.last_savepoint.checked_add(1)?;
        self.last_savepoint = serial;
        self.savepoints.push((serial, self.undo.len()));
        Some(serial)
    }

    /// Forgets a savepoint and those after it; false if it is not open.
    pub(crate) fn release(&mut self, savepoint: u32) -> bool {
        let Some(index) = self.index_of(savepoint) else {
            return false;
        };
        self.savepoints.truncate(index);
        if self.savepoints.is_empty() {
            for undo in std::mem::take(&mut self.undo) {
                self.bytes -= undo.bytes();
            }
        }
        true
    }

    /// Undoes all writes since a savepoint, which stays open; those after it are
    /// forgotten. False if it is not open.
    pub(crate) fn rollback_to(&mut self, savepoint: u32) -> bool {
        let Some(index) = self.index_of(savepoint) else {
            return false;
        };
        let Some(&(_, mark)) = self.savepoints.get(index) else {
            return false;
        };
        self.savepoints.truncate(index + 1);
        while self.undo.len() > mark {
            let Some(undo) = self.undo.pop() else { break };
            self.bytes -= undo.bytes();
            let undone = match undo.previous {
                Some(previous) => {
                    self.bytes += size(&undo.key, Some(&previous.write));
                    let key = undo.key.clone();
                    self.writes.insert(undo.key, previous).map(|e| (key, e))
                }
                None => self.writes.remove_entry(&undo.key),
            };
            if let Some((key, entry)) = undone {
                self.bytes -= size(&key, Some(&entry.write));
            }
        }
        true
    }

    /// Whether a savepoint is open.
    pub(crate) fn has_savepoints(&self) -> bool {
        !self.savepoints.is_empty()
    }

    fn index_of(&self, savepoint: u32) -> Option<usize> {
        self.savepoints
            .iter()
            .position(|(serial, _)| *serial == savepoint)
    }

    fn current_savepoint(&self) -> u32 {
        self.savepoints.last().map_or(0, |(serial, _)| *serial)
    }

    /// The writes to a range of one namespace, in ascending order.
    pub(crate) fn range<'a>(
        &'a self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
    ) -> Box<dyn DoubleEndedIterator<Item = (&'a [u8], &'a Write)> + 'a> {
        if range.is_empty() || self.writes.is_empty() {
            return Box::new(std::iter::empty());
        }
        Box::new(self.writes.range(range.within(ns)).map(|(key, entry)| {
            let bytes = key.physical().get(KEY_PREFIX_BYTES..).unwrap_or_default();
            (bytes, &entry.write)
        }))
    }

    /// Takes the writes, keys ascending. The write set is as new, but for the serial
    /// numbers of savepoints: one that was set before names none that comes after.
    pub(crate) fn take_writes(&mut self) -> Vec<(OwnedKey, Write)> {
        let new = Overlay {
            last_savepoint: self.last_savepoint,
            ..Overlay::default()
        };
        std::mem::replace(self, new)
            .writes
            .into_iter()
            .map(|(key, entry)| (key, entry.write))
            .collect()
    }
}

impl Undo {
    fn bytes(&self) -> usize {
        size(&self.key, self.previous.as_ref().map(|e| &e.write))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NS: NamespaceId = NamespaceId(1);

    fn key(bytes: &[u8]) -> Key<'_> {
        Key { ns: NS, bytes }
    }

    fn put(n: u8) -> Write {
        Write::Put(vec![n].into())
    }

    fn contents(overlay: &Overlay) -> BTreeMap<Vec<u8>, Write> {
        overlay
            .range(NS, &KeyRange::ALL)
            .map(|(k, w)| (k.to_vec(), w.clone()))
            .collect()
    }

    /// Bytes as they must be, from scratch.
    fn recount(overlay: &Overlay) -> usize {
        let live: usize = overlay
            .writes
            .iter()
            .map(|(k, e)| size(k, Some(&e.write)))
            .sum();
        live + overlay.undo.iter().map(Undo::bytes).sum::<usize>()
    }

    #[test]
    fn rolling_back_restores_what_was_written_before() {
        let mut overlay = Overlay::default();
        overlay.write(key(b"a"), put(1)).unwrap();
        let outer = overlay.savepoint().unwrap();
        overlay.write(key(b"a"), put(2)).unwrap();
        overlay.write(key(b"b"), put(2)).unwrap();
        let inner = overlay.savepoint().unwrap();
        overlay.write(key(b"a"), Write::Delete).unwrap();
        assert!(overlay.rollback_to(inner));
        assert_eq!(overlay.get(b"\0\0\0\x01a"), Some(&put(2)));
        overlay.write(key(b"a"), put(4)).unwrap();
        assert!(overlay.rollback_to(outer));
        assert_eq!(contents(&overlay), [(b"a".to_vec(), put(1))].into());
        assert!(!overlay.rollback_to(inner), "forgotten by the outer one");
        assert!(overlay.rollback_to(outer), "stays set");
        assert!(overlay.release(outer));
        assert!(!overlay.release(outer));
    }

    #[test]
    fn savepoints_at_their_limit_and_one_more() {
        let mut overlay = Overlay::default();
        let first = overlay.savepoint().unwrap();
        for _ in 1..limits::SAVEPOINTS {
            assert!(overlay.savepoint().is_some());
        }
        assert_eq!(overlay.savepoint(), None);
        assert!(overlay.release(first));
        assert!(overlay.savepoint().is_some());
    }

    #[test]
    fn the_write_set_at_its_limit_and_one_more() {
        let value = limits::VALUE_BYTES;
        let one = KEY_PREFIX_BYTES + 1 + value + limits::WRITE_OVERHEAD_BYTES;
        let mut overlay = Overlay::default();
        for n in 0..3 {
            let write = Write::Put(vec![0; value].into());
            overlay.write(key(&[n]), write).unwrap();
        }
        let room = limits::WRITE_SET_BYTES - 3 * one;
        let fits = room - KEY_PREFIX_BYTES - 1 - limits::WRITE_OVERHEAD_BYTES;
        let over = overlay.write(key(&[9]), Write::Put(vec![0; fits + 1].into()));
        assert_eq!(over.unwrap_err().kind(), wasm_storage_abi::Kind::TooLarge);
        assert_eq!(overlay.get(b"\0\0\0\x01\x09"), None, "nothing changed");
        let exactly = Write::Put(vec![0; fits].into());
        overlay.write(key(&[9]), exactly).unwrap();
        assert_eq!(overlay.bytes, limits::WRITE_SET_BYTES);
        overlay.savepoint().unwrap();
        let undo_counts = overlay.write(key(&[9]), Write::Delete);
        assert!(undo_counts.is_err(), "the undo log counts too");
    }

    #[derive(Clone, Debug)]
    enum Op {
        Write(u8, Option<u8>),
        Savepoint,
        Release(usize),
        RollbackTo(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            5 => (0u8..6, any::<Option<u8>>()).prop_map(|(k, v)| Op::Write(k, v)),
            2 => Just(Op::Savepoint),
            1 => (0usize..4).prop_map(Op::Release),
            1 => (0usize..4).prop_map(Op::RollbackTo),
        ]
    }

    proptest! {
        /// Against a model that copies the whole map at every savepoint.
        #[test]
        fn behaves_like_copies_at_savepoints(ops in prop::collection::vec(op(), 0..80)) {
            let mut overlay = Overlay::default();
            let mut model: BTreeMap<Vec<u8>, Write> = BTreeMap::new();
            let mut saved: Vec<(u32, BTreeMap<Vec<u8>, Write>)> = Vec::new();
            for op in ops {
                match op {
                    Op::Write(k, v) => {
                        let write = v.map_or(Write::Delete, put);
                        overlay.write(key(&[k]), write.clone()).unwrap();
                        model.insert(vec![k], write);
                    }
                    Op::Savepoint => saved.push((overlay.savepoint().unwrap(), model.clone())),
                    Op::Release(i) => if i < saved.len() {
                        prop_assert!(overlay.release(saved[i].0));
                        saved.truncate(i);
                    },
                    Op::RollbackTo(i) => if i < saved.len() {
                        prop_assert!(overlay.rollback_to(saved[i].0));
                        saved.truncate(i + 1);
                        model = saved[i].1.clone();
                    },
                }
                prop_assert_eq!(&contents(&overlay), &model);
                prop_assert_eq!(overlay.bytes, recount(&overlay));
            }
        }
    }
}
