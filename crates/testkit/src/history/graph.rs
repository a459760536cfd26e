//! A directed graph with labelled edges, its strongly connected components, and
//! shortest cycles in them.
//!
//! Nodes are numbers. The first [`Graph::real`] of them are transactions; the others
//! are moments that stand between transactions and cost nothing on a path, so that
//! "before" in real time needs few edges. Everything is iterative: a component may
//! have hundreds of thousands of nodes.

use std::collections::VecDeque;

use super::record::Key;

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Because {
    /// The other one wrote a later version of a key (write dependency, ww).
    Overwritten,
    /// The other one read what it wrote (read dependency, wr).
    ReadBy,
    /// The other one wrote a later version of what it read (anti-dependency, rw).
    ReadBefore,
    /// The same, where it had scanned the range and found no such key (predicate
    /// anti-dependency).
    ScannedBefore,
    /// It had been acknowledged before the other one began.
    Acknowledged,
    /// Leaves a moment; the edge into it says why.
    Passed,
}

impl Because {
    pub(super) fn is_anti(self) -> bool {
        matches!(self, Because::ReadBefore | Because::ScannedBefore)
    }
}

/// An edge out of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) to: usize,
    pub(super) because: Because,
    /// Whether the order of versions behind it is known from real time only.
    pub(super) timed: bool,
    /// The key it is about; 0 without one.
    pub(super) key: Key,
}

/// Edges, collected.
#[derive(Debug, Default)]
pub(super) struct Builder {
    edges: Vec<(usize, Edge)>,
}

impl Builder {
    pub(super) fn add(&mut self, from: usize, edge: Edge) {
        // What a transaction does to itself orders nothing.
        if from != edge.to {
            self.edges.push((from, edge));
        }
    }

    /// The graph of `nodes` nodes, the first `real` of them transactions.
    pub(super) fn build(self, real: usize, nodes: usize) -> Graph {
        let mut start = vec![0; nodes + 1];
        for (from, _) in &self.edges {
            start[from + 1] += 1;
        }
        for node in 0..nodes {
            start[node + 1] += start[node];
        }
        let mut next = start.clone();
        let blank = Edge {
            to: 0,
            because: Because::Passed,
            timed: false,
            key: 0,
        };
        let mut edges = vec![blank; self.edges.len()];
        for (from, edge) in self.edges {
            edges[next[from]] = edge;
            next[from] += 1;
        }
        Graph { real, start, edges }
    }
}

/// A graph that no longer changes.
#[derive(Debug)]
pub(super) struct Graph {
    real: usize,
    /// Where each node's edges begin; one more at the end.
    start: Vec<usize>,
    edges: Vec<Edge>,
}

/// Which edges count.
pub(super) type Filter<'a> = &'a dyn Fn(&Edge) -> bool;

/// An edge of a path, with the node it leaves.
pub(super) type Step = (usize, Edge);

impl Graph {
    pub(super) fn nodes(&self) -> usize {
        self.start.len() - 1
    }

    pub(super) fn real(&self) -> usize {
        self.real
    }

    pub(super) fn edges(&self, node: usize) -> &[Edge] {
        &self.edges[self.start[node]..self.start[node + 1]]
    }

    pub(super) fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// The strongly connected components with two nodes or more, over the edges
    /// that `counts`. Tarjan 1972, "Depth-first search and linear graph algorithms".
    pub(super) fn components(&self, counts: Filter<'_>) -> Vec<Vec<usize>> {
        const NEW: usize = usize::MAX;
        let mut index = vec![NEW; self.nodes()];
        let mut low = vec![0; self.nodes()];
        let mut waiting = vec![false; self.nodes()];
        let mut stack = Vec::new();
        // Nodes under way, each with the position of its next edge.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let mut found = Vec::new();
        let mut count = 0;
        for root in 0..self.nodes() {
            if index[root] != NEW {
                continue;
            }
            path.push((root, self.start[root]));
            while let Some((node, at)) = path.pop() {
                if index[node] == NEW {
                    (index[node], low[node]) = (count, count);
                    count += 1;
                    stack.push(node);
                    waiting[node] = true;
                }
                if at < self.start[node + 1] {
                    path.push((node, at + 1));
                    let edge = &self.edges[at];
                    if !counts(edge) {
                        continue;
                    }
                    if index[edge.to] == NEW {
                        path.push((edge.to, self.start[edge.to]));
                    } else if waiting[edge.to] {
                        low[node] = low[node].min(index[edge.to]);
                    }
                    continue;
                }
                if let Some((parent, _)) = path.last() {
                    low[*parent] = low[*parent].min(low[node]);
                }
                if low[node] == index[node] {
                    let mut component = Vec::new();
                    while let Some(member) = stack.pop() {
                        waiting[member] = false;
                        component.push(member);
                        if member == node {
                            break;
                        }
                    }
                    if component.len() > 1 {
                        component.sort_unstable();
                        found.push(component);
                    }
                }
            }
        }
        found
    }
}

