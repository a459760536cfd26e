//! Pairs of keys whose sum must not be negative: each invocation reads both and
//! writes one, so that only the reading can tell two of them that they conflict.

use super::Worker;
use crate::history::record::{Key, Outcome};
use crate::history::recorder::End;

const PAIRS: usize = 3;

/// Takes one from a pair that has something, or gives two to one that has not.
pub(super) fn step(worker: &mut Worker<'_>) {
    let random = &mut worker.random;
    let one = Key::try_from(random.below(2 * PAIRS)).unwrap();
    let other = one ^ 1;
    let mut sum = 0;
    let outcome = worker.log.invoke(worker.store, |session| {
        // The one that is written is read only in its sum with the other one.
        let mine = session.get(one)?.unwrap_or(0);
        sum = mine + session.get(other)?.unwrap_or(0);
        session.put(one, if sum > 0 { mine - 1 } else { mine + 2 })?;
        Ok(End::Commit)
    });
    judge(worker, outcome, sum);
}

/// Reads each pair.
pub(super) fn last(worker: &mut Worker<'_>) {
    for pair in 0..PAIRS {
        let one = Key::try_from(2 * pair).unwrap();
        let mut sum = 0;
        let outcome = worker.log.invoke(worker.store, |session| {
            sum = session.get(one)?.unwrap_or(0) + session.get(one + 1)?.unwrap_or(0);
            Ok(End::Commit)
        });
        judge(worker, outcome, sum);
    }
}

fn judge(worker: &mut Worker<'_>, outcome: Outcome, sum: i64) {
    if outcome == Outcome::Committed && sum < 0 {
        let serial = worker.log.records.last().map_or(0, |record| record.serial);
        worker
            .rule_broken
            .push(format!("T{serial} saw a pair with a sum of {sum}"));
    }
}
