//! What a transaction has read, as far as it matters for its commit: points as
//! 8-byte hashes, scanned ranges by their ends.
//!
//! The hash is keyed anew for each opening of a store, so no guest can craft
//! collisions; one that happens is a conflict too many, never one too few. A set
//! over its limits gets coarser, too: the namespace that was read most becomes one
//! range. Reads are never forgotten: rolling back to a savepoint undoes writes.
//!
//! A set is tidied before it is tested: points and ranges ascend then, each once and
//! none meeting another, so that the fewer (of what was read and what was written) can
//! be looked up among the more.

use std::cmp::Ordering;
use std::ops::Bound;

use wasm_storage_abi::limits;

use crate::backend::{Key, KeyRange, NamespaceId, OwnedKey};

/// A range of physical keys; never empty the wrong way round.
pub(super) type Range = (Bound<OwnedKey>, Bound<OwnedKey>);

#[derive(Debug, Default)]
pub(super) struct ReadSet {
    namespaces: Vec<NamespaceReads>,
    /// Points of all namespaces; duplicates count until the set is tidied.
    points: usize,
    /// Sort and deduplicate at this many.
    tidy_at: usize,
    /// The ends of all ranges, but those of namespaces that are in the set whole.
    range_bytes: usize,
}

#[derive(Debug)]
struct NamespaceReads {
    ns: NamespaceId,
    points: Vec<u64>,
    ranges: Vec<Range>,
    /// All of it is in the set, as the only range.
    whole: bool,
}

/// Points are tidied up for the first time at this many.
const TIDY_FIRST: usize = 1024;

impl ReadSet {
    pub(super) fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Adds a point by its hash.
    pub(super) fn point(&mut self, ns: NamespaceId, hash: u64) {
        let reads = self.of(ns);
        if reads.whole || reads.points.last() == Some(&hash) {
            return;
        }
        reads.points.push(hash);
        self.points += 1;
        if self.points >= self.tidy_at.max(TIDY_FIRST) {
            self.tidy();
            self.tidy_at = self.points * 2;
        }
    }

    /// Adds a scanned range. One that continues the last of its namespace becomes
    /// one with it: the pages of a scan are one range. So is the same scan again.
    pub(super) fn range(&mut self, ns: NamespaceId, (lo, hi): Range) {
        let reads = self.of(ns);
        if reads.whole {
            return;
        }
        let (mut before, mut after) = (0, 0);
        match reads.ranges.last_mut() {
            Some(last) if last.0 == lo && last.1 == hi => {}
            Some((_, end)) if meets(end, &lo) => {
                (before, after) = (bytes(end), bytes(&hi));
                *end = hi;
            }
            Some((start, _)) if meets(&hi, start) => {
                (before, after) = (bytes(start), bytes(&lo));
                *start = lo;
            }
            _ => {
                after = bytes(&lo) + bytes(&hi);
                reads.ranges.push((lo, hi));
            }
        }
        self.range_bytes = self.range_bytes - before + after;
        while self.range_bytes > limits::READ_RANGE_BYTES {
            self.coarsen(|reads| reads.ranges.len());
        }
    }

    /// Sorts points and ranges, makes one of those that are the same or meet, and sees
    /// to the limit of points. Before the set is tested.
    pub(super) fn tidy(&mut self) {
        (self.points, self.range_bytes) = (0, 0);
        for reads in &mut self.namespaces {
            reads.points.sort_unstable();
            reads.points.dedup();
            self.points += reads.points.len();
            merge(&mut reads.ranges);
            if !reads.whole {
                let ends = reads.ranges.iter().map(|(lo, hi)| bytes(lo) + bytes(hi));
                self.range_bytes += ends.sum::<usize>();
            }
        }
        while self.points > limits::READ_POINTS {
            self.coarsen(|reads| reads.points.len());
        }
    }

    pub(super) fn namespaces(&self) -> impl Iterator<Item = NamespaceId> {
        self.namespaces.iter().map(|reads| reads.ns)
    }

    /// The points, of a set that is tidy.
    pub(super) fn points(&self) -> impl Iterator<Item = &[u64]> {
        self.namespaces.iter().map(|reads| reads.points.as_slice())
    }

    /// Whether a point is in a set that is tidy.
    pub(super) fn has_point(&self, hash: u64) -> bool {
        let mut points = self.points();
        points.any(|points| points.binary_search(&hash).is_ok())
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.namespaces.iter().flat_map(|reads| &reads.ranges)
    }

    /// Whether a key lies in a range of a set that is tidy.
    pub(super) fn covers(&self, key: &OwnedKey) -> bool {
        let ns = key.key().ns;
        let mut namespaces = self.namespaces.iter();
        namespaces.any(|reads| reads.ns == ns && reads.covers(key))
    }

