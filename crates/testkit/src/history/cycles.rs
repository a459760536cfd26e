//! Cycles of the graph, smallest first, and what they are called.
//!
//! A graph without a cycle is a serial order. If there is one, the graph is searched
//! again in steps that allow more and more kinds of edges, so that a cycle is found
//! under its strongest name: one of writes only is worse than one that needs two
//! anti-dependencies. In each component the smallest of each name is kept.

use std::collections::BTreeMap;

use super::graph::{Because, Edge, Filter, Graph, Search, Step, without_moments};
use super::report::Anomaly;

/// Nodes that one step of the search looks at, at most.
const BUDGET: usize = 2_000_000;
/// Starting points in one component, at most.
const STARTS: usize = 256;

/// A cycle: each transaction and the edge to the next, the last one's to the first.
#[derive(Clone, Debug)]
pub(super) struct Cycle {
    pub(super) anomaly: Anomaly,
    /// Whether it needs real time, in an edge or in an order of versions.
    pub(super) in_real_time: bool,
    pub(super) steps: Vec<Step>,
}

/// One step of the search.
struct Level {
    /// Whether an edge without anti-dependency or real time in it is a write
    /// dependency only.
    writes_only: bool,
    /// How many anti-dependencies a cycle may have.
    anti: Anti,
    real_time: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Anti {
    None,
    One,
    Any,
}

const LEVELS: [Level; 7] = {
    const fn level(writes_only: bool, anti: Anti, real_time: bool) -> Level {
        Level {
            writes_only,
            anti,
            real_time,
        }
    }
    [
        level(true, Anti::None, false),
        level(false, Anti::None, false),
        level(false, Anti::One, false),
        level(false, Anti::Any, false),
        level(false, Anti::None, true),
        level(false, Anti::One, true),
        level(false, Anti::Any, true),
    ]
};

impl Level {
    /// Whether an edge may stand in a cycle of this level, anti-dependencies aside.
    fn plain(&self, edge: &Edge) -> bool {
        match edge.because {
            Because::Passed | Because::Acknowledged => self.real_time,
            Because::Overwritten => self.real_time || !edge.timed,
            Because::ReadBy => !self.writes_only && (self.real_time || !edge.timed),
            Because::ReadBefore | Because::ScannedBefore => false,
        }
    }

    fn counts(&self, edge: &Edge) -> bool {
        self.plain(edge)
            || edge.because.is_anti() && self.anti != Anti::None && (self.real_time || !edge.timed)
    }
}

/// The smallest cycles of each name in each component. Empty: the graph has none.
pub(super) fn cycles(graph: &Graph) -> Vec<Cycle> {
    let tangled = Components::new(graph, &|_| true);
    let mut search = Search::new(graph);
    let mut found: BTreeMap<Vec<usize>, Cycle> = BTreeMap::new();
    let mut explained = vec![false; graph.nodes()];
    if tangled.members.is_empty() {
        return Vec::new();
    }
    for level in &LEVELS {
        let components = Components::new(graph, &|edge| level.counts(edge));
        search.budget = BUDGET;
        for members in &components.members {
            for cycle in smallest(&mut search, level, &components, members) {
                let mut members: Vec<usize> = cycle.steps.iter().map(|(node, _)| *node).collect();
                members.sort_unstable();
                for member in &members {
                    explained[*member] = true;
                }
                found.entry(members).or_insert(cycle);
            }
        }
    }
    // The budget may have ended before a component had its turn.
    search.budget = usize::MAX;
    for members in &tangled.members {
        let start = members.iter().find(|node| **node < graph.real());
        if !members.iter().any(|node| explained[*node])
            && let Some(start) = start
            && let Some(steps) = search.path(*start, *start, &|edge| tangled.inside(*start, edge))
        {
            let cycle = named(without_moments(&steps, graph.real()));
            found.insert(vec![*start], cycle);
        }
    }
    let mut found: Vec<Cycle> = found.into_values().collect();
    found.sort_by_key(|cycle| (cycle.in_real_time, cycle.anomaly, cycle.steps.len()));
    found
}

/// The components of one level, the smallest first, so that one huge component does
/// not use up what all the others need.
struct Components {
    members: Vec<Vec<usize>>,
    /// By node; 0: in none.
    of: Vec<usize>,
}

impl Components {
    fn new(graph: &Graph, counts: Filter<'_>) -> Self {
        let mut members = graph.components(counts);
        members.sort_by_key(Vec::len);
        let mut of = vec![0; graph.nodes()];
        for (number, members) in (1..).zip(&members) {
            for node in members {
                of[*node] = number;
            }
        }
        Components { members, of }
    }

