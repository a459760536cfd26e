//! What a transaction has read, as far as it matters for its commit: points as
//! 8-byte hashes, scanned ranges by their ends.
//!
//! The hash is keyed anew for each opening of a store, so no guest can craft
//! collisions; one that happens is a conflict too many, never one too few. A set
//! over its limits gets coarser, too: the namespace that was read most becomes one
//! range. Reads are never forgotten: rolling back to a savepoint undoes writes.

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
    /// one with it: the pages of a scan are one range.
    pub(super) fn range(&mut self, ns: NamespaceId, (lo, hi): Range) {
        let reads = self.of(ns);
        if reads.whole {
            return;
        }
        if let Some((last_lo, last_hi)) = reads.ranges.last_mut() {
            if meets(last_hi, &lo) {
                *last_hi = hi;
                return;
            }
            if meets(&hi, last_lo) {
                *last_lo = lo;
                return;
            }
        }
        let added = bytes(&lo) + bytes(&hi);
        reads.ranges.push((lo, hi));
        self.range_bytes += added;
        while self.range_bytes > limits::READ_RANGE_BYTES {
            self.coarsen(|reads| reads.ranges.len());
        }
    }

    /// Sorts the points, drops duplicates and sees to the limit. Before the set is
    /// tested.
    pub(super) fn tidy(&mut self) {
        self.points = 0;
        for reads in &mut self.namespaces {
            reads.points.sort_unstable();
            reads.points.dedup();
            self.points += reads.points.len();
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

    pub(super) fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.namespaces.iter().flat_map(|reads| &reads.ranges)
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
        let Some(reads) = self.namespaces.iter_mut().max_by_key(|reads| most(reads)) else {
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
}