    /// Which of `keys`, ascending, lies in a range of a set that is tidy, if any does.
    pub(super) fn first_scanned<'k>(&self, keys: &'k [OwnedKey]) -> Option<&'k OwnedKey> {
        self.namespaces.iter().find_map(|reads| {
            if reads.ranges.len() <= keys.len() {
                let mut ranges = reads.ranges.iter();
                ranges.find_map(|range| first_in(range, keys))
            } else {
                keys.iter().find(|key| reads.covers(key))
            }
        })
    }

    fn of(&mut self, ns: NamespaceId) -> &mut NamespaceReads {
        let known = self.namespaces.iter().position(|reads| reads.ns == ns);
        let at = known.unwrap_or_else(|| {
            self.namespaces.push(NamespaceReads {
                ns,
                points: Vec::new(),
                ranges: Vec::new(),
                whole: false,
            });
            self.namespaces.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.namespaces[at]
    }

    /// Makes one range of the namespace with the most of something.
    fn coarsen(&mut self, most: impl Fn(&NamespaceReads) -> usize) {
        let finer = self.namespaces.iter_mut().filter(|reads| !reads.whole);
        let Some(reads) = finer.max_by_key(|reads| most(reads)) else {
            // Nothing is left that counts.
            (self.points, self.range_bytes) = (0, 0);
            return;
        };
        self.points -= reads.points.len();
        self.range_bytes -= reads
            .ranges
            .iter()
            .map(|(lo, hi)| bytes(lo) + bytes(hi))
            .sum::<usize>();
        let all = KeyRange::ALL.within(reads.ns);
        *reads = NamespaceReads {
            ns: reads.ns,
            points: Vec::new(),
            ranges: vec![all],
            whole: true,
        };
    }
}

impl NamespaceReads {
    /// Whether a key of any namespace lies in a range; the set is tidy.
    fn covers(&self, key: &OwnedKey) -> bool {
        let after = self
            .ranges
            .partition_point(|(lo, _)| begins_by(lo, key) != Ordering::Greater);
        let range = after.checked_sub(1).and_then(|at| self.ranges.get(at));
        range.is_some_and(|range| contains(range, key))
    }
}

/// Sorts ranges, and makes one of those that overlap or meet.
fn merge(ranges: &mut Vec<Range>) {
    if ranges.len() < 2 {
        return;
    }
    ranges.sort_unstable_by(|(a, _), (b, _)| by_start(a, b));
    ranges.dedup_by(|next, kept| {
        let ((start, end), (_, kept_end)) = (next, kept);
        let one = match (key_of(start), key_of(kept_end)) {
            (Some(start_key), Some(end_key)) => start_key < end_key || meets(kept_end, start),
            _ => true,
        };
        if one && by_end(kept_end, end) == Ordering::Less {
            std::mem::swap(kept_end, end);
        }
        one
    });
}

fn key_of(bound: &Bound<OwnedKey>) -> Option<&OwnedKey> {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(key),
        Bound::Unbounded => None,
    }
}

/// Where a start stands to a key: not after it, if a range from there can have it.
fn begins_by(start: &Bound<OwnedKey>, key: &OwnedKey) -> Ordering {
    match start {
        Bound::Included(start) => start.cmp(key),
        Bound::Excluded(start) => start.cmp(key).then(Ordering::Greater),
        Bound::Unbounded => Ordering::Less,
    }
}

fn by_start(a: &Bound<OwnedKey>, b: &Bound<OwnedKey>) -> Ordering {
    // Of one key, the start that includes it comes first.
    let excludes = |bound: &Bound<OwnedKey>| matches!(bound, Bound::Excluded(_));
    key_of(a)
        .cmp(&key_of(b))
        .then(excludes(a).cmp(&excludes(b)))
}

fn by_end(a: &Bound<OwnedKey>, b: &Bound<OwnedKey>) -> Ordering {
    let includes = |bound: &Bound<OwnedKey>| matches!(bound, Bound::Included(_));
    match (key_of(a), key_of(b)) {
        (Some(a_key), Some(b_key)) => a_key.cmp(b_key).then(includes(a).cmp(&includes(b))),
        (a_key, b_key) => b_key.is_some().cmp(&a_key.is_some()),
    }
}

/// Whether nothing lies between a range that ends at `end` and one that begins at `start`.
fn meets(end: &Bound<OwnedKey>, start: &Bound<OwnedKey>) -> bool {
    match (end, start) {
        (Bound::Included(end), Bound::Included(start) | Bound::Excluded(start))
        | (Bound::Excluded(end), Bound::Included(start)) => end == start,
        _ => false,
    }
}

/// A bound as it counts against the limit.
fn bytes(bound: &Bound<OwnedKey>) -> usize {
    match bound {
        Bound::Included(key) | Bound::Excluded(key) => {
            key.physical().len() + size_of::<Bound<OwnedKey>>()
        }
        Bound::Unbounded => size_of::<Bound<OwnedKey>>(),
    }
}

