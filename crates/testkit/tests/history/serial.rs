//! Random histories that one serial execution explains: nothing must be found in
//! them, however their transactions overlap. And the same with one read changed, to
//! see that it is not blindness.

use std::collections::BTreeMap;

use wasm_storage_testkit::history::{History, Key, Outcome, check};
use wasm_storage_testkit::model::Random;

use crate::{T, t};

const KEYS: usize = 6;

/// `count` transactions, executed one after the other at times 1000, 2000 …, that
/// begin and end up to `spread` before and after.
fn serial(random: &mut Random, count: u64, spread: usize) -> History {
    let mut store: BTreeMap<Key, u64> = BTreeMap::new();
    let mut records = Vec::new();
    let mut times = Vec::new();
    for serial in 1..=count {
        let at = 100_000 + serial * 1000;
        let begin = at - u64::try_from(random.below(spread)).unwrap();
        let end = at + u64::try_from(random.below(spread)).unwrap();
        times.push((begin, false, serial));
        times.push((end, true, serial));
        let (record, changes) = transaction(random, serial, &store);
        let outcome = match random.below(10) {
            0 => [Outcome::RolledBack, Outcome::Lost, Outcome::Conflict][random.below(3)],
            1 => Outcome::Unknown,
            _ => Outcome::Committed,
        };
        // Of the unknown ones, half have happened.
        if outcome == Outcome::Committed || outcome == Outcome::Unknown && random.below(2) == 0 {
            for (key, value) in changes {
                match value {
                    Some(value) => store.insert(key, value),
                    None => store.remove(&key),
                };
            }
        }
        records.push(record.ended(outcome).0);
    }
    // Each time once.
    times.sort_unstable();
    for (time, (_, ends, serial)) in (0..).zip(times) {
        let record = &mut records[usize::try_from(serial).unwrap() - 1];
        *if ends {
            &mut record.end
        } else {
            &mut record.begin
        } = time;
    }
    History {
        records,
        snapshot_reads: true,
    }
}

type Changes = BTreeMap<Key, Option<u64>>;

fn transaction(random: &mut Random, serial: u64, store: &BTreeMap<Key, u64>) -> (T, Changes) {
    let mut record = t(serial, 0, 0);
    let mut changes = Changes::new();
    for _ in 0..1 + random.below(4) {
        let key = Key::try_from(random.below(KEYS)).unwrap();
        let get = |record: T, changes: &Changes| match (changes.get(&key), store.get(&key)) {
            (Some(_), _) => record,
            (None, Some(writer)) => record.r(key, *writer),
            (None, None) => record.none(key),
        };
        // Writing twice is for the tests that write by hand.
        let fresh = !changes.contains_key(&key);
        record = match random.below(8) {
            0 | 1 => get(record, &changes),
            2 | 3 if fresh => {
                record = get(record, &changes).w(key);
                changes.insert(key, Some(serial));
                record
            }
            4 if fresh => {
                changes.insert(key, Some(serial));
                record.w(key)
            }
            5 if fresh => {
                record = get(record, &changes).d(key);
                changes.insert(key, None);
                record
            }
            6 if fresh && random.below(3) == 0 => {
                changes.insert(key, None);
                record.d(key)
            }
            _ => {
                let hi = key + 1 + Key::try_from(random.below(KEYS)).unwrap();
                let shown = store.range(key..hi);
                let shown = shown.filter(|(key, _)| !changes.contains_key(key));
                let seen: Vec<_> = shown.map(|(key, writer)| (*key, *writer)).collect();
                record.scan(key, hi, &seen)
            }
        };
    }
    (record, changes)
}

#[test]
fn a_serial_execution_never_has_a_finding() {
    for seed in 0..1000 {
        let mut random = Random::new(seed);
        let spread = [1, 800, 2500, 10_000, 60_000][random.below(5)];
        let count = u64::try_from(1 + random.below(80)).unwrap();
        let report = check(&serial(&mut random, count, spread));
        assert!(report.is_clean(), "seed {seed}\n{report}");
    }
}

/// One read of a state that was over when the transaction began, or of one that never
/// was: most are found, and the rest could have been right.
#[test]
fn most_reads_of_another_version_are_found() {
    let (mut changed, mut found) = (0, 0);
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut history = serial(&mut random, 60, 2500);
        let at = 30 + random.below(30);
        let earlier: Vec<_> = history.records[..at]
            .iter()
            .filter(|record| record.outcome == Outcome::Committed)
            .flat_map(|record| record.writes.iter().map(|write| (record.serial, *write)))
            .filter(|(_, write)| !write.deletes)
            .collect();
        let record = &mut history.records[at];
        if record.outcome != Outcome::Committed || record.reads.is_empty() {
            continue;
        }
        let read = &mut record.reads[0];
        let others = earlier.iter().filter(|(serial, write)| {
            write.key == read.key && read.seen.is_none_or(|seen| seen.writer != *serial)
        });
        let others: Vec<_> = others.collect();
        if others.is_empty() {
            continue;
        }
        let (writer, write) = others[random.below(others.len())];
        read.seen = Some(crate::version(*writer, write.key));
        changed += 1;
        found += u32::from(!check(&history).is_clean());
    }
    assert!(
        changed > 150 && found * 10 > changed * 9,
        "{found} of {changed}"
    );
}
