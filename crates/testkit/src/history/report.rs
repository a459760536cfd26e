//! What is wrong with a history, by name and in words.
//!
//! Names are those of Adya 1999 (G0, G1, G2), of Elle for cycles with one
//! anti-dependency (G-single) or none next to each other (G-nonadjacent), and of
//! Berenson et al. 1995 where they are better known (P2, P4). A name with
//! `-realtime` needs the order of acknowledgements: the history may be serializable,
//! but is not strictly so.

use std::collections::BTreeMap;
use std::fmt;

use super::cycles::Cycle;
use super::dependencies::BadRead;
use super::graph::{Because, Step};
use super::order::Fork;
use super::record::{Key, Record, Seen};

/// The name of an anomaly, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// A version was read that nobody wrote there.
    GarbageRead,
    /// A transaction did not see its own write.
    OwnWriteMissed,
    /// A version was read whose writer did not commit (a dirty read that went wrong).
    AbortedRead,
    /// A version was read that its own writer wrote over.
    IntermediateRead,
    /// One transaction read one key twice, with two answers.
    FuzzyRead,
    /// Two transactions wrote over the same version, both having read it.
    LostUpdate,
    /// Transactions whose writes lie in a circle.
    WriteCycle,
    /// Transactions that each saw, or wrote over, something of the next.
    CircularInformationFlow,
    /// A transaction saw some of another one's writes, but not all.
    ReadSkew,
    /// A transaction did not see what was acknowledged before it began.
    StaleRead,
    /// Two transactions saw two writes in different orders.
    LongFork,
    /// Transactions that each read what another one changed, and changed something else.
    WriteSkew,
    /// The same, through entries that came into a scanned range.
    Phantom,
}

impl Anomaly {
    /// The words for it, and its names in the literature.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Anomaly::GarbageRead => ("garbage read", "garbage"),
            Anomaly::OwnWriteMissed => ("own write missed", "internal"),
            Anomaly::AbortedRead => ("aborted read", "G1a"),
            Anomaly::IntermediateRead => ("intermediate read", "G1b"),
            Anomaly::FuzzyRead => ("fuzzy read", "P2"),
            Anomaly::LostUpdate => ("lost update", "P4"),
            Anomaly::WriteCycle => ("write cycle", "G0"),
            Anomaly::CircularInformationFlow => ("circular information flow", "G1c"),
            Anomaly::ReadSkew => ("read skew", "G-single"),
            Anomaly::StaleRead => ("stale read", "G-single"),
            Anomaly::LongFork => ("long fork", "G-nonadjacent"),
            Anomaly::WriteSkew => ("write skew", "G2-item"),
            Anomaly::Phantom => ("phantom", "G2"),
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, name) = self.names();
        write!(f, "{words} ({name})")
    }
}

/// One anomaly that was found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its name.
    pub anomaly: Anomaly,
    /// Whether it is one only because of the order in real time.
    pub in_real_time: bool,
    /// The transactions in it, by [`Record::serial`], in the order of the cycle.
    pub transactions: Vec<u64>,
    /// What happened, a line for each step.
    pub text: String,
}

/// The verdict on a history.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What was found, the worst first; of each name at most [`Report::KEPT`].
    pub findings: Vec<Finding>,
    /// How many of each name. Of cycles that lie in one component, the smallest of
    /// each name counts.
    pub counts: BTreeMap<Anomaly, u64>,
    /// Transactions in the graph.
    pub transactions: usize,
    /// Edges in it.
    pub edges: usize,
}

