//! What is known of each writer, and the verdict: what was heard from children and
//! what is found in the store, held against it.
//!
//! Each writer has one commit under way at most. So its counter is at least what it
//! has acknowledged, and at most one more for every kill since; none more if the store
//! told it that the commit did not happen.

use std::collections::BTreeMap;

use super::shared::Wrong;
use super::work::Found;

/// What a run has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Commits that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Commits that happened, found without having been acknowledged.
    pub(crate) unacknowledged: u64,
    /// Acknowledged and not there.
    pub(crate) lost: u64,
    /// Writers of which a part of a commit was found.
    pub(crate) partial: u64,
    /// Done more often than asked for.
    pub(crate) doubled: u64,
    /// Commits of which nobody knew whether they happened.
    pub(crate) unknown: u64,
    /// Those of them that had happened.
    pub(crate) unknown_happened: u64,
    /// Commits of which the store said something else than the truth.
    pub(crate) wrong_outcomes: u64,
    /// Questions about the outcome of a commit.
    pub(crate) asked: u64,
    /// Each of the bad ones, in words.
    pub(crate) said: Vec<String>,
}

impl Findings {
    pub(crate) fn are_bad(&self) -> bool {
        [self.lost, self.partial, self.doubled, self.wrong_outcomes] != [0; 4]
    }
}

/// What is known of the writers of one store.
#[derive(Debug)]
pub(crate) struct Ledger {
    writers: Vec<Known>,
    /// By how much each of the shared was wrong when it was last looked at: told once.
    off: BTreeMap<&'static str, i128>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The last number acknowledged, or found in the store.
    number: u64,
    /// Kills since.
    kills: u64,
    /// The store said of the next that it did not happen.
    refused: bool,
}

impl Known {
    fn at(number: u64) -> Self {
        Known {
            number,
            kills: 0,
            refused: false,
        }
    }
}

impl Ledger {
    pub(crate) fn new(writers: usize) -> Self {
        Ledger {
            writers: vec![Known::default(); writers],
            off: BTreeMap::new(),
        }
    }

    /// What must be there, of all writers together.
    pub(crate) fn sum(&self) -> u64 {
        self.writers.iter().map(|known| known.number).sum()
    }

    /// A child said that this is committed. False: there is no such writer.
    pub(crate) fn acknowledged(
        &mut self,
        writer: usize,
        number: u64,
        findings: &mut Findings,
    ) -> bool {
        let Some(known) = self.writers.get_mut(writer) else {
            return false;
        };
        findings.acknowledged += 1;
        // Read from the store: it must have held what was known, and `number` is one more.
        known.judge(writer, number.saturating_sub(1), "read", findings);
        *known = Known::at(number);
        true
    }

    /// A child said how this commit failed; `refused`: it did not happen. False: there is
    /// no such writer.
    pub(crate) fn failed(
        &mut self,
        writer: usize,
        number: u64,
        refused: bool,
        findings: &mut Findings,
    ) -> bool {
        let Some(known) = self.writers.get_mut(writer) else {
            return false;
        };
        let last = number.saturating_sub(1);
        known.judge(writer, last, "read", findings);
        *known = Known {
            refused,
            ..Known::at(last)
        };
        true
    }

    /// A child was killed, or ended itself.
    pub(crate) fn killed(&mut self) {
        for known in self.writers.iter_mut().filter(|known| !known.refused) {
            known.kills += 1;
        }
    }

    /// The store was opened, and this is in it.
    pub(crate) fn found(&mut self, found: &Found, findings: &mut Findings) {
        for (writer, (known, (number, whole))) in
            self.writers.iter_mut().zip(&found.writers).enumerate()
        {
            known.judge(writer, *number, "found", findings);
            if let Err(wrong) = whole {
                findings.partial += 1;
                let text = format!("writer {writer} at {number}: a part of a commit: {wrong}");
                findings.said.push(text);
            }
            *known = Known::at(*number);
        }
        for wrong in &found.shared {
            self.shared(wrong, findings);
        }
        let still = |what: &&str| {
            let mut wrong = found.shared.iter();
            wrong.any(|wrong| wrong.what() == *what)
        };
        self.off.retain(|what, _| still(what));
    }

    fn shared(&mut self, wrong: &Wrong, findings: &mut Findings) {
        let off = match wrong {
            Wrong::Count { off, .. } => *off,
            Wrong::Part { .. } => 0,
        };
        let before = self.off.insert(wrong.what(), off);
        match wrong {
            Wrong::Count { what, off } => {
                let more = off - before.unwrap_or(0);
                let count = u64::try_from(more.unsigned_abs()).unwrap_or(u64::MAX);
                match more {
                    0 => return,
                    ..0 => findings.lost += count,
                    _ => findings.doubled += count,
                }
                findings.said.push(format!(
                    "{what}: {off} more than the writers' counters explain"
                ));
            }
            Wrong::Part { what, text } if before.is_none() => {
                findings.partial += 1;
                findings.said.push(format!("{what}: {text}"));
            }
            Wrong::Part { .. } => {}
        }
    }
}

