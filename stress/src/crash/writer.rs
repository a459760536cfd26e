//! One writer of a child: invocation after invocation, each said when it has returned.
//!
//! Invariant: at most one commit of a writer is not said, the one that is under way. A
//! part of an invocation is said when it has returned, before the next one begins.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasm_storage_engine::{Attempt, CommitId, Kind, OpError, RunOptions, Session, Store};

use super::crowd::Crowd;
use super::plant::Plant;
use super::points::{Point, Points};
use super::said::{Said, say};
use super::shared::Namespaces;
use super::work::{Work, failed};

/// A writer.
pub(crate) struct Writer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) points: &'a Points,
    pub(crate) crowd: &'a Crowd,
    pub(crate) namespaces: Namespaces,
    pub(crate) work: Work,
    pub(crate) writer: usize,
    /// Its last commit so far.
    pub(crate) last: u64,
    pub(crate) plant: Option<Plant>,
}

/// How a writer came to its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its last commit that was acknowledged.
    pub(crate) last: u64,
    /// The id of that one, if it was not a part.
    pub(crate) acknowledged: Option<CommitId>,
    /// What it was told of the next.
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Unknown(CommitId),
    Unavailable,
    Panicked,
}

/// What became of an invocation.
enum Ran {
    /// It is over, and more can be run.
    Over,
    Failed(Fate),
}

/// What a writer knows of itself.
#[derive(Debug)]
struct Progress {
    last: u64,
    acknowledged: Option<CommitId>,
    /// Parts of the present attempt.
    parts: u32,
}

impl Writer<'_> {
    /// Runs until the store takes no more; says what it was told then.
    pub(crate) fn run(&self) -> Result<Ended, Box<dyn Error>> {
        let mut progress = Progress {
            last: self.last,
            acknowledged: None,
            parts: 0,
        };
        loop {
            let ran = catch_unwind(AssertUnwindSafe(|| self.once(&mut progress)));
            self.crowd.leave();
            let fate = match ran {
                Ok(ran) => match ran? {
                    Ran::Over => continue,
                    Ran::Failed(fate) => fate,
                },
                Err(_) => Fate::Panicked,
            };
            self.say_fate(progress.last + 1, fate)?;
            return Ok(Ended {
                last: progress.last,
                acknowledged: progress.acknowledged,
                fate,
            });
        }
    }

    fn say_fate(&self, number: u64, fate: Fate) -> io::Result<()> {
        let writer = self.writer;
        say(&[match fate {
            Fate::Unknown(_) if self.plant == Some(Plant::UnknownAsUnavailable) => {
                Said::Unavailable { writer, number }
            }
            Fate::Unknown(commit) => Said::Unknown {
                writer,
                number,
                commit,
            },
            Fate::Unavailable => Said::Unavailable { writer, number },
            Fate::Panicked => Said::Panicked { writer, number },
        }])
    }

    fn once(&self, progress: &mut Progress) -> Result<Ran, Box<dyn Error>> {
        if self.plant == Some(Plant::RunTwice)
            && let failed @ Ran::Failed(_) = self.invocation(progress, true)?
        {
            return Ok(failed);
        }
        self.invocation(progress, false)
    }

    /// One invocation, committed. `silent`: nothing of it is said.
    fn invocation(&self, progress: &mut Progress, silent: bool) -> Result<Ran, Box<dyn Error>> {
        let mut attempts = 0;
        let ran = self.store.run(RunOptions::default(), |mut session| {
            attempts += 1;
            match self.attempt(&mut session, attempts, progress, silent) {
                Ok(number) => Attempt::Commit(session, Ok(number)),
                Err(error) => Attempt::Rollback(session, Err(error)),
            }
        });
        self.crowd.leave();
        match ran {
            Ok(done) => match done.value {
                Ok(number) => {
                    let commit = done.commit.map(|id| (id, done.attempts));
                    if !silent && self.plant != Some(Plant::UnsyncedAcknowledge) {
                        self.acknowledge(number, commit)?;
                    }
                    progress.last = number;
                    progress.acknowledged = done.commit;
                    Ok(Ran::Over)
                }
                Err(OpError::Failed(error)) if error.kind() == Kind::Unavailable => {
                    Ok(Ran::Failed(Fate::Unavailable))
                }
                Err(error) => Err(failed(error).into()),
            },
            Err(lost) if lost.parts() != progress.parts => Err(format!(
                "{lost}: {} parts stay, and {} had returned",
                lost.parts(),
                progress.parts
            )
            .into()),
            Err(lost) => match (lost.kind(), lost.commit()) {
                (Kind::UnknownOutcome, Some(id)) => Ok(Ran::Failed(Fate::Unknown(id))),
                (Kind::Unavailable, None) => Ok(Ran::Failed(Fate::Unavailable)),
                // Not run again, because of its parts: they are said, the rest is not there.
                (Kind::Conflict, None) if lost.parts() > 0 => Ok(Ran::Over),
                _ => Err(lost.into()),
            },
        }
    }

    /// One attempt of an invocation; returns the number of the commit that ends it.
    fn attempt(
        &self,
        session: &mut Session,
        attempts: u32,
        progress: &mut Progress,
        silent: bool,
    ) -> Result<u64, OpError> {
        self.crowd.leave();
        progress.parts = 0;
        let mut number = self.work.commit(session, self.namespaces, self.writer)?;
        if attempts > 1 && self.plant == Some(Plant::RerunApplied) {
            self.work
                .share(session, self.namespaces, self.writer, number)?;
        }
        for _ in 1..self.work.commits(self.writer, number) {
            self.part(session, &mut number)?;
            self.crowd.leave();
            progress.parts = session.parts();
            progress.last = number;
            progress.acknowledged = None;
            if !silent {
                self.acknowledge_in(number)?;
            }
            number = self.work.commit(session, self.namespaces, self.writer)?;
        }
        if !silent && self.plant == Some(Plant::UnsyncedAcknowledge) {
            self.acknowledge_in(number)?;
        }
        Ok(number)
    }

    /// Ends a part, however often others are faster.
    fn part(&self, session: &mut Session, number: &mut u64) -> Result<(), OpError> {
        loop {
            match session.part() {
                Err(OpError::Failed(lost)) if lost.kind() == Kind::Conflict => {
                    self.crowd.leave();
                    *number = self.work.commit(session, self.namespaces, self.writer)?;
                }
                ended => return ended,
            }
        }
    }

    /// As [`Writer::acknowledge`], within an invocation.
    fn acknowledge_in(&self, number: u64) -> Result<(), OpError> {
        let said = self.acknowledge(number, None);
        said.map_err(|error| {
            let text = "standard output";
            OpError::Failed(wasm_storage_engine::Error::with_source(
                Kind::Io,
                text,
                error,
            ))
        })
    }

    fn acknowledge(&self, number: u64, commit: Option<(CommitId, u32)>) -> io::Result<()> {
        self.points.pass(Point::BeforeAcknowledgement);
        if self.plant == Some(Plant::UnsyncedGroup) {
            return Ok(());
        }
        say(&[Said::Acknowledged {
            writer: self.writer,
            number,
            commit,
        }])
    }
}