    /// Whether an edge leads to a node of the component that `node` is in.
    fn inside(&self, node: usize, edge: &Edge) -> bool {
        self.of[node] == self.of[edge.to]
    }
}

/// The smallest cycles of a component, one of each name that belongs to the level.
fn smallest(
    search: &mut Search<'_>,
    level: &Level,
    components: &Components,
    members: &[usize],
) -> Vec<Cycle> {
    let graph = search.graph();
    let mut best: BTreeMap<(bool, Anomaly), Cycle> = BTreeMap::new();
    let mut keep = |steps: Vec<Step>| {
        let steps = without_moments(&steps, graph.real());
        let anti = steps.iter().filter(|(_, edge)| edge.because.is_anti());
        let fits = match level.anti {
            Anti::None => true,
            Anti::One => anti.count() == 1,
            Anti::Any => anti.count() > 1,
        };
        let cycle = named(steps);
        if !fits || cycle.in_real_time != level.real_time {
            return;
        }
        let of_name = best
            .entry((cycle.in_real_time, cycle.anomaly))
            .or_insert_with(|| cycle.clone());
        if cycle.steps.len() < of_name.steps.len() {
            *of_name = cycle;
        }
    };
    let real = members.iter().filter(|node| **node < graph.real());
    let real: Vec<usize> = real.copied().collect();
    for start in real.iter().step_by(real.len() / STARTS + 1) {
        let inside = |edge: &Edge| components.inside(*start, edge);
        if level.anti == Anti::One {
            let anti = graph.edges(*start).iter();
            let anti = anti.filter(|edge| edge.because.is_anti() && level.counts(edge));
            for edge in anti.filter(|edge| inside(edge)) {
                let counts = |edge: &Edge| level.plain(edge) && inside(edge);
                if let Some(back) = search.path(edge.to, *start, &counts) {
                    keep([&[(*start, *edge)][..], &back].concat());
                }
            }
        } else {
            let counts = |edge: &Edge| level.counts(edge) && inside(edge);
            if let Some(steps) = search.path(*start, *start, &counts) {
                keep(steps);
            }
        }
    }
    best.into_values().collect()
}

/// Names a cycle.
fn named(steps: Vec<Step>) -> Cycle {
    let edges = || steps.iter().map(|(_, edge)| edge);
    let has = |because| edges().any(|edge| edge.because == because);
    let anti: Vec<bool> = edges().map(|edge| edge.because.is_anti()).collect();
    let count = anti.iter().filter(|anti| **anti).count();
    let adjacent = (0..anti.len()).any(|at| anti[at] && anti[(at + 1) % anti.len()]);
    let one_key = edges().all(|edge| edge.key == steps[0].1.key);
    let anomaly = match count {
        _ if count > 0 && one_key && !has(Because::ReadBy) && !has(Because::Acknowledged) => {
            Anomaly::LostUpdate
        }
        0 if has(Because::ReadBy) => Anomaly::CircularInformationFlow,
        0 => Anomaly::WriteCycle,
        1 if has(Because::Acknowledged) => Anomaly::StaleRead,
        1 => Anomaly::ReadSkew,
        _ if !adjacent => Anomaly::LongFork,
        _ if has(Because::ScannedBefore) => Anomaly::Phantom,
        _ => Anomaly::WriteSkew,
    };
    let in_real_time = edges().any(|edge| edge.timed);
    Cycle {
        anomaly,
        in_real_time,
        steps,
    }
}
