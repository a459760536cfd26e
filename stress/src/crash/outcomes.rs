//! Commits that the store is asked about after reopening, and whether it is right.
//!
//! Asked are commits whose outcome a writer did not learn, and the first and the last
//! acknowledged one of every opening. What is right is what the data says: a writer's
//! counter is the number of its last commit. Each is asked at once and at every later
//! check, after more commits and more openings, until it may be forgotten.

use std::collections::VecDeque;

use wasm_storage_engine::{CommitId, Error, Store};

use super::ledger::Findings;
use super::work::Found;

/// A store knows the commits of so many openings that committed.
const REMEMBERED: u64 = 64;
/// From then on an answer is not asked for any more.
const FORGOTTEN: u64 = 80;

/// The questions to one store.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    questions: VecDeque<Question>,
    /// Acknowledged in the present opening: the first, and the last.
    first: Option<CommitId>,
    last: Option<CommitId>,
    /// Openings so far, those that committed nothing included.
    openings: u64,
}

#[derive(Debug)]
struct Question {
    id: CommitId,
    truth: Truth,
    /// In which opening.
    opening: u64,
    /// Whether a wrong answer was told.
    told: bool,
}

#[derive(Clone, Copy, Debug)]
enum Truth {
    Known(bool),
    /// It is a writer's commit of this number: the data will say.
    Commit {
        writer: usize,
        number: u64,
    },
}

impl Outcomes {
    /// The store is opened by somebody who may write.
    pub(crate) fn opening(&mut self) {
        self.keep_ends();
        self.openings += 1;
    }

    fn keep_ends(&mut self) {
        let ends = [self.first.take(), self.last.take()];
        for id in ends.into_iter().flatten() {
            self.questions.push_back(Question {
                id,
                truth: Truth::Known(true),
                opening: self.openings,
                told: false,
            });
        }
    }

    pub(crate) fn acknowledged(&mut self, id: CommitId) {
        self.first.get_or_insert(id);
        self.last = Some(id);
    }

    pub(crate) fn unknown(&mut self, id: CommitId, writer: usize, number: u64) {
        self.questions.push_back(Question {
            id,
            truth: Truth::Commit { writer, number },
            opening: self.openings,
            told: false,
        });
    }

    /// Asks a store that was just read.
    pub(crate) fn ask(
        &mut self,
        store: &Store,
        found: &Found,
        findings: &mut Findings,
    ) -> Result<(), Error> {
        self.keep_ends();
        let openings = self.openings;
        self.questions
            .retain(|question| openings - question.opening < FORGOTTEN);
        for question in &mut self.questions {
            let happened = match question.truth {
                Truth::Known(happened) => happened,
                Truth::Commit { writer, number } => {
                    let happened = found.number(writer) >= number;
                    findings.unknown_happened += u64::from(happened);
                    happened
                }
            };
            question.truth = Truth::Known(happened);
            let answer = store.outcome(question.id)?;
            findings.asked += 1;
            let age = openings - question.opening;
            let right = match answer {
                Some(answer) => answer == happened,
                None => age >= REMEMBERED,
            };
            if !right && !question.told {
                question.told = true;
                findings.wrong_outcomes += 1;
                findings.said.push(format!(
                    "commit {}, {age} openings ago: the store says {answer:?}, the data {happened}",
                    question.id
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_storage_engine::memory::MemoryKv;
    use wasm_storage_engine::{Attempt, Coordinator, RunOptions};

    /// A new opening of the store, with one commit.
    fn opening(kv: &MemoryKv, outcomes: &mut Outcomes) -> (Store, CommitId) {
        outcomes.opening();
        let store = Store::new(Coordinator::open(kv.clone(), None).unwrap());
        let ns = store.default_namespace().unwrap();
        let done = store.run(RunOptions::default(), |mut session| {
            session.put(ns, b"key", b"value").unwrap();
            Attempt::Commit(session, ())
        });
        (store, done.unwrap().commit.unwrap())
    }

    fn found(number: u64) -> Found {
        Found {
            writers: vec![(number, Ok(()))],
            shared: Vec::new(),
        }
    }

    #[test]
    fn a_wrong_answer_is_counted_once_and_a_right_one_not() {
        let kv = MemoryKv::new();
        let (mut outcomes, mut findings) = (Outcomes::default(), Findings::default());
        let (store, id) = opening(&kv, &mut outcomes);
        outcomes.acknowledged(id);
        outcomes.unknown(id, 0, 1);
        let other = CommitId(id.0 + 1);
        outcomes.unknown(other, 0, 2);
        // Once the data has decided, later commits of the writer do not matter.
        for number in [1, 2] {
            outcomes.ask(&store, &found(number), &mut findings).unwrap();
        }
        assert_eq!((findings.asked, findings.wrong_outcomes), (8, 0));
        outcomes.unknown(other, 0, 2);
        for _ in 0..2 {
            outcomes.ask(&store, &found(2), &mut findings).unwrap();
        }
        assert_eq!(findings.wrong_outcomes, 1, "{findings:?}");
        assert!(findings.said[0].contains("says Some(false), the data true"));
    }

    #[test]
    fn an_answer_may_be_missing_after_64_openings_and_not_before() {
        let kv = MemoryKv::new();
        let (mut outcomes, mut findings) = (Outcomes::default(), Findings::default());
        let (_, id) = opening(&kv, &mut outcomes);
        outcomes.acknowledged(id);
        for _ in 0..70 {
            let (store, _) = opening(&kv, &mut outcomes);
            outcomes.ask(&store, &found(0), &mut findings).unwrap();
        }
        assert_eq!((findings.asked, findings.wrong_outcomes), (140, 0));
        // A store that forgets sooner.
        outcomes.unknown(id, 0, 1);
        let (store, _) = opening(&kv, &mut outcomes);
        outcomes.ask(&store, &found(1), &mut findings).unwrap();
        assert_eq!(findings.wrong_outcomes, 1, "{findings:?}");
    }
}
