//! What is known of each writer, and the verdict: what was heard from children and
//! what is found in the store, held against it.
//!
//! Each writer has one invocation under way at most. So its counter is at least what
//! it has acknowledged, and at most one more for every kill since.

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
    /// Each of the last three, in words.
    pub(crate) said: Vec<String>,
}

impl Findings {
    pub(crate) fn are_bad(&self) -> bool {
        self.lost > 0 || self.partial > 0 || self.doubled > 0
    }
}

/// What is known of the writers of one store.
#[derive(Debug)]
pub(crate) struct Ledger {
    writers: Vec<Known>,
    /// By how much the total was wrong when it was last looked at: told once.
    total_off: i128,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The last number acknowledged, or found in the store.
    number: u64,
    /// Kills since.
    kills: u64,
}

impl Ledger {
    pub(crate) fn new(writers: usize) -> Self {
        Ledger {
            writers: vec![Known::default(); writers],
            total_off: 0,
        }
    }

    /// What must be there, of all writers together.
    pub(crate) fn sum(&self) -> u64 {
        self.writers.iter().map(|known| known.number).sum()
    }

    /// A child said that this invocation is committed. False: there is no such writer.
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
        *known = Known { number, kills: 0 };
        true
    }

    /// A child was killed.
    pub(crate) fn killed(&mut self) {
        for known in &mut self.writers {
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
            *known = Known {
                number: *number,
                kills: 0,
            };
        }
        let off = i128::from(found.total) - i128::from(self.sum());
        let more = off - self.total_off;
        let count = u64::try_from(more.unsigned_abs()).unwrap_or(u64::MAX);
        if more < 0 {
            findings.lost += count;
        } else {
            findings.doubled += count;
        }
        if more != 0 {
            findings.said.push(format!(
                "the total is {}, the writers' counters add up to {}",
                found.total,
                self.sum()
            ));
        }
        self.total_off = off;
    }
}

impl Known {
    /// Holds a number that the store had against what is known.
    fn judge(&self, writer: usize, number: u64, how: &str, findings: &mut Findings) {
        let most = self.number + self.kills;
        if let Some(lost @ 1..) = self.number.checked_sub(number) {
            findings.lost += lost;
        } else if let Some(doubled @ 1..) = number.checked_sub(most) {
            findings.doubled += doubled;
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

    fn found(numbers: &[u64], total: u64) -> Found {
        Found {
            writers: numbers.iter().map(|number| (*number, Ok(()))).collect(),
            total,
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
            ledger.found(&found(&numbers, numbers.iter().sum()), &mut findings);
            assert!(!findings.are_bad(), "{findings:?}");
            assert_eq!(findings.unacknowledged, unacknowledged);
        }
        let (mut ledger, mut findings) = killed();
        ledger.killed();
        ledger.found(&found(&[3, 4], 7), &mut findings);
        assert!(!findings.are_bad(), "{findings:?}");
    }

    #[test]
    fn fewer_is_lost_more_is_doubled_and_both_are_told_once() {
        let (mut ledger, mut findings) = killed();
        ledger.found(&found(&[0, 4], 4), &mut findings);
        ledger.found(&found(&[0, 4], 4), &mut findings);
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
    fn a_total_that_is_not_the_sum_is_a_finding_and_told_once() {
        let (mut ledger, mut findings) = killed();
        for total in [2, 2, 3, 5] {
            ledger.found(&found(&[1, 2], total), &mut findings);
        }
        assert_eq!((findings.lost, findings.doubled), (1, 3), "{findings:?}");
    }

    #[test]
    fn a_part_of_a_commit_is_a_finding() {
        let (mut ledger, mut findings) = killed();
        let mut partly = found(&[1, 2], 3);
        partly.writers[1].1 = Err("a key is missing".into());
        ledger.found(&partly, &mut findings);
        assert_eq!(findings.partial, 1);
        assert!(findings.said[0].contains("a key is missing"));
    }
}
