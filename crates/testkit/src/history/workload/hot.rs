//! One counter that everybody raises: with [`Session::add`](wasm_storage_engine::Session::add),
//! which answers, and with [`Session::increment`](wasm_storage_engine::Session::increment),
//! which does not.
//!
//! Answers of a counter that is raised by one are its versions: each is given once,
//! none is missing, and one that was answered before another call began is smaller.

use std::sync::mpsc;
use std::thread;

use wasm_storage_engine::{Attempt, Error, NamespaceId, OpError, RunOptions, Session, Store};

use crate::history::recorder::Recorder;

/// How the counter is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// `Session::add`, whose answers are checked.
    Add,
    /// `Session::increment`.
    Increment,
}

/// What became of one counter.
#[derive(Clone, Debug, Default)]
pub struct Count {
    /// Invocations that were acknowledged.
    pub committed: u64,
    /// Invocations that were not.
    pub failed: u64,
    /// All attempts of all invocations.
    pub attempts: u64,
    /// The most attempts that one invocation took.
    pub most_attempts: u64,
    /// What the counter says at the end.
    pub total: i64,
    /// Answers that were given twice or not at all, or against real time.
    pub wrong_answers: u64,
    /// What the first failure said.
    pub first_error: Option<String>,
}

impl Count {
    /// Whether every invocation was done, once.
    pub fn is_exact(&self) -> bool {
        let expected = i64::try_from(self.committed).ok();
        self.failed == 0 && self.wrong_answers == 0 && expected == Some(self.total)
    }
}

/// An answer of the counter.
struct Answer {
    value: i64,
    begin: u64,
    end: u64,
}

/// Raises a new counter by one, `invocations` times from all threads together.
///
/// Errors: what the store says when asked for its default namespace, or for the
/// counter at the end.
pub fn run(
    store: &Store,
    raise: Raise,
    threads: u32,
    invocations: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Count, Error> {
    let ns = store.default_namespace()?;
    let key = match raise {
        Raise::Add => b"hot add".as_slice(),
        Raise::Increment => b"hot increment",
    };
    let recorder = Recorder::default();
    let (tell, told) = mpsc::channel();
    let mut count = Count::default();
    let mut answers = Vec::new();
    thread::scope(|scope| {
        let mut running = Vec::new();
        for thread in 0..u64::from(threads) {
            let all = u64::from(threads);
            let share = invocations / all + u64::from(thread < invocations % all);
            let (tell, recorder) = (tell.clone(), &recorder);
            running.push(scope.spawn(move || {
                let mut count = Count::default();
                let mut answers = Vec::new();
                for _ in 0..share {
                    once(store, ns, key, raise, recorder, &mut count, &mut answers);
                    // Whoever listened may be gone.
                    tell.send(()).ok();
                }
                (count, answers)
            }));
        }
        drop(tell);
        let mut done = 0;
        for () in told {
            done += 1;
            progress(done);
        }
        for thread in running {
            let (part, more) = thread.join().unwrap();
            count.committed += part.committed;
            count.failed += part.failed;
            count.attempts += part.attempts;
            count.most_attempts = count.most_attempts.max(part.most_attempts);
            count.first_error = count.first_error.take().or(part.first_error);
            answers.extend(more);
        }
    });
    // Adding nothing is the way to read a counter.
    let done = store.run(RunOptions::default(), |mut session| {
        let total = session.add(ns, key, 0);
        Attempt::Rollback(session, total)
    });
    match done.map(|done| done.value) {
        Ok(Ok(total)) => count.total = total,
        Ok(Err(error)) => count.first_error = Some(format!("{error:?}")),
        Err(error) => count.first_error = Some(error.to_string()),
    }
    if raise == Raise::Add {
        count.wrong_answers = wrong_answers(answers);
    }
    Ok(count)
}

/// One invocation.
fn once(
    store: &Store,
    ns: NamespaceId,
    key: &[u8],
    raise: Raise,
    recorder: &Recorder,
    count: &mut Count,
    answers: &mut Vec<Answer>,
) {
    let begin = recorder.tick();
    let mut attempts = 0;
    let add = |session: &mut Session| -> Result<i64, OpError> {
        match raise {
            Raise::Add => session.add(ns, key, 1),
            Raise::Increment => session.increment(ns, key, 1).map(|()| 0),
        }
    };
    let done = store.run(RunOptions::default(), |mut session| {
        attempts += 1;
        match add(&mut session) {
            failed @ Err(OpError::Failed(_) | OpError::Overdue) => {
                Attempt::Rollback(session, failed)
            }
            // A doomed session says at commit why it is.
            other => Attempt::Commit(session, other),
        }
    });
    count.attempts += attempts;
    count.most_attempts = count.most_attempts.max(attempts);
    let error = match done.map(|done| done.value) {
        Ok(Ok(value)) => {
            count.committed += 1;
            answers.push(Answer {
                value,
                begin,
                end: recorder.tick(),
            });
            return;
        }
        Ok(Err(error)) => format!("{error:?}"),
        Err(error) => error.to_string(),
    };
    count.failed += 1;
    count.first_error.get_or_insert(error);
}

/// Answers other than 1, 2, 3 …, and pairs of neighbours against real time.
fn wrong_answers(mut answers: Vec<Answer>) -> u64 {
    answers.sort_unstable_by_key(|answer| answer.value);
    let mut wrong = 0;
    let mut next = 1;
    let mut latest_begin = 0;
    for answer in answers {
        if answer.value != next || answer.end < latest_begin {
            wrong += 1;
        }
        latest_begin = latest_begin.max(answer.begin);
        next = answer.value + 1;
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer((value, begin, end): (i64, u64, u64)) -> Answer {
        Answer { value, begin, end }
    }

    #[test]
    fn answers_are_each_number_once_and_in_the_order_of_time() {
        let wrong = |answers: &[(i64, u64, u64)]| {
            wrong_answers(answers.iter().copied().map(answer).collect())
        };
        // 2 may be acknowledged before 1: they overlap.
        assert_eq!(wrong(&[(1, 0, 5), (2, 1, 3), (3, 4, 6)]), 0);
        assert_eq!(wrong(&[(1, 0, 5), (1, 1, 3)]), 1);
        assert_eq!(wrong(&[(1, 0, 5), (3, 1, 3)]), 1);
        assert_eq!(wrong(&[(2, 0, 1), (1, 2, 3)]), 1);
    }
}