impl Report {
    /// Findings of one name that are told in words.
    pub const KEPT: u64 = 20;

    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// All that was found.
    pub fn anomalies(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How often this was found.
    pub fn count(&self, anomaly: Anomaly) -> u64 {
        self.counts.get(&anomaly).copied().unwrap_or(0)
    }

    fn add(&mut self, anomaly: Anomaly, finding: impl FnOnce() -> Finding) {
        let count = self.counts.entry(anomaly).or_default();
        *count += 1;
        if *count <= Report::KEPT {
            self.findings.push(finding());
        }
    }

    pub(super) fn add_bad_read(&mut self, records: &[Record], node: usize, key: Key, bad: BadRead) {
        let anomaly = match bad {
            BadRead::Aborted(_) => Anomaly::AbortedRead,
            BadRead::Intermediate(_) => Anomaly::IntermediateRead,
            BadRead::Garbage(_) => Anomaly::GarbageRead,
            BadRead::Fuzzy(..) => Anomaly::FuzzyRead,
            BadRead::Own => Anomaly::OwnWriteMissed,
        };
        self.add(anomaly, || {
            let reader = &records[node];
            let mut transactions = vec![reader.serial];
            let mut text = format!("{anomaly} of key {key}\n    {}\n", describe(reader));
            let what = match bad {
                BadRead::Aborted(version) | BadRead::Intermediate(version) => {
                    transactions.push(version.writer);
                    let writer = records.iter().find(|r| r.serial == version.writer);
                    let writer = writer.map(describe).unwrap_or_default();
                    format!("read {version}, of\n    {writer}")
                }
                BadRead::Garbage(version) => {
                    format!("read {version}, which nobody has written there")
                }
                BadRead::Fuzzy(one, other) => {
                    format!("read {}, and {}", show(one), show(other))
                }
                BadRead::Own => "had written it, and did not see that".to_owned(),
            };
            text.push_str(&format!("        {what}\n"));
            Finding {
                anomaly,
                in_real_time: false,
                transactions,
                text,
            }
        });
    }

    pub(super) fn add_lost_update(&mut self, records: &[Record], key: Key, fork: Fork) {
        self.add(Anomaly::LostUpdate, || {
            let [from, one, other] = [fork.from, fork.one, fork.other].map(|node| &records[node]);
            let version = show(version_of(from, key));
            Finding {
                anomaly: Anomaly::LostUpdate,
                in_real_time: false,
                transactions: vec![one.serial, other.serial],
                text: format!(
                    "{} of key {key}: both read {version} and wrote over it\n    \
                     {}\n        wrote {}\n    {}\n        wrote {}\n",
                    Anomaly::LostUpdate,
                    describe(one),
                    show(version_of(one, key)),
                    describe(other),
                    show(version_of(other, key)),
                ),
            }
        });
    }

    pub(super) fn add_cycle(&mut self, records: &[Record], cycle: &Cycle) {
        let anomaly = cycle.anomaly;
        self.add(anomaly, || {
            let (words, name) = anomaly.names();
            let suffix = if cycle.in_real_time { "-realtime" } else { "" };
            let count = cycle.steps.len();
            let mut text =
                format!("{words} ({name}{suffix}): {count} transactions, each before the next\n");
            let mut transactions = Vec::new();
            for step in &cycle.steps {
                transactions.push(records[step.0].serial);
                text.push_str(&format!(
                    "    {}\n        {}\n",
                    describe(&records[step.0]),
                    explain(records, step)
                ));
            }
            text.push_str(&format!("    and again T{}\n", transactions[0]));
            Finding {
                anomaly,
                in_real_time: cycle.in_real_time,
                transactions,
                text,
            }
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            write!(f, "{}", finding.text)?;
        }
        for (anomaly, count) in &self.counts {
            writeln!(f, "{anomaly}: {count}")?;
        }
        Ok(())
    }
}

fn describe(record: &Record) -> String {
    let Record {
        serial,
        invocation,
        attempt,
        thread,
        begin,
        end,
        outcome,
        ..
    } = record;
    format!(
        "T{serial} (invocation {invocation}, attempt {attempt}, thread {thread}, \
         time {begin} to {end}, {outcome})"
    )
}

fn show(seen: Seen) -> String {
    seen.map_or_else(|| "nothing".to_owned(), |version| version.to_string())
}

/// What a record has left under a key; nothing also for a deletion.
fn version_of(record: &Record, key: Key) -> Seen {
    let write = record.last_write(key)?;
    (!write.deletes).then_some(super::record::Version {
        writer: record.serial,
        number: write.number,
    })
}

/// What a record saw of a key.
fn seen_by(record: &Record, key: Key) -> Seen {
    let point = record.reads.iter().rev().find(|read| read.key == key);
    if let Some(read) = point {
        return read.seen;
    }
    let mut scanned = record.scans.iter().flat_map(|scan| &scan.seen);
    scanned
        .find(|(seen, _)| *seen == key)
        .map(|(_, version)| *version)
}

/// Why the one comes before the other.
fn explain(records: &[Record], (from, edge): &Step) -> String {
    let (one, other, key) = (&records[*from], &records[edge.to], edge.key);
    let wrote = |record: &Record| match version_of(record, key) {
        Some(version) => format!("wrote {version}"),
        None => "deleted it".to_owned(),
    };
    let next = other.serial;
    let timed = if edge.timed {
        "; the order of the versions is from real time"
    } else {
        ""
    };
    match edge.because {
        Because::Overwritten => format!(
            "{} under key {key}; later T{next} {} (ww{timed})",
            wrote(one),
            wrote(other),
        ),
        Because::ReadBy => format!(
            "{} under key {key}; T{next} read {} (wr{timed})",
            wrote(one),
            show(seen_by(other, key)),
        ),
        Because::ReadBefore => format!(
            "read {} under key {key}; later T{next} {} (rw{timed})",
            show(seen_by(one, key)),
            wrote(other),
        ),
        Because::ScannedBefore => format!(
            "scanned over key {key} and found nothing; later T{next} {} (predicate rw{timed})",
            wrote(other),
        ),
        Because::Acknowledged => format!(
            "was acknowledged at {}; T{next} began at {}",
            one.end, other.begin,
        ),
        Because::Passed => String::new(),
    }
}
