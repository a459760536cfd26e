//! A transaction over published snapshots: reads are recorded as they are made,
//! writes come with the commit.

use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use wasm_storage_abi::{Kind, limits};

use super::hooks::{Defect, Moment};
use super::queue::{Member, Next, Reserved, Waiter};
use super::read_set::{ReadSet, owned};
use super::{Published, Shared, group};
use crate::backend::{
    Commit, Key, KeyRange, Millis, NamespaceId, Order, Outcome, OwnedKey, PageHint, Transaction,
    TxError, Visit, Write,
};
use crate::error::Error;
use crate::kv::{self, OrderedKv, Snapshot};
use crate::layout::{self, KEY_PREFIX_BYTES};

/// A transaction this many groups behind tries to catch up, so that a long one does
/// not fall out of what the store remembers.
const CATCH_UP_AFTER: u64 = 1_024;
/// It looks whether it is behind after this many reads.
const READS_PER_LOOK: u32 = 1_000;

pub(super) struct CoordinatorTransaction<K: OrderedKv> {
    shared: Arc<Shared<K>>,
    /// Whether reads are recorded, so that it can write.
    writes: bool,
    reserved: Option<Reserved>,
    /// What this transaction reads, with its time; taken at the first read.
    base: Option<Base<K>>,
    reads: ReadSet,
    /// Reads since it last looked whether it is behind.
    since_look: u32,
    /// It has looked, and had lost: it stays where it is.
    beaten: bool,
    /// Reused for the physical key.
    physical: Vec<u8>,
}

struct Base<K: OrderedKv> {
    /// The number that goes with the snapshot.
    group: u64,
    published: Arc<Published<K::Snapshot>>,
    now: Millis,
}

impl<K: OrderedKv> CoordinatorTransaction<K> {
    pub(super) fn new(shared: Arc<Shared<K>>, writes: bool, reserved: Option<Reserved>) -> Self {
        CoordinatorTransaction {
            shared,
            writes,
            reserved,
            base: None,
            reads: ReadSet::default(),
            since_look: 0,
            beaten: false,
            physical: Vec::new(),
        }
    }

    fn base(&mut self) -> &Base<K> {
        // The time is taken after the snapshot, so that nothing read is from later.
        self.base.get_or_insert_with(|| {
            self.shared.hooks.at(Moment::Begin);
            let published = self.shared.published();
            let mut group = published.group;
            if self.shared.has(Defect::SnapshotBeforeNumber) {
                self.shared.hooks.at(Moment::Begin);
                group = self.shared.published().group;
            }
            Base {
                group,
                published,
                now: self.shared.clock.now(),
            }
        })
    }

    /// Moves on to the newest snapshot if nothing that was read has changed since.
    /// Otherwise it stays where it is: it can still end without writing.
    fn catch_up(&mut self) {
        let newest = self.shared.published();
        let Some(base) = &mut self.base else { return };
        if newest.group < base.group.saturating_add(CATCH_UP_AFTER) {
            return;
        }
        self.reads.tidy();
        let tested = self.shared.test(&self.reads, base.group, newest.group);
        self.beaten = tested.is_err() && !self.shared.has(Defect::CatchUpUntested);
        if !self.beaten {
            base.group = newest.group;
            base.published = newest;
        }
    }

    /// Before a read: every so often, and only where the reads are recorded.
    fn look(&mut self, reads: u32) {
        if !self.writes || self.beaten {
            return;
        }
        self.since_look += reads;
        if self.since_look >= READS_PER_LOOK {
            self.since_look = 0;
            self.catch_up();
        }
    }
}

impl<K: OrderedKv> Transaction for CoordinatorTransaction<K> {
    fn now(&mut self) -> Result<Millis, TxError> {
        Ok(self.base().now)
    }

    fn get(&mut self, key: Key<'_>, out: &mut dyn FnMut(&[u8])) -> Result<bool, TxError> {
        self.look(1);
        let mut physical = std::mem::take(&mut self.physical);
        physical.clear();
        physical.extend_from_slice(&key.ns.0.to_be_bytes());
        physical.extend_from_slice(key.bytes);
        let found = self.base().published.snapshot.get(&physical, out);
        if self.writes {
            self.reads.point(key.ns, self.shared.hash(&physical));
        }
        self.physical = physical;
        Ok(found?)
    }

