//! From a [`History`] to its direct serialization graph (Adya 1999, section 3.1.2),
//! and what is wrong already on the way.
//!
//! A node is a record: every transaction that committed, and, where the store
//! promises snapshots also to those that do not ([`History::snapshot_reads`]), every
//! other attempt as one that only read. An unknown outcome counts as a commit once
//! anybody has seen a write of it.

use std::collections::{BTreeMap, HashMap};

use super::graph::{Because, Builder, Edge, Graph};
use super::order::{Absence, Fork, KeyHistory, KeyWrite, Span, add_edges};
use super::record::{History, Key, Outcome, Record, Replaces, Seen, Version};

/// What one transaction saw of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Observation {
    key: Key,
    seen: Seen,
    scanned: bool,
}

/// Something that is wrong with one read, without any graph.
#[derive(Clone, Copy, Debug)]
pub(super) enum BadRead {
    /// Of a version that its writer did not commit.
    Aborted(Version),
    /// Of a version that its writer itself wrote over.
    Intermediate(Version),
    /// Of a version that nobody wrote there.
    Garbage(Version),
    /// Of one key twice, with two answers.
    Fuzzy(Seen, Seen),
    /// Of a key that it had written itself, without seeing that.
    Own,
}

/// The graph, and what was wrong before there was one.
pub(super) struct Dependencies {
    pub(super) graph: Graph,
    /// Reader (as an index of a record), key, what is wrong.
    pub(super) bad_reads: Vec<(usize, Key, BadRead)>,
    pub(super) lost_updates: Vec<(Key, Fork)>,
    /// Records that are nodes.
    pub(super) transactions: usize,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    Unknown,
}

/// Builds the graph.
pub(super) fn dependencies(history: &History) -> Dependencies {
    let records = &history.records;
    let by_serial: HashMap<u64, usize> = records
        .iter()
        .enumerate()
        .map(|(at, record)| (record.serial, at))
        .collect();
    let fates = fates(records, &by_serial);
    let checked: Vec<bool> = fates
        .iter()
        .map(|fate| *fate == Fate::Committed || history.snapshot_reads)
        .collect();
    let mut work = Work {
        records,
        by_serial,
        fates,
        keys: BTreeMap::new(),
        bad_reads: Vec::new(),
    };
    work.writes();
    let universe: Vec<Key> = work.keys.keys().copied().collect();
    for (node, checked) in checked.iter().enumerate() {
        if *checked {
            work.reads(node, &universe);
        }
    }
    let spans: Vec<Span> = records
        .iter()
        .zip(&work.fates)
        .map(|(record, fate)| Span {
            begin: record.begin,
            // Nobody was told of it.
            end: match (record.outcome, fate) {
                (Outcome::Unknown, Fate::Committed) => u64::MAX,
                _ => record.end,
            },
        })
        .collect();
    let mut builder = Builder::default();
    let mut lost_updates = Vec::new();
    for (key, of_key) in &work.keys {
        let forks = add_edges(*key, of_key, &spans, &mut builder);
        lost_updates.extend(forks.into_iter().map(|fork| (*key, fork)));
    }
    let nodes = real_time(&spans, &checked, &mut builder);
    Dependencies {
        graph: builder.build(records.len(), nodes),
        bad_reads: work.bad_reads,
        lost_updates,
        transactions: checked.iter().filter(|checked| **checked).count(),
    }
}

fn fates(records: &[Record], by_serial: &HashMap<u64, usize>) -> Vec<Fate> {
    let mut fates: Vec<Fate> = records
        .iter()
        .map(|record| match record.outcome {
            Outcome::Committed => Fate::Committed,
            Outcome::Unknown => Fate::Unknown,
            _ => Fate::Aborted,
        })
        .collect();
    for record in records {
        let points = record.reads.iter().filter_map(|read| read.seen);
        let scanned = record.scans.iter().flat_map(|scan| &scan.seen);
        for version in points.chain(scanned.map(|(_, version)| *version)) {
            if let Some(writer) = by_serial.get(&version.writer)
                && fates[*writer] == Fate::Unknown
            {
                fates[*writer] = Fate::Committed;
            }
        }
    }
    fates
}

struct Work<'h> {
    records: &'h [Record],
    by_serial: HashMap<u64, usize>,
    fates: Vec<Fate>,
    keys: BTreeMap<Key, KeyHistory>,
    bad_reads: Vec<(usize, Key, BadRead)>,
}

