//! Histories written by hand. `X`, `Y` … are keys, `t(3, 40, 60)` is transaction 3
//! from time 40 to time 60.

use wasm_storage_testkit::history::{
    Anomaly, Finding, History, Outcome, Read, Replaces, Report, Version, Write, check,
};

use crate::{T, t};

const X: u32 = 1;
const Y: u32 = 2;

fn history(records: Vec<T>) -> History {
    History {
        records: records.into_iter().map(|t| t.0).collect(),
        snapshot_reads: true,
    }
}

fn report(records: Vec<T>) -> Report {
    check(&history(records))
}

#[track_caller]
fn assert_clean(records: Vec<T>) {
    let report = report(records);
    assert!(report.is_clean(), "{report}");
}

/// The only finding.
#[track_caller]
fn found(anomaly: Anomaly, transactions: &[u64], records: Vec<T>) -> Finding {
    let report = report(records);
    assert_eq!(report.anomalies(), 1, "{report}");
    let finding = report.findings[0].clone();
    assert_eq!(finding.anomaly, anomaly, "{report}");
    let mut members = finding.transactions.clone();
    members.sort_unstable();
    assert_eq!(members, transactions, "{report}");
    finding
}

#[test]
fn nothing_and_one_transaction_are_clean() {
    assert_clean(vec![]);
    assert_clean(vec![t(1, 0, 9).none(X).w(X).scan(0, 9, &[])]);
}

#[test]
fn overlapping_transactions_in_some_order_are_clean() {
    // 3 before 2 before 4, all at the same time.
    assert_clean(vec![
        t(1, 0, 1).w(X).w(Y),
        t(2, 10, 20).r(X, 1).w(X).r(Y, 1),
        t(3, 11, 21).r(X, 1).r(Y, 1),
        t(4, 12, 22).r(X, 2).r(Y, 1).w(Y),
        t(5, 30, 31).r(X, 2).r(Y, 4),
    ]);
}

#[test]
fn a_read_during_a_commit_may_see_the_old_and_the_new() {
    assert_clean(vec![
        t(1, 0, 1).w(X),
        t(2, 10, 50).r(X, 1).w(X),
        t(3, 11, 49).r(X, 2),
        t(4, 12, 48).r(X, 1),
    ]);
}

/// Nobody can know in which order overlapping blind writes came, until one was read.
#[test]
fn overlapping_blind_writes_have_any_order() {
    assert_clean(vec![
        t(1, 0, 10).w(X).w(Y),
        t(2, 1, 11).w(X).w(Y),
        t(3, 20, 21).r(X, 1).r(Y, 1),
    ]);
    let records = || {
        vec![
            t(1, 0, 10).w(X).w(Y),
            t(2, 1, 11).w(X).w(Y),
            t(3, 20, 21).r(X, 1).r(Y, 2),
        ]
    };
    let report = report(records());
    assert!(report.findings.iter().all(|finding| finding.in_real_time));
    assert!(
        !report.is_clean(),
        "X ends with 1, so 2 came first; Y says otherwise"
    );
}

#[test]
fn what_did_not_commit_has_not_happened() {
    for outcome in [
        Outcome::RolledBack,
        Outcome::Lost,
        Outcome::Conflict,
        Outcome::Failed,
    ] {
        assert_clean(vec![
            t(1, 0, 1).w(X),
            t(2, 2, 3).r(X, 1).w(X).ended(outcome),
            t(3, 4, 5).r(X, 1).w(X),
            t(4, 6, 7).r(X, 3),
        ]);
    }
}

