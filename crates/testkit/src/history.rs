//! Finds out whether a store kept its promise that every invocation is one strictly
//! serializable transaction: records what concurrent invocations saw and did, and
//! looks for a cycle in what must have come before what.
//!
//! | file | idea |
//! |---|---|
//! | `record` | what is known of a run: versions, reads, scans, writes, times |
//! | `value` | the bytes of a value that names its version |
//! | `recorder` | runs invocations and writes that down |
//! | `session` | what their code works with |
//! | `order` | one key: in what order its versions were written, and what follows |
//! | `gaps` | one key: when it was not there |
//! | `dependencies` | all keys and real time: the direct serialization graph |
//! | `graph` | strongly connected components, shortest cycles |
//! | `cycles` | cycles by name |
//! | `report` | the names, and findings in words |
//! | [`workload`] | invocations that conflict on purpose |
//! | [`broken`] | stores with one defect each, to show that it is found |
//!
//! # What is found
//!
//! A history is strictly serializable if one order of its transactions explains
//! every read and agrees with real time (Papadimitriou 1979, "The serializability of
//! concurrent database updates"; Herlihy and Wing 1990). The graph is the direct
//! serialization graph of Adya 1999, "Weak Consistency: A Generalized Theory and
//! Optimistic Implementations for Distributed Transactions", with edges for real
//! time. The method is that of Kingsbury and Alvaro 2020, "Elle: Inferring Isolation
//! Anomalies from Experimental Observations" (PVLDB 14): versions are unique, and a
//! read-modify-write names the version it replaces. Other names are from Berenson et
//! al. 1995, "A Critique of ANSI SQL Isolation Levels". [`Anomaly`] lists them all.
//!
//! **No false findings**: an edge is drawn only where every serial order that
//! explains the history has it, so a cycle means that there is none. `order` says why
//! for each kind.
//!
//! **Not everything is found.** Two blind writes of one key by overlapping
//! transactions stay unordered until reads or acknowledgements separate them, and so
//! does a read of absence that real time lets fit into several gaps between deletion
//! and insertion. Deciding these would need a search among all orders, which is
//! NP-complete (Papadimitriou 1979). And what did not happen in a run is not found.
//! Transactions of unknown outcome count as committed only if somebody saw them.
//!
//! ```
//! use wasm_storage_engine::{Coordinator, Order, Store, memory::MemoryKv};
//! use wasm_storage_testkit::history::{End, History, Recorder, check};
//!
//! let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
//! let recorder = Recorder::default();
//! let mut log = recorder.log(0, store.default_namespace()?);
//! log.invoke(&store, |session| {
//!     let old = session.get(7)?.unwrap_or(0);
//!     session.put(7, old + 1)?;
//!     Ok(End::Commit)
//! });
//! log.invoke(&store, |session| {
//!     assert_eq!(session.scan(0, 10, Order::Forward, 5)?, [(7, 1)]);
//!     Ok(End::Commit)
//! });
//! let history = History { records: log.records, snapshot_reads: true };
//! assert!(check(&history).is_clean());
//! # Ok::<(), wasm_storage_engine::Error>(())
//! ```

pub mod broken;
mod cycles;
mod dependencies;
mod gaps;
mod graph;
mod order;
mod record;
mod recorder;
mod report;
mod session;
mod value;
pub mod workload;

pub use record::{History, Key, Outcome, Read, Record, Replaces, Scan, Seen, Version, Write};
pub use recorder::{End, Log, Recorder, Tally};
pub use report::{Anomaly, Finding, Report};
pub use session::Recorded;

/// The verdict on a history.
pub fn check(history: &History) -> Report {
    let dependencies = dependencies::dependencies(history);
    let records = &history.records;
    let mut report = Report {
        transactions: dependencies.transactions,
        edges: dependencies.graph.edge_count(),
        ..Report::default()
    };
    for (node, key, bad) in &dependencies.bad_reads {
        report.add_bad_read(records, *node, *key, *bad);
    }
    for (key, fork) in &dependencies.lost_updates {
        report.add_lost_update(records, *key, *fork);
    }
    for cycle in cycles::cycles(&dependencies.graph) {
        // Told above, each one of them.
        if cycle.anomaly != Anomaly::LostUpdate || report.count(Anomaly::LostUpdate) == 0 {
            report.add_cycle(records, &cycle);
        }
    }
    let size = |finding: &Finding| finding.transactions.len();
    report
        .findings
        .sort_by_key(|finding| (finding.anomaly, finding.in_real_time, size(finding)));
    report
}