    fn get_many(
        &mut self,
        keys: &[Key<'_>],
        out: &mut dyn FnMut(usize, Option<&[u8]>),
    ) -> Result<(), TxError> {
        for (index, key) in keys.iter().enumerate() {
            if !self.get(*key, &mut |value| out(index, Some(value)))? {
                out(index, None);
            }
        }
        Ok(())
    }

    fn scan(
        &mut self,
        ns: NamespaceId,
        range: &KeyRange<'_>,
        order: Order,
        _hint: PageHint,
        visit: &mut Visit<'_>,
    ) -> Result<(), TxError> {
        if range.is_empty() {
            return Ok(());
        }
        self.look(READS_PER_LOOK);
        let (lo, hi) = range.within(ns);
        let physical = KeyRange {
            lo: lo.as_ref().map(OwnedKey::physical),
            hi: hi.as_ref().map(OwnedKey::physical),
        };
        // What lies beyond the last key that was shown has not been read.
        let mut stopped_at = None;
        let snapshot = &self.base().published.snapshot;
        let scanned = snapshot.scan(&physical, order, &mut |key, value| {
            let bytes = key.get(KEY_PREFIX_BYTES..).unwrap_or_default();
            let flow = visit(bytes, value);
            if flow == ControlFlow::Break(()) {
                stopped_at = Some(Bound::Included(owned(ns, bytes)));
            }
            flow
        });
        if self.writes && !self.shared.has(Defect::RangesNotRecorded) {
            let read = match (stopped_at, order) {
                (None, _) => (lo, hi),
                (Some(last), Order::Forward) => (lo, last),
                (Some(last), Order::Reverse) => (last, hi),
            };
            self.reads.range(ns, read);
        }
        Ok(scanned?)
    }

    /// All reads are from one snapshot.
    fn validate(&mut self) -> Result<(), TxError> {
        Ok(())
    }

    fn commit(mut self: Box<Self>, request: Commit) -> Outcome {
        if request.writes.is_empty() {
            // The snapshot is a durable prefix: nothing to write, nothing to test.
            return Outcome::Committed(None);
        }
        if !self.writes {
            let text = "a read-only transaction has writes";
            return Outcome::Rejected(Error::new(Kind::ReadOnly, text));
        }
        let shared = Arc::clone(&self.shared);
        let member = match self.member(request) {
            Ok(member) => Arc::new(member),
            Err(outcome) => return outcome,
        };
        // The snapshot goes before the wait; a reservation goes after it.
        let _reserved = self.reserved.take();
        drop(self);
        let mut leads = match shared.queue.enter(&member) {
            Ok(leads) => leads,
            Err(outcome) => return outcome,
        };
        shared.hooks.at(Moment::Enqueued);
        loop {
            if leads {
                group::lead(&shared);
            }
            match shared.queue.wait(&member) {
                Next::Return(outcome) => return outcome,
                Next::Lead => leads = true,
            }
        }
    }
}

impl<K: OrderedKv> CoordinatorTransaction<K> {
    /// What the leader of a group must know. Tests what can be tested before.
    fn member(&mut self, request: Commit) -> Result<Member, Outcome> {
        let shared = &self.shared;
        let value_bytes = |write: &Write| match write {
            Write::Put(value) => value.len(),
            Write::Add(_) => layout::I64_VALUE_BYTES,
            Write::Delete => 0,
        };
        let sizes = request.writes.iter();
        let sizes = sizes.map(|(key, write)| (key.physical().len(), value_bytes(write)));
        let bytes = kv::check_sizes(shared.kv.capabilities(), sizes, layout::RECORDS_BYTES)
            .map_err(Outcome::Rejected)?;

        self.reads.tidy();
        // Who reads nothing is never too old.
        let mut tested = u64::MAX;
        if !self.reads.is_empty() {
            tested = self.base.as_ref().map_or(0, |base| base.group);
            let visible = shared.published().group;
            tested = shared
                .test(&self.reads, tested, visible)
                .map_err(Outcome::Conflict)?;
        }
        let mut namespaces: Vec<NamespaceId> = Vec::new();
        for (key, _) in &request.writes {
            // Keys ascend, so those of a namespace stand together.
            if namespaces.last() != Some(&key.key().ns) {
                namespaces.push(key.key().ns);
            }
        }
        let hash = |(key, _): &(OwnedKey, Write)| shared.hash(key.physical());
        let own = self.reserved.as_ref();
        let own = own.filter(|_| !shared.has(Defect::OwnReservationIgnored));
        Ok(Member {
            hashes: request.writes.iter().map(hash).collect(),
            reads: std::mem::take(&mut self.reads),
            tested,
            writes: request.writes,
            bytes,
            namespaces,
            reservation: own.map(|reserved| reserved.ticket),
            waiter: Waiter::new(),
        })
    }
}

const _: () = assert!(limits::GROUP_BYTES > layout::RECORDS_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::Coordinator;
    use crate::memory::MemoryKv;

    /// A read-only transaction counted its reads and never looked at the count: at
    /// four million scans, a program built with overflow checks panicked.
    #[test]
    fn a_reader_can_read_for_ever() {
        let coordinator = Coordinator::open(MemoryKv::new(), None).unwrap();
        let shared = Arc::clone(&coordinator.0);
        let mut reader = CoordinatorTransaction::new(shared, false, None);
        reader.since_look = u32::MAX;
        let ns = layout::DEFAULT;
        assert!(!reader.get(Key { ns, bytes: b"k" }, &mut |_| {}).unwrap());
        let hint = PageHint::default();
        let visit = &mut |_: &[u8], _: &[u8]| ControlFlow::Continue(());
        reader
            .scan(ns, &KeyRange::ALL, Order::Forward, hint, visit)
            .unwrap();
    }
}