#[test]
fn an_unknown_outcome_may_be_either() {
    let unknown = || t(2, 2, 3).r(X, 1).w(X).ended(Outcome::Unknown);
    // It never happened; it happened later than its caller heard of it.
    assert_clean(vec![t(1, 0, 1).w(X), unknown(), t(3, 4, 5).r(X, 1).w(X)]);
    assert_clean(vec![
        t(1, 0, 1).w(X),
        unknown(),
        t(3, 4, 5).r(X, 1),
        t(4, 6, 7).r(X, 2),
    ]);
    // It is a deletion, so its absence cannot name it.
    assert_clean(vec![
        t(1, 0, 1).w(X),
        t(2, 2, 3).d(X).ended(Outcome::Unknown),
        t(3, 4, 5).none(X),
    ]);
    // Once it was seen, it is a commit like others.
    found(
        Anomaly::LostUpdate,
        &[2, 3],
        vec![
            t(1, 0, 1).w(X),
            unknown(),
            t(3, 4, 5).r(X, 1).w(X),
            t(4, 6, 7).r(X, 2),
        ],
    );
}

#[test]
fn keys_may_come_and_go() {
    assert_clean(vec![
        t(1, 0, 1).none(X).w(X),
        t(2, 2, 3).r(X, 1).d(X),
        t(3, 4, 5).scan(0, 9, &[]),
        t(4, 6, 7).none(X).w(X),
        t(5, 8, 9).scan(0, 9, &[(X, 4)]).d(X),
        t(6, 10, 11).d(X),
        t(7, 12, 13).none(X),
    ]);
    // The reader may lie before the insertion, or behind the deletion.
    assert_clean(vec![
        t(1, 0, 10).none(X).w(X),
        t(2, 1, 11).r(X, 1).d(X),
        t(3, 2, 12).none(X),
        t(4, 3, 13).none(X).w(X),
    ]);
}

#[test]
fn lost_update() {
    let finding = found(
        Anomaly::LostUpdate,
        &[2, 3],
        vec![
            t(1, 0, 1).w(X),
            t(2, 2, 5).r(X, 1).w(X),
            t(3, 3, 6).r(X, 1).w(X),
        ],
    );
    assert_eq!(
        finding.text,
        "lost update (P4) of key 1: both read T1.1 and wrote over it\n    \
         T2 (invocation 2, attempt 1, thread 0, time 2 to 5, committed)\n        \
         wrote T2.1\n    \
         T3 (invocation 3, attempt 1, thread 0, time 3 to 6, committed)\n        \
         wrote T3.1\n"
    );
}

#[test]
fn lost_update_of_nothing() {
    found(
        Anomaly::LostUpdate,
        &[2, 3],
        vec![t(2, 2, 5).none(X).w(X), t(3, 3, 6).none(X).w(X)],
    );
    // Also behind a deletion, where real time must tell the gaps apart.
    let finding = found(
        Anomaly::LostUpdate,
        &[4, 5],
        vec![
            t(1, 0, 1).none(X).w(X),
            t(2, 2, 3).r(X, 1).d(X),
            t(4, 4, 7).none(X).w(X),
            t(5, 5, 8).none(X).w(X),
        ],
    );
    assert!(finding.in_real_time);
}

#[test]
fn aborted_read() {
    let records = |outcome| {
        vec![
            t(1, 0, 1).w(X),
            t(2, 2, 8).r(X, 1).w(X).ended(outcome),
            t(3, 3, 4).r(X, 2),
        ]
    };
    for outcome in [Outcome::RolledBack, Outcome::Lost, Outcome::Conflict] {
        found(Anomaly::AbortedRead, &[2, 3], records(outcome));
    }
}

#[test]
fn intermediate_read() {
    let mut writer = t(1, 0, 9).w(X);
    writer.0.writes.push(Write {
        key: X,
        number: 77,
        deletes: false,
        replaces: Replaces::Blind,
    });
    found(
        Anomaly::IntermediateRead,
        &[1, 2],
        vec![writer, t(2, 1, 8).r(X, 1)],
    );
}

