//! What the last commits wrote, for the conflict check.
//!
//! Invariant: every group in `(floor, last]` has one record, in order; so the
//! records that a transaction must be tested against are a tail of the queue.

use std::collections::VecDeque;
use std::sync::Arc;

use wasm_storage_abi::limits;

use super::read_set::ReadSet;
use crate::backend::OwnedKey;

/// The writes of one group.
#[derive(Debug)]
pub(super) struct GroupRecord {
    group: u64,
    /// The keys' hashes, ascending, and where each key is.
    points: Box<[(u64, usize)]>,
    /// Ascending.
    keys: Box<[OwnedKey]>,
}

impl GroupRecord {
    /// Of a group's keys, ascending, and their hashes.
    pub(super) fn new(group: u64, hashes: Vec<u64>, keys: Vec<OwnedKey>) -> Self {
        let mut points: Vec<(u64, usize)> = hashes.into_iter().zip(0..).collect();
        points.sort_unstable();
        GroupRecord {
            group,
            points: points.into(),
            keys: keys.into(),
        }
    }

    pub(super) fn group(&self) -> u64 {
        self.group
    }

    /// A key of this group that a set has read, if there is one. The set is tidy.
    pub(super) fn conflict(&self, reads: &ReadSet) -> Option<&OwnedKey> {
        let point = reads
            .points()
            .find_map(|points| common(points, &self.points))
            .and_then(|at| self.keys.get(at));
        point.or_else(|| reads.first_scanned(&self.keys))
    }

    fn bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(|key| key.physical().len()).sum();
        keys + size_of_val(&*self.keys) + size_of_val(&*self.points) + size_of::<Self>()
    }
}

/// Where a hash that both lists have, both ascending, belongs.
fn common(read: &[u64], written: &[(u64, usize)]) -> Option<usize> {
    let by_hash = |&(hash, _): &(u64, usize)| hash;
    if read.len() <= written.len() {
        let mut found = read
            .iter()
            .filter_map(|hash| written.binary_search_by_key(hash, by_hash).ok());
        let at = found.next()?;
        return written.get(at).map(|&(_, key)| key);
    }
    let mut found = written
        .iter()
        .filter(|(hash, _)| read.binary_search(hash).is_ok());
    found.next().map(|&(_, key)| key)
}

#[derive(Debug)]
pub(super) struct Recent {
    records: VecDeque<Arc<GroupRecord>>,
    /// The last group without a record.
    floor: u64,
    bytes: usize,
}

impl Recent {
    /// Of a store whose last group is `last`.
    pub(super) fn after(last: u64) -> Self {
        Recent {
            records: VecDeque::new(),
            floor: last,
            bytes: 0,
        }
    }

    /// The records of the groups after `group`; `None` if they are not all there.
    pub(super) fn newer_than(&self, group: u64) -> Option<Vec<Arc<GroupRecord>>> {
        let known = usize::try_from(group.checked_sub(self.floor)?).ok()?;
        Some(self.records.iter().skip(known).cloned().collect())
    }

    /// Adds the next group's record.
    pub(super) fn push(&mut self, record: GroupRecord) {
        self.bytes += record.bytes();
        self.records.push_back(Arc::new(record));
    }

    /// Drops the oldest records beyond the limits, but none after `keep`.
    pub(super) fn prune(&mut self, keep: u64) {
        while self.records.len() > limits::RECENT_COMMITS || self.bytes > limits::RECENT_BYTES {
            match self.records.front() {
                Some(oldest) if oldest.group <= keep => {
                    self.bytes -= oldest.bytes();
                    self.floor = oldest.group;
                    self.records.pop_front();
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Key, NamespaceId};

    fn record(group: u64, key_bytes: usize) -> GroupRecord {
        let key = vec![b'k'; key_bytes];
        let key = OwnedKey::new(Key {
            ns: NamespaceId(1),
            bytes: &key,
        });
        GroupRecord::new(group, vec![group], vec![key])
    }

    fn groups(recent: &Recent, after: u64) -> Option<Vec<u64>> {
        let records = recent.newer_than(after)?;
        Some(records.iter().map(|record| record.group).collect())
    }

    #[test]
    fn what_is_newer_is_a_tail_and_what_is_pruned_is_not_known() {
        let mut recent = Recent::after(10);
        for group in 11..=13 {
            recent.push(record(group, 1));
        }
        assert_eq!(groups(&recent, 10), Some(vec![11, 12, 13]));
        assert_eq!(groups(&recent, 12), Some(vec![13]));
        assert_eq!(groups(&recent, 13), Some(vec![]));
        assert_eq!(groups(&recent, 9), None);
    }

    #[test]
    fn commits_at_their_limit_are_kept_and_one_more_drops_the_oldest() {
        let mut recent = Recent::after(0);
        let limit = u64::try_from(limits::RECENT_COMMITS).unwrap();
        for group in 1..=limit {
            recent.push(record(group, 1));
            recent.prune(u64::MAX);
        }
        assert!(recent.newer_than(0).is_some());
        recent.push(record(limit + 1, 1));
        recent.prune(0);
        assert!(recent.newer_than(0).is_some(), "kept for a reservation");
        recent.prune(u64::MAX);
        assert!(recent.newer_than(0).is_none());
        assert!(recent.newer_than(1).is_some());
    }

    #[test]
    fn memory_at_its_limit_is_kept_and_one_byte_more_drops_the_oldest() {
        let mut recent = Recent::after(0);
        let fixed = record(0, 0).bytes();
        recent.push(record(1, 0));
        recent.push(record(2, limits::RECENT_BYTES - 2 * fixed));
        assert_eq!(recent.bytes, limits::RECENT_BYTES);
        recent.prune(u64::MAX);
        assert!(recent.newer_than(0).is_some());
        let mut recent = Recent::after(0);
        recent.push(record(1, 0));
        recent.push(record(2, limits::RECENT_BYTES - 2 * fixed + 1));
        recent.prune(u64::MAX);
        assert_eq!(groups(&recent, 1), Some(vec![2]));
        assert!(recent.newer_than(0).is_none());
    }

    #[test]
    fn lists_with_a_hash_in_common() {
        let few = [(2, 7), (3, 8)];
        assert_eq!(common(&[1, 3, 5], &few), Some(8));
        assert_eq!(common(&[3], &few), Some(8));
        assert_eq!(common(&[1, 4, 5], &few), None);
        assert_eq!(common(&[], &few), None);
    }
}