/// Whether a key lies in a range.
pub(super) fn contains((lo, hi): &Range, key: &OwnedKey) -> bool {
    let above = match lo {
        Bound::Included(lo) => key >= lo,
        Bound::Excluded(lo) => key > lo,
        Bound::Unbounded => true,
    };
    let below = match hi {
        Bound::Included(hi) => key <= hi,
        Bound::Excluded(hi) => key < hi,
        Bound::Unbounded => true,
    };
    above && below
}

/// What of `keys`, ascending, lies in a range: the first.
pub(super) fn first_in<'k>(range: &Range, keys: &'k [OwnedKey]) -> Option<&'k OwnedKey> {
    let at = keys.partition_point(|key| match &range.0 {
        Bound::Included(lo) => key < lo,
        Bound::Excluded(lo) => key <= lo,
        Bound::Unbounded => false,
    });
    keys.get(at).filter(|key| contains(range, key))
}

/// A key with its namespace, from its parts.
pub(super) fn owned(ns: NamespaceId, bytes: &[u8]) -> OwnedKey {
    OwnedKey::new(Key { ns, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NS: NamespaceId = NamespaceId(1);
    const OTHER: NamespaceId = NamespaceId(2);

    fn closed(lo: &[u8], hi: &[u8]) -> Range {
        (
            Bound::Included(owned(NS, lo)),
            Bound::Included(owned(NS, hi)),
        )
    }

    fn points(set: &ReadSet) -> Vec<u64> {
        set.points().flatten().copied().collect()
    }

    #[test]
    fn a_key_read_again_and_again_is_one_point() {
        let mut set = ReadSet::default();
        for n in 0..10_000u64 {
            set.point(NS, n % 7);
        }
        set.tidy();
        assert_eq!(points(&set), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn points_at_their_limit_stay_points_and_one_more_is_the_whole_namespace() {
        let mut set = ReadSet::default();
        set.point(OTHER, u64::MAX);
        let limit = u64::try_from(limits::READ_POINTS).unwrap();
        for n in 1..limit {
            set.point(NS, n);
        }
        set.tidy();
        assert_eq!(points(&set).len(), limits::READ_POINTS);
        assert_eq!(set.ranges().count(), 0);
        set.point(NS, limit);
        set.tidy();
        assert_eq!(points(&set), [u64::MAX], "the other namespace stays exact");
        let ranges: Vec<_> = set.ranges().collect();
        assert_eq!(ranges, [&KeyRange::ALL.within(NS)]);
        set.point(NS, 7);
        set.range(NS, closed(b"a", b"b"));
        assert_eq!((points(&set).len(), set.ranges().count()), (1, 1));
    }

    #[test]
    fn ranges_at_their_limit_stay_ranges_and_one_byte_more_is_the_whole_namespace() {
        let one = 2 * (4 + 100 + size_of::<Bound<OwnedKey>>());
        let count = limits::READ_RANGE_BYTES / one;
        let rest = limits::READ_RANGE_BYTES - count * one;
        let key = |n: usize, length: usize| format!("{n:0length$}").into_bytes();
        let full = |extra: usize| {
            let mut set = ReadSet::default();
            for n in 0..count - 1 {
                set.range(NS, closed(&key(2 * n, 100), &key(2 * n, 100)));
            }
            set.range(
                NS,
                closed(&key(2 * count, 100), &key(2 * count, 100 + extra)),
            );
            set
        };
        assert_eq!(full(rest).ranges().count(), count);
        assert_eq!(full(rest + 1).ranges().count(), 1);
    }

    /// A range that grew by its next page kept the size it had begun with. Two-page
    /// scans that end at long keys took 40 times the memory of the limit, and when the
    /// limit was met at last, more was taken off the count than had been put on it: a
    /// panic, or with the checks of a release build off, a loop without end.
    #[test]
    fn a_range_that_grows_by_a_page_counts_as_it_is_then() {
        let long = |n: usize| format!("{n:04000}").into_bytes();
        let scan_in_two_pages = |set: &mut ReadSet, n: usize, order_is_forward: bool| {
            let (near, far) = (owned(NS, &[7]), owned(NS, &long(n)));
            let (near, far) = (Bound::Included(near), Bound::Included(far));
            if order_is_forward {
                set.range(NS, (near.clone(), near.clone()));
                set.range(NS, (near, far));
            } else {
                set.range(NS, (far.clone(), far.clone()));
                set.range(NS, (near, far));
            }
        };
        for forward in [true, false] {
            let mut set = ReadSet::default();
            let mut most = 0;
            for n in 0..100_000 {
                scan_in_two_pages(&mut set, n, forward);
                let held = set.ranges().map(|(lo, hi)| bytes(lo) + bytes(hi)).sum();
                most = most.max(held);
                if set.ranges().count() == 1 && n > 0 {
                    break;
                }
            }
            assert_eq!(
                set.ranges().collect::<Vec<_>>(),
                [&KeyRange::ALL.within(NS)]
            );
            assert!(most <= limits::READ_RANGE_BYTES, "{most}");
        }
    }

    #[test]
    fn the_pages_of_a_scan_are_one_range_in_either_direction() {
        let key = |bytes: &[u8]| owned(NS, bytes);
        let mut set = ReadSet::default();
        set.range(NS, (Bound::Included(key(b"a")), Bound::Included(key(b"c"))));
        set.range(NS, (Bound::Excluded(key(b"c")), Bound::Included(key(b"f"))));
        set.range(NS, (Bound::Excluded(key(b"f")), Bound::Excluded(key(b"k"))));
        assert_eq!(
            set.ranges().collect::<Vec<_>>(),
            [&(Bound::Included(key(b"a")), Bound::Excluded(key(b"k")))]
        );
        let mut set = ReadSet::default();
        set.range(NS, (Bound::Included(key(b"f")), Bound::Excluded(key(b"k"))));
        set.range(NS, (Bound::Included(key(b"c")), Bound::Excluded(key(b"f"))));
        assert_eq!(set.ranges().count(), 1);
        set.range(NS, closed(b"x", b"y"));
        assert_eq!(set.ranges().count(), 2, "a gap between");
    }

    #[test]
    fn the_first_key_in_a_range() {
        let keys: Vec<OwnedKey> = [b"b", b"d", b"f"].iter().map(|k| owned(NS, *k)).collect();
        let find = |range: &Range| first_in(range, &keys).map(|key| key.key().bytes.to_vec());
        assert_eq!(find(&closed(b"a", b"b")), Some(b"b".to_vec()));
        assert_eq!(find(&closed(b"c", b"c")), None);
        assert_eq!(find(&closed(b"f", b"z")), Some(b"f".to_vec()));
        let open = (
            Bound::Excluded(owned(NS, b"b")),
            Bound::Excluded(owned(NS, b"d")),
        );
        assert_eq!(find(&open), None);
        assert_eq!(find(&KeyRange::ALL.within(OTHER)), None);
        assert_eq!(find(&KeyRange::ALL.within(NS)), Some(b"b".to_vec()));
    }

    fn bound() -> impl Strategy<Value = (u8, u8)> {
        (0..3u8, 0..12u8)
    }

    fn of((kind, key): (u8, u8)) -> Bound<OwnedKey> {
        match kind {
            0 => Bound::Included(owned(NS, &[key])),
            1 => Bound::Excluded(owned(NS, &[key])),
            _ => Bound::Unbounded,
        }
    }

    proptest! {
        /// Testing a set range by range against every recent commit took four minutes for
        /// one that had scanned 60,000 ranges, 60,000 commits later: within a single read
        /// of a guest, where nobody can interrupt it. Tidy, it knows the same as before.
        #[test]
        fn a_tidy_set_has_read_what_was_read(
            ends in prop::collection::vec((bound(), bound()), 0..12),
            written in prop::collection::btree_set(0..12u8, 0..12),
        ) {
            let mut set = ReadSet::default();
            let mut ranges: Vec<Range> = Vec::new();
            for (lo, hi) in ends {
                let range = (of(lo), of(hi));
                let empty = match (key_of(&range.0), key_of(&range.1)) {
                    (Some(a), Some(b)) => a > b || a == b && !meets(&range.1, &range.0),
                    _ => false,
                };
                if !empty {
                    set.range(NS, range.clone());
                    ranges.push(range);
                }
            }
            set.tidy();
            let keys: Vec<OwnedKey> = written.iter().map(|key| owned(NS, &[*key])).collect();
            let read = |key: &OwnedKey| ranges.iter().any(|range| contains(range, key));
            for key in &keys {
                prop_assert_eq!(set.covers(key), read(key), "{:?}", key);
                prop_assert!(!set.covers(&owned(OTHER, key.key().bytes)));
            }
            let first = set.first_scanned(&keys);
            prop_assert_eq!(first.is_some(), keys.iter().any(read));
            prop_assert!(first.is_none_or(read));
            let tidy: Vec<&Range> = set.ranges().collect();
            for pair in tidy.windows(2) {
                prop_assert_eq!(by_start(&pair[0].0, &pair[1].0), Ordering::Less);
                prop_assert!(!meets(&pair[0].1, &pair[1].0), "they would be one");
            }
            let ends = tidy.iter().map(|(lo, hi)| bytes(lo) + bytes(hi));
            prop_assert_eq!(set.range_bytes, ends.sum::<usize>());
        }
    }
}