#[test]
fn garbage_own_and_fuzzy_reads() {
    found(Anomaly::GarbageRead, &[2], vec![t(2, 1, 8).r(X, 9)]);
    // Another key's value.
    let mut mixed_up = t(2, 2, 3);
    mixed_up.0.reads.push(Read {
        key: X,
        seen: Some(Version {
            writer: 1,
            number: Y,
        }),
    });
    found(Anomaly::GarbageRead, &[2], vec![t(1, 0, 1).w(Y), mixed_up]);
    let mut forgetful = t(1, 0, 1).w(X);
    forgetful.0.own_write_missed.push(X);
    found(Anomaly::OwnWriteMissed, &[1], vec![forgetful]);
    let report = report(vec![
        t(1, 0, 1).w(X),
        t(2, 2, 9).r(X, 1).w(X),
        t(3, 3, 8).r(X, 1).r(X, 2),
    ]);
    assert_eq!(report.count(Anomaly::FuzzyRead), 1, "{report}");
}

#[test]
fn write_cycle() {
    found(
        Anomaly::WriteCycle,
        &[1, 2],
        vec![t(1, 0, 10).w(X).r(Y, 2).w(Y), t(2, 1, 11).r(X, 1).w(X).w(Y)]
            .into_iter()
            // 2's Y is replaced by 1's, and 1's X by 2's.
            .collect(),
    );
}

#[test]
fn circular_information_flow() {
    found(
        Anomaly::CircularInformationFlow,
        &[1, 2],
        vec![t(1, 0, 10).w(X).r(Y, 2), t(2, 1, 11).w(Y).r(X, 1)],
    );
}

#[test]
fn read_skew() {
    let finding = found(
        Anomaly::ReadSkew,
        &[2, 3],
        vec![
            t(1, 0, 1).w(X).w(Y),
            t(2, 2, 9).r(X, 1).w(X).r(Y, 1).w(Y),
            t(3, 3, 8).r(X, 1).r(Y, 2),
        ],
    );
    assert!(!finding.in_real_time);
    assert_eq!(
        finding.text,
        "read skew (G-single): 2 transactions, each before the next\n    \
         T3 (invocation 3, attempt 1, thread 0, time 3 to 8, committed)\n        \
         read T1.1 under key 1; later T2 wrote T2.1 (rw)\n    \
         T2 (invocation 2, attempt 1, thread 0, time 2 to 9, committed)\n        \
         wrote T2.2 under key 2; T3 read T2.2 (wr)\n    \
         and again T3\n"
    );
}

#[test]
fn read_skew_through_a_third_one() {
    found(
        Anomaly::ReadSkew,
        &[2, 3, 4],
        vec![
            t(1, 0, 1).w(X).w(Y),
            t(2, 2, 9).r(X, 1).w(X),
            t(3, 3, 8).r(X, 2).r(Y, 1).w(Y),
            t(4, 4, 7).r(X, 1).r(Y, 3),
        ],
    );
}

#[test]
fn stale_read() {
    let finding = found(
        Anomaly::StaleRead,
        &[2, 3],
        vec![t(1, 0, 1).w(X), t(2, 2, 3).r(X, 1).w(X), t(3, 4, 5).r(X, 1)],
    );
    assert!(finding.in_real_time);
    assert_eq!(
        finding.text,
        "stale read (G-single-realtime): 2 transactions, each before the next\n    \
         T3 (invocation 3, attempt 1, thread 0, time 4 to 5, committed)\n        \
         read T1.1 under key 1; later T2 wrote T2.1 (rw)\n    \
         T2 (invocation 2, attempt 1, thread 0, time 2 to 3, committed)\n        \
         was acknowledged at 3; T3 began at 4\n    \
         and again T3\n"
    );
}

