//! From how the guest's code ended to commit or rollback: the same rules on every
//! runtime.
//!
//! | the guest | then |
//! |---|---|
//! | returned, without `finish` | commit |
//! | called `finish(0)`, and returned or trapped afterwards | commit; the trap is reported beside the result |
//! | called `finish(1)` or `abort` | roll back, its text to the caller |
//! | trapped, ran out of time or memory | roll back |
//! | did any of these after its session was over | commit, which says how it ended |
//!
//! A session is over when it lost to another (it is run again), or when the outcome
//! of a part of it is unknown. Rolling back undoes what follows the last part; the
//! parts stay, and the caller is told how many.
//!
//! All guest code and all reading of guest memory is over when this is asked.

use std::fmt;
use std::time::Duration;

use wasm_storage_engine::Attempt;

use crate::invocation::Invocation;

/// What the guest has said about the end of its call.
#[derive(Debug)]
pub(crate) enum End {
    Running,
    /// `finish(0)`, with the result.
    Finished(Vec<u8>),
    /// `finish(1)`, with the error text.
    Failed(String),
    /// `abort`, with the message.
    Aborted(String),
}

/// How the guest's code ended, as the runtime saw it.
#[derive(Debug)]
pub enum GuestEnd {
    /// It returned.
    Returned,
    /// It did not: a trap, in the runtime's words.
    Trapped(String),
    /// It was stopped: it had not returned after this time.
    Deadline(Duration),
    /// It was stopped by a defect of the host.
    Defect(String),
}

/// What a call that committed answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The bytes of `finish`; `None` if the guest did not call it.
    pub result: Option<Vec<u8>>,
    /// How the guest's code ended if it did not return after `finish(0)`.
    pub trap: Option<String>,
}

/// Why a call was rolled back. Nothing of it stays but the parts that it had ended.
#[derive(Debug, PartialEq, Eq)]
pub enum GuestFailure {
    /// The guest reported an error (`finish` with status 1).
    Failed(String),
    /// The guest aborted, for instance because of a panic.
    Aborted(String),
    /// The guest trapped.
    Trapped(String),
    /// The guest was not done after this time.
    Deadline(Duration),
    /// Its end was decided before the guest's: committing the session says how.
    Over,
    /// The guest was stopped by a defect of the host.
    Defect(String),
}

impl fmt::Display for GuestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestFailure::Failed(text) if text.is_empty() => {
                f.write_str("the guest failed and gave no reason")
            }
            GuestFailure::Failed(text) => f.write_str(text),
            GuestFailure::Aborted(text) => write!(f, "the guest aborted: {text}"),
            GuestFailure::Trapped(text) => write!(f, "the guest trapped: {text}"),
            GuestFailure::Deadline(limit) => {
                write!(f, "the guest was not done after {limit:?} and was stopped")
            }
            GuestFailure::Over => f.write_str("the store has ended the call"),
            GuestFailure::Defect(text) => write!(f, "defect in the host: {text}"),
        }
    }
}

impl std::error::Error for GuestFailure {}

/// A call that its guest did not bring to an end, as the caller is told.
#[derive(Debug, PartialEq, Eq)]
pub struct FailedCall {
    /// What the guest did, or what was done to it.
    pub why: GuestFailure,
    /// Parts that it had ended: they stay.
    pub parts: u32,
    /// How often the call ran. In every attempt but the last, another call was faster.
    pub attempts: u32,
}

impl fmt::Display for FailedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        // The time went to all attempts together.
        if let (GuestFailure::Deadline(_), Some(lost @ 1..)) =
            (&self.why, self.attempts.checked_sub(1))
        {
            let attempt = self.attempts;
            let before = match lost {
                1 => "another call was faster in the one before".into(),
                _ => format!("other calls were faster in the {lost} before"),
            };
            write!(f, " (attempt {attempt}; {before})")?;
        }
        match self.parts {
            0 => Ok(()),
            1 => f.write_str("; 1 part of the call stays"),
            parts => write!(f, "; {parts} parts of the call stay"),
        }
    }
}

impl std::error::Error for FailedCall {}

impl Invocation {
    /// Ends the invocation: the session comes back to be committed or rolled back,
    /// with the answer for the caller.
    pub fn end(self, guest: GuestEnd) -> Attempt<Result<Reply, GuestFailure>> {
        let (session, said) = (self.session, self.end);
        // Commit says how a session ended that is over, whatever the guest made of it.
        if session.is_over() {
            return Attempt::Commit(session, Err(GuestFailure::Over));
        }
        let failure = match (said, guest) {
            (End::Finished(result), guest) => {
                let reply = Reply {
                    result: Some(result),
                    trap: match guest {
                        GuestEnd::Returned => None,
                        GuestEnd::Trapped(text) | GuestEnd::Defect(text) => Some(text),
                        GuestEnd::Deadline(limit) => {
                            Some(GuestFailure::Deadline(limit).to_string())
                        }
                    },
                };
                return Attempt::Commit(session, Ok(reply));
            }
            (End::Running, GuestEnd::Returned) => {
                return Attempt::Commit(session, Ok(Reply::default()));
            }
            (End::Failed(text), _) => GuestFailure::Failed(text),
            (End::Aborted(text), _) => GuestFailure::Aborted(text),
            (End::Running, GuestEnd::Trapped(text)) => GuestFailure::Trapped(text),
            (End::Running, GuestEnd::Deadline(limit)) => GuestFailure::Deadline(limit),
            (End::Running, GuestEnd::Defect(text)) => GuestFailure::Defect(text),
        };
        Attempt::Rollback(session, Err(failure))
    }
}
