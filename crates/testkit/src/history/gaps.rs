//! Where in the order of one key's versions a read lies that found nothing there:
//! before the first chain of writes, or behind one that ends with a deletion and
//! before the next.
//!
//! Invariant: a gap is left out only if real time forbids it.

use super::order::{Chain, Span};

/// A read of absence that fits into more gaps than this orders nothing.
const MOST: usize = 64;

/// Where a read that found nothing can lie.
pub(super) struct Fits {
    /// Before the first chain.
    pub(super) first: bool,
    /// Directly behind these chains, which end with a deletion.
    pub(super) behind: Vec<usize>,
}

/// The gaps of one key, prepared for many questions.
pub(super) struct Gaps<'a> {
    chains: &'a [Chain],
    spans: &'a [Span],
    /// Chains by their first acknowledgement, each with the two latest beginnings
    /// among those up to it, and whose they are.
    by_end: Vec<(u64, Latest)>,
    /// Chains that end with a deletion, by their first acknowledgement, each with the
    /// earliest beginning of a deletion from it on.
    deletions: Vec<(u64, usize, u64)>,
}

/// The two chains that began last: beginning and chain.
pub(super) type Latest = [Option<(u64, usize)>; 2];

impl<'a> Gaps<'a> {
    pub(super) fn new(chains: &'a [Chain], spans: &'a [Span]) -> Self {
        let mut ends: Vec<(u64, usize)> = chains
            .iter()
            .enumerate()
            .map(|(at, chain)| (chain.first_end, at))
            .collect();
        ends.sort_unstable();
        let mut latest: Latest = [None, None];
        let mut by_end = Vec::with_capacity(ends.len());
        for (end, at) in &ends {
            let this = Some((chains[*at].last_begin, *at));
            if this > latest[0] {
                latest = [this, latest[0]];
            } else if this > latest[1] {
                latest[1] = this;
            }
            by_end.push((*end, latest));
        }
        let mut deletions: Vec<(u64, usize, u64)> = ends
            .iter()
            .filter_map(|(end, at)| Some((*end, *at, spans[chains[*at].deletion?].begin)))
            .collect();
        let mut earliest = u64::MAX;
        for (_, _, begin) in deletions.iter_mut().rev() {
            earliest = earliest.min(*begin);
            *begin = earliest;
        }
        Gaps {
            chains,
            spans,
            by_end,
            deletions,
        }
    }

    /// Whether the key was ever deleted.
    pub(super) fn has_deletions(&self) -> bool {
        !self.deletions.is_empty()
    }

    /// Of the chains that have an acknowledgement before `time`, the two that began last.
    pub(super) fn latest_before(&self, time: u64) -> Latest {
        let count = self.by_end.partition_point(|(end, _)| *end < time);
        match count.checked_sub(1) {
            Some(last) => self.by_end[last].1,
            None => [None, None],
        }
    }

    /// The gaps that real time leaves. `None`: too many to look at.
    ///
    /// A gap behind a chain is out if its deletion began after the read had ended, or
    /// if a chain that is surely behind it was there when the read began.
    pub(super) fn fitting(&self, node: usize) -> Option<Fits> {
        let Span { begin, end } = self.spans[node];
        let [one, two] = self.latest_before(begin);
        let mut fits = Fits {
            first: one.is_none(),
            behind: Vec::new(),
        };
        let late = |latest: Option<(u64, usize)>| latest.map_or(0, |(begin, _)| begin);
        let in_time = |chain: usize| {
            let deletion = self.chains[chain].deletion;
            deletion.is_some_and(|deletion| deletion != node && self.spans[deletion].begin < end)
        };
        if let Some((_, chain)) = one
            && self.chains[chain].first_end >= late(two)
            && self.chains[chain].first_end < late(one)
            && in_time(chain)
        {
            fits.behind.push(chain);
        }
        let from = self
            .deletions
            .partition_point(|(first_end, _, _)| *first_end < late(one));
        for (_, chain, earliest) in &self.deletions[from..] {
            if *earliest >= end {
                break;
            }
            if in_time(*chain) {
                fits.behind.push(*chain);
            }
            if fits.behind.len() > MOST {
                return None;
            }
        }
        Some(fits)
    }
}