/// Searches shortest paths, again and again, in one graph.
pub(super) struct Search<'g> {
    graph: &'g Graph,
    /// How each node was reached, in the search with this number.
    reached: Vec<(usize, Step)>,
    number: usize,
    queue: VecDeque<usize>,
    /// Nodes that may still be looked at.
    pub(super) budget: usize,
}

impl<'g> Search<'g> {
    pub(super) fn new(graph: &'g Graph) -> Self {
        let blank = Edge {
            to: 0,
            because: Because::Passed,
            timed: false,
            key: 0,
        };
        Search {
            graph,
            reached: vec![(0, (0, blank)); graph.nodes()],
            number: 0,
            queue: VecDeque::new(),
            budget: usize::MAX,
        }
    }

    pub(super) fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// The path from `from` to `to` with the fewest transactions, over edges that
    /// `counts`; with `from == to` the smallest cycle through it. `None` also when
    /// the budget is used up.
    pub(super) fn path(&mut self, from: usize, to: usize, counts: Filter<'_>) -> Option<Vec<Step>> {
        self.number += 1;
        self.queue.clear();
        self.queue.push_back(from);
        // Moments are free: they go to the front of the queue, and a node counts as
        // reached when it is queued. A transaction that is reached over a moment
        // later than over an edge of its own is at the same distance or farther.
        while let Some(node) = self.queue.pop_front() {
            self.budget = self.budget.checked_sub(1)?;
            for edge in self.graph.edges(node) {
                if !counts(edge) || self.reached[edge.to].0 == self.number {
                    continue;
                }
                self.reached[edge.to] = (self.number, (node, *edge));
                if edge.to == to {
                    return Some(self.way_back(from, to));
                }
                if edge.to < self.graph.real() {
                    self.queue.push_back(edge.to);
                } else {
                    self.queue.push_front(edge.to);
                }
            }
        }
        None
    }

    fn way_back(&self, from: usize, to: usize) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut at = to;
        loop {
            let step = self.reached[at].1;
            steps.push(step);
            at = step.0;
            if at == from {
                break;
            }
        }
        steps.reverse();
        steps
    }
}

/// The same path without its moments: each edge leads from transaction to
/// transaction, and says why.
pub(super) fn without_moments(steps: &[Step], real: usize) -> Vec<Step> {
    let mut whole: Vec<Step> = Vec::new();
    for (from, edge) in steps {
        match whole.last_mut() {
            Some((_, last)) if *from >= real => last.to = edge.to,
            _ => whole.push((*from, *edge)),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(real: usize, nodes: usize, edges: &[(usize, usize)]) -> Graph {
        let mut builder = Builder::default();
        for (from, to) in edges {
            let because = if *from < real {
                Because::ReadBy
            } else {
                Because::Passed
            };
            builder.add(
                *from,
                Edge {
                    to: *to,
                    because,
                    timed: false,
                    key: 0,
                },
            );
        }
        builder.build(real, nodes)
    }

    #[test]
    fn components_are_the_cycles_and_nothing_else() {
        let graph = graph(
            7,
            7,
            &[
                (0, 1),
                (1, 2),
                (2, 0),
                (2, 3),
                (3, 4),
                (4, 3),
                (4, 5),
                (5, 6),
            ],
        );
        let mut found = graph.components(&|_| true);
        found.sort();
        assert_eq!(found, [vec![0, 1, 2], vec![3, 4]]);
        assert!(
            graph
                .components(&|edge| edge.to != 0 && edge.to != 3)
                .is_empty()
        );
    }

    #[test]
    fn a_long_cycle_needs_no_deep_stack() {
        let nodes = 300_000;
        let edges: Vec<_> = (0..nodes).map(|node| (node, (node + 1) % nodes)).collect();
        let found = graph(nodes, nodes, &edges).components(&|_| true);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), nodes);
    }

    #[test]
    fn the_smallest_cycle_is_counted_in_transactions() {
        // 0 → 1 → 2 → 0 has three; 0 → (4 → 5 → 6) → 3 → 0 has two, over moments.
        let edges = [
            (0, 1),
            (1, 2),
            (2, 0),
            (0, 4),
            (4, 5),
            (5, 6),
            (6, 3),
            (3, 0),
        ];
        let graph = graph(4, 7, &edges);
        let mut search = Search::new(&graph);
        let steps = search.path(0, 0, &|_| true).unwrap();
        let cycle = without_moments(&steps, 4);
        let way: Vec<_> = cycle.iter().map(|(from, edge)| (*from, edge.to)).collect();
        assert_eq!(way, [(0, 3), (3, 0)]);
        assert_eq!(cycle[0].1.because, Because::ReadBy);
        search.budget = 2;
        assert!(search.path(0, 0, &|_| true).is_none());
    }
}
