//! The order of one key's versions, as far as it is certain, and the dependencies
//! that follow from it.
//!
//! Invariant: no edge is added that a correct store could contradict. What is not
//! certain is left out, at the price of anomalies that are not found.
//!
//! **Chains.** A transaction that read a version and wrote the key comes directly
//! after that version in every serial order. So the writes fall into chains, and no
//! chain has a write of another chain between its own. Two transactions that wrote
//! over the same version are a lost update, whatever else happened.
//!
//! **Between chains** (blind writes; writes that found nothing) real time decides: a
//! chain of which *any* writer or reader was acknowledged before *any* writer or
//! reader of another one began lies before it as a whole. Chains that overlap are
//! left unordered. Edges from here are marked as timed.
//!
//! **Absence.** A read that found nothing lies in one of the `gaps` between the
//! chains. Real time leaves a few of them, mostly one; the edges that all of these
//! have in common are added.

use std::collections::{HashMap, HashSet};

use super::gaps::Gaps;
use super::graph::{Because, Builder, Edge};
use super::record::Key;

/// At most so many neighbours of a chain are looked at.
const WINDOW: usize = 32;
/// Of a version that was overwritten twice, so many successors are looked at.
const FORK: usize = 8;

/// A committed write of the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyWrite {
    pub(super) node: usize,
    pub(super) deletes: bool,
    /// Whose version it read before it wrote.
    pub(super) over: Option<usize>,
}

/// A read that found nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    pub(super) node: usize,
    pub(super) scanned: bool,
}

/// All that happened to one key.
#[derive(Debug, Default)]
pub(super) struct KeyHistory {
    pub(super) writes: Vec<KeyWrite>,
    /// Who read which node's write.
    pub(super) reads: Vec<(usize, usize)>,
    pub(super) absences: Vec<Absence>,
    /// Whether a deletion may have happened of which nobody knows: then absence
    /// says nothing.
    pub(super) may_be_deleted: bool,
}

/// When a transaction began, and when it was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) begin: u64,
    pub(super) end: u64,
}

/// Two transactions that wrote over the same version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fork {
    pub(super) from: usize,
    pub(super) one: usize,
    pub(super) other: usize,
}

/// A chain: its writes lie one directly after the other.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) head: usize,
    pub(super) tail: usize,
    /// The deletion at its end, if it has one.
    pub(super) deletion: Option<usize>,
    /// The first acknowledgement of a writer or reader of it.
    pub(super) first_end: u64,
    /// The last beginning of a writer or reader of it.
    pub(super) last_begin: u64,
}

impl Chain {
    pub(super) fn surely_before(&self, other: &Chain) -> bool {
        self.first_end < other.last_begin
    }

    /// Halved, it would be the middle. A chain that is surely before another one,
    /// and not surely after it, has the smaller one.
    fn middle(&self) -> u128 {
        u128::from(self.first_end) + u128::from(self.last_begin)
    }
}

/// Adds the dependencies through `key`, and returns its lost updates.
pub(super) fn add_edges(
    key: Key,
    history: &KeyHistory,
    spans: &[Span],
    to: &mut Builder,
) -> Vec<Fork> {
    let mut order = KeyOrder {
        key,
        history,
        spans,
        to,
        readers: HashMap::new(),
    };
    for (writer, reader) in &history.reads {
        order.readers.entry(*writer).or_default().push(*reader);
    }
    order.read_by();
    let (next, forks) = order.overwritten();
    if forks.is_empty()
        && let Some(chains) = order.chains(&next)
    {
        order.between(&chains);
        if !history.may_be_deleted {
            order.absent(&chains);
        }
    }
    forks
}

struct KeyOrder<'a> {
    key: Key,
    history: &'a KeyHistory,
    spans: &'a [Span],
    to: &'a mut Builder,
    /// By writer.
    readers: HashMap<usize, Vec<usize>>,
}