impl Known {
    /// Holds a number that the store had against what is known.
    fn judge(&self, writer: usize, number: u64, how: &str, findings: &mut Findings) {
        let most = self.number + self.kills;
        if let Some(lost @ 1..) = self.number.checked_sub(number) {
            findings.lost += lost;
        } else if let Some(more @ 1..) = number.checked_sub(most) {
            match self.refused {
                true => findings.wrong_outcomes += more,
                false => findings.doubled += more,
            }
        } else {
            findings.unacknowledged += number - self.number;
            return;
        }
        findings.said.push(format!(
            "writer {writer}: {how} {number}, expected {} to {most}",
            self.number
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(numbers: &[u64]) -> Found {
        Found {
            writers: numbers.iter().map(|number| (*number, Ok(()))).collect(),
            shared: Vec::new(),
        }
    }

    /// Two writers that have acknowledged 1 and 2 and were killed once.
    fn killed() -> (Ledger, Findings) {
        let (mut ledger, mut findings) = (Ledger::new(2), Findings::default());
        for (writer, number) in [(0, 1), (1, 1), (1, 2)] {
            assert!(ledger.acknowledged(writer, number, &mut findings));
        }
        ledger.killed();
        assert_eq!((findings.acknowledged, findings.are_bad()), (3, false));
        (ledger, findings)
    }

    #[test]
    fn one_more_for_each_kill_is_no_finding() {
        for (numbers, unacknowledged) in [([1, 2], 0), ([2, 2], 1), ([2, 3], 2)] {
            let (mut ledger, mut findings) = killed();
            ledger.found(&found(&numbers), &mut findings);
            assert!(!findings.are_bad(), "{findings:?}");
            assert_eq!(findings.unacknowledged, unacknowledged);
        }
        let (mut ledger, mut findings) = killed();
        ledger.killed();
        ledger.found(&found(&[3, 4]), &mut findings);
        assert!(!findings.are_bad(), "{findings:?}");
    }

    #[test]
    fn fewer_is_lost_more_is_doubled_and_both_are_told_once() {
        let (mut ledger, mut findings) = killed();
        ledger.found(&found(&[0, 4]), &mut findings);
        ledger.found(&found(&[0, 4]), &mut findings);
        assert_eq!((findings.lost, findings.doubled), (1, 1), "{findings:?}");
    }

    #[test]
    fn an_acknowledgement_out_of_turn_is_a_finding() {
        let (mut ledger, mut findings) = killed();
        assert!(ledger.acknowledged(1, 2, &mut findings));
        assert_eq!(findings.lost, 1, "{findings:?}");
        assert!(ledger.acknowledged(1, 4, &mut findings));
        assert_eq!(findings.doubled, 1, "{findings:?}");
        assert!(!ledger.acknowledged(2, 1, &mut findings));
    }

    #[test]
    fn what_is_shared_and_off_is_a_finding_and_told_once() {
        let (mut ledger, mut findings) = killed();
        for off in [-1, -1, 0, 2] {
            let mut wrong = found(&[1, 2]);
            let what = "the counter";
            wrong.shared.push(Wrong::Count { what, off });
            let text = "half".to_owned();
            let what = "the accounts";
            wrong.shared.push(Wrong::Part { what, text });
            ledger.found(&wrong, &mut findings);
        }
        assert_eq!((findings.lost, findings.doubled), (1, 3), "{findings:?}");
        assert_eq!(findings.partial, 1, "{findings:?}");
    }

    #[test]
    fn a_refused_commit_that_is_there_is_a_wrong_outcome_and_another_may_be() {
        for refused in [false, true] {
            let (mut ledger, mut findings) = killed();
            ledger.found(&found(&[1, 2]), &mut findings);
            assert!(ledger.failed(1, 3, refused, &mut findings));
            assert!(!ledger.failed(2, 3, refused, &mut findings));
            ledger.killed();
            ledger.found(&found(&[2, 3]), &mut findings);
            assert_eq!(findings.wrong_outcomes, u64::from(refused), "{findings:?}");
            assert_eq!((findings.lost, findings.doubled), (0, 0), "{findings:?}");
        }
    }

    #[test]
    fn a_part_of_a_commit_is_a_finding() {
        let (mut ledger, mut findings) = killed();
        let mut partly = found(&[1, 2]);
        partly.writers[1].1 = Err("a key is missing".into());
        ledger.found(&partly, &mut findings);
        assert_eq!(findings.partial, 1);
        assert!(findings.said[0].contains("a key is missing"));
    }
}