#[test]
fn stale_reads_of_absence() {
    found(
        Anomaly::StaleRead,
        &[1, 2],
        vec![t(1, 0, 1).none(X).w(X), t(2, 2, 3).none(X)],
    );
    // Behind a deletion that was itself overwritten.
    found(
        Anomaly::StaleRead,
        &[3, 4],
        vec![
            t(1, 0, 1).none(X).w(X),
            t(2, 2, 3).r(X, 1).d(X),
            t(3, 4, 5).none(X).w(X),
            t(4, 6, 7).scan(0, 9, &[]),
        ],
    );
    // Deleted in the reader's future.
    let report = report(vec![
        t(1, 0, 1).none(X).w(X),
        t(2, 2, 3).none(X),
        t(3, 4, 5).r(X, 1).d(X),
    ]);
    assert!(!report.is_clean());
}

#[test]
fn stale_read_of_a_deleted_key_and_of_a_blind_write() {
    found(
        Anomaly::StaleRead,
        &[2, 3],
        vec![t(1, 0, 1).w(X), t(2, 2, 3).r(X, 1).d(X), t(3, 4, 5).r(X, 1)],
    );
    found(
        Anomaly::StaleRead,
        &[2, 3],
        vec![t(1, 0, 1).w(X), t(2, 2, 3).w(X), t(3, 4, 5).r(X, 1)],
    );
}

/// Attempts that came to nothing have seen one state, too.
#[test]
fn a_stale_or_skewed_read_counts_also_in_an_attempt_that_was_lost() {
    let records = || {
        vec![
            t(1, 0, 1).w(X).w(Y),
            t(2, 2, 9).r(X, 1).w(X).r(Y, 1).w(Y),
            t(3, 3, 8).r(X, 1).r(Y, 2).ended(Outcome::Lost),
        ]
    };
    found(Anomaly::ReadSkew, &[2, 3], records());
    let without_promise = History {
        snapshot_reads: false,
        ..history(records())
    };
    assert!(check(&without_promise).is_clean());
}

#[test]
fn write_skew() {
    let finding = found(
        Anomaly::WriteSkew,
        &[2, 3],
        vec![
            t(1, 0, 1).w(X).w(Y),
            t(2, 2, 9).r(X, 1).r(Y, 1).w(X),
            t(3, 3, 8).r(X, 1).r(Y, 1).w(Y),
        ],
    );
    assert!(!finding.in_real_time);
}

#[test]
fn phantom() {
    let finding = found(
        Anomaly::Phantom,
        &[2, 3],
        vec![
            t(2, 2, 9).scan(0, 10, &[]).w(X),
            t(3, 3, 8).scan(0, 10, &[]).w(Y),
        ],
    );
    assert!(
        finding
            .text
            .contains("scanned over key 2 and found nothing")
    );
    // A write of one's own hides the key, and says nothing of it.
    assert_clean(vec![
        t(2, 2, 9).w(X).scan(0, 10, &[]),
        t(3, 3, 8).r(X, 2).d(X),
        t(4, 10, 11).none(X),
    ]);
}

#[test]
fn long_fork() {
    found(
        Anomaly::LongFork,
        &[2, 3, 4, 5],
        vec![
            t(1, 0, 1).w(X).w(Y),
            t(2, 2, 9).r(X, 1).w(X),
            t(3, 3, 10).r(Y, 1).w(Y),
            t(4, 4, 11).r(X, 2).r(Y, 1),
            t(5, 5, 12).r(X, 1).r(Y, 3),
        ],
    );
}

/// The smallest cycle is told, not one of the many around it.
#[test]
fn of_a_long_cycle_the_shortest_way_round_is_told() {
    let mut records = vec![t(0, 0, 1).w(0)];
    for serial in 1..1000 {
        let key = u32::try_from(serial).unwrap();
        let begin = 10 * serial;
        records.push(t(serial, begin, begin + 5).r(0, serial - 1).w(0).w(key));
    }
    // Saw the first state of key 0 after everything, and the last one's other write.
    records.push(t(5000, 20_000, 20_001).r(0, 0).r(999, 999));
    let report = report(records);
    let sizes: Vec<_> = report
        .findings
        .iter()
        .map(|f| f.transactions.len())
        .collect();
    assert!(sizes.contains(&2), "{report}");
}