impl KeyOrder<'_> {
    fn add(&mut self, from: usize, to: usize, because: Because, timed: bool) {
        let edge = Edge {
            to,
            because,
            timed,
            key: self.key,
        };
        self.to.add(from, edge);
    }

    fn read_by(&mut self) {
        for (writer, reader) in &self.history.reads {
            self.add(*writer, *reader, Because::ReadBy, false);
        }
    }

    /// `later` wrote a version after that of `earlier`.
    fn replaced(&mut self, earlier: usize, later: usize, timed: bool) {
        self.add(earlier, later, Because::Overwritten, timed);
        for reader in self.readers.get(&earlier).cloned().unwrap_or_default() {
            self.add(reader, later, Because::ReadBefore, timed);
        }
    }

    /// Who wrote directly over whose version.
    fn overwritten(&mut self) -> (HashMap<usize, usize>, Vec<Fork>) {
        let mut next: HashMap<usize, Vec<usize>> = HashMap::new();
        for write in &self.history.writes {
            if let Some(earlier) = write.over {
                next.entry(earlier).or_default().push(write.node);
            }
        }
        let mut forks = Vec::new();
        let mut only = HashMap::new();
        let mut all: Vec<_> = next.into_iter().collect();
        all.sort_unstable();
        for (earlier, later) in all {
            for later in later.iter().take(FORK) {
                self.replaced(earlier, *later, false);
            }
            only.insert(earlier, later[0]);
            for other in &later[1..] {
                forks.push(Fork {
                    from: earlier,
                    one: later[0],
                    other: *other,
                });
            }
        }
        (only, forks)
    }

    /// The chains, in the order that real time suggests. `None` if writes lie in a
    /// circle: the edges that are there already show it.
    fn chains(&self, next: &HashMap<usize, usize>) -> Option<Vec<Chain>> {
        let deletes: HashMap<usize, bool> = self
            .history
            .writes
            .iter()
            .map(|write| (write.node, write.deletes))
            .collect();
        let followers: HashSet<usize> = next.values().copied().collect();
        let mut chains = Vec::new();
        let mut placed = 0;
        for write in &self.history.writes {
            if followers.contains(&write.node) {
                continue;
            }
            let mut chain = Chain {
                head: write.node,
                tail: write.node,
                deletion: None,
                first_end: u64::MAX,
                last_begin: 0,
            };
            let mut at = Some(write.node);
            while let Some(node) = at {
                placed += 1;
                chain.tail = node;
                let readers = self.readers.get(&node);
                for active in readers.into_iter().flatten().chain([&node]) {
                    let span = self.spans[*active];
                    chain.first_end = chain.first_end.min(span.end);
                    chain.last_begin = chain.last_begin.max(span.begin);
                }
                at = next.get(&node).copied();
            }
            chain.deletion = deletes[&chain.tail].then_some(chain.tail);
            chains.push(chain);
        }
        chains.sort_by_key(Chain::middle);
        (placed == self.history.writes.len()).then_some(chains)
    }

    /// Edges between chains that are surely one before the other: for each chain from
    /// those before it, back to one that has all earlier ones before it.
    fn between(&mut self, chains: &[Chain]) {
        // The latest first acknowledgement of the chains before each.
        let mut before = 0;
        let latest: Vec<u64> = chains
            .iter()
            .map(|chain| {
                let latest = before;
                before = before.max(chain.first_end);
                latest
            })
            .collect();
        for (at, chain) in chains.iter().enumerate() {
            for back in (at.saturating_sub(WINDOW)..at).rev() {
                let earlier = &chains[back];
                if !earlier.surely_before(chain) {
                    continue;
                }
                self.replaced(earlier.tail, chain.head, true);
                if latest[back] < earlier.last_begin {
                    break;
                }
            }
        }
    }

    fn absent(&mut self, chains: &[Chain]) {
        if chains.is_empty() {
            return;
        }
        let gaps = Gaps::new(chains, self.spans);
        for absence in &self.history.absences {
            self.place(chains, &gaps, *absence);
        }
    }

    /// The edges of one read that found nothing.
    fn place(&mut self, chains: &[Chain], gaps: &Gaps<'_>, absence: Absence) {
        let Absence { node, scanned } = absence;
        let before = if scanned {
            Because::ScannedBefore
        } else {
            Because::ReadBefore
        };
        if !gaps.has_deletions() {
            // It was never deleted: the read lies before every write, in any order.
            for chain in chains.iter().take(WINDOW) {
                self.add(node, chain.head, before, false);
            }
            // And before those of which it must have known.
            if let Some((_, latest)) = gaps.latest_before(self.spans[node].begin)[0] {
                self.add(node, chains[latest].head, before, false);
            }
            return;
        }
        let Some(fits) = gaps.fitting(node) else {
            return;
        };
        if !fits.first && fits.behind.is_empty() {
            // No state of the store explains it. Say which write it has missed.
            let [one, two] = gaps.latest_before(self.spans[node].begin);
            let missed = match (one, two) {
                (Some((_, one)), Some((_, two))) if chains[one].deletion.is_some() => two,
                (Some((_, one)), _) => one,
                (None, _) => return,
            };
            self.add(node, chains[missed].head, before, true);
            return;
        }
        if let (false, Some(lowest)) = (fits.first, fits.behind.iter().min())
            && let Some(deleter) = chains[*lowest].deletion
            && fits
                .behind
                .iter()
                .all(|other| other == lowest || chains[*lowest].surely_before(&chains[*other]))
        {
            self.add(deleter, node, Because::ReadBy, true);
        }
        let ends = fits.behind.iter().map(|chain| chains[*chain].first_end);
        let latest_end = ends.max().unwrap_or(0);
        let start = fits.behind.iter().max().map_or(0, |chain| chain + 1);
        let mut earliest_end = u64::MAX;
        for chain in chains.iter().skip(start).take(WINDOW) {
            if earliest_end < chain.last_begin {
                // Behind one that has its edge already.
                break;
            }
            if latest_end < chain.last_begin || fits.behind.is_empty() {
                self.add(node, chain.head, before, true);
                earliest_end = earliest_end.min(chain.first_end);
            }
        }
    }
}