impl Work<'_> {
    /// Collects the writes that are to stay, by key.
    fn writes(&mut self) {
        for (node, record) in self.records.iter().enumerate() {
            for write in &record.writes {
                let of_key = self.keys.entry(write.key).or_default();
                if record.last_write(write.key) != Some(write) {
                    continue;
                }
                match self.fates[node] {
                    Fate::Aborted => {}
                    Fate::Unknown => of_key.may_be_deleted |= write.deletes,
                    Fate::Committed => {
                        let over = match write.replaces {
                            Replaces::Read(Some(version)) => {
                                let writer = self.by_serial.get(&version.writer).copied();
                                writer.filter(|writer| self.fates[*writer] == Fate::Committed)
                            }
                            Replaces::Read(None) | Replaces::Blind => None,
                        };
                        of_key.writes.push(KeyWrite {
                            node,
                            deletes: write.deletes,
                            over,
                        });
                    }
                }
            }
        }
    }

    /// Collects what one transaction saw, by key.
    fn reads(&mut self, node: usize, universe: &[Key]) {
        let record = &self.records[node];
        let missed = record.own_write_missed.iter();
        self.bad_reads
            .extend(missed.map(|key| (node, *key, BadRead::Own)));
        let observations = observations(record, universe);
        for pair in observations.windows(2) {
            if pair[0].key == pair[1].key && pair[0].seen != pair[1].seen {
                let fuzzy = BadRead::Fuzzy(pair[0].seen, pair[1].seen);
                self.bad_reads.push((node, pair[0].key, fuzzy));
            }
        }
        for Observation { key, seen, scanned } in observations {
            let Some(version) = seen else {
                let of_key = self.keys.entry(key).or_default();
                of_key.absences.push(Absence { node, scanned });
                continue;
            };
            match self.writer(key, version) {
                Ok(writer) => {
                    let of_key = self.keys.entry(key).or_default();
                    of_key.reads.push((writer, node));
                }
                Err(bad) => self.bad_reads.push((node, key, bad)),
            }
        }
    }

    /// Who committed this version of the key.
    fn writer(&self, key: Key, version: Version) -> Result<usize, BadRead> {
        let garbage = BadRead::Garbage(version);
        let writer = *self.by_serial.get(&version.writer).ok_or(garbage)?;
        let record = &self.records[writer];
        let is_it = |write: &&super::record::Write| {
            write.key == key && write.number == version.number && !write.deletes
        };
        let write = record.writes.iter().find(is_it).ok_or(garbage)?;
        if self.fates[writer] != Fate::Committed {
            return Err(BadRead::Aborted(version));
        }
        if record.last_write(key) != Some(write) {
            return Err(BadRead::Intermediate(version));
        }
        Ok(writer)
    }
}

/// Sorted, each once. A scan has seen every key of its range, absent ones too: all
/// keys that anybody wrote are the universe.
fn observations(record: &Record, universe: &[Key]) -> Vec<Observation> {
    let mut all: Vec<Observation> = record
        .reads
        .iter()
        .map(|read| Observation {
            key: read.key,
            seen: read.seen,
            scanned: false,
        })
        .collect();
    for scan in &record.scans {
        let found = scan.seen.iter();
        all.extend(found.map(|(key, version)| Observation {
            key: *key,
            seen: Some(*version),
            scanned: true,
        }));
        let from = universe.partition_point(|key| *key < scan.lo);
        let to = universe.partition_point(|key| *key < scan.hi).max(from);
        for key in &universe[from..to] {
            if !scan.hidden.contains(key) && !scan.seen.iter().any(|(seen, _)| seen == key) {
                all.push(Observation {
                    key: *key,
                    seen: None,
                    scanned: true,
                });
            }
        }
    }
    all.sort_unstable();
    // A key that was read and scanned: the reading says all.
    all.dedup_by(|later, earlier| (later.key, later.seen) == (earlier.key, earlier.seen));
    all
}

/// Adds "acknowledged before the other began", with a chain of moments: one after
/// each run of acknowledgements that a beginning follows. Returns the count of nodes.
fn real_time(spans: &[Span], checked: &[bool], to: &mut Builder) -> usize {
    let mut events = Vec::with_capacity(2 * spans.len());
    for (node, span) in spans.iter().enumerate() {
        if checked[node] {
            events.push((span.begin, true, node));
            if span.end != u64::MAX {
                events.push((span.end, false, node));
            }
        }
    }
    events.sort_unstable();
    let mut nodes = spans.len();
    let mut moment = None;
    let mut ended = Vec::new();
    let mut add = |from, to_node, because| {
        let edge = Edge {
            to: to_node,
            because,
            timed: true,
            key: 0,
        };
        to.add(from, edge);
    };
    for (_, begins, node) in events {
        if !begins {
            ended.push(node);
            continue;
        }
        if !ended.is_empty() {
            let next = nodes;
            nodes += 1;
            if let Some(last) = moment.replace(next) {
                add(last, next, Because::Passed);
            }
            for earlier in ended.drain(..) {
                add(earlier, next, Because::Acknowledged);
            }
        }
        if let Some(moment) = moment {
            add(moment, node, Because::Passed);
        }
    }
    nodes
}
