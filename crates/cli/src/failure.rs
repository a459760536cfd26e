//! Why a command ends before its end, and what exit code that is. The codes are
//! those of `wasm_storage_abi::kind::exit`; `--help` lists them.

use std::fmt;
use std::io;

use wasm_storage_abi::kind::exit;
use wasm_storage_engine::{Error, Kind, OpError};
use wasm_storage_host::{FailedCall, GuestFailure};
use wasm_storage_wasmtime::{CallError, LoadError};

/// Why a command ends.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command or the module is at fault.
    Usage(String),
    /// The guest failed; nothing of its call stays but its parts.
    Guest(FailedCall),
    /// What was asked for is not in the store.
    Missing(String),
    /// The store cannot be opened.
    Opening(Error),
    /// The store failed; its error's kind says the exit code.
    Store(Error),
    /// A result could not be written to standard output.
    Output(io::Error),
}

impl Failure {
    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => exit::USAGE,
            Failure::Guest(failed) => match failed.why {
                GuestFailure::Defect(_) => exit::STORE,
                _ => exit::GUEST,
            },
            Failure::Missing(_) => exit::GUEST,
            Failure::Opening(_) | Failure::Output(_) => exit::STORE,
            Failure::Store(error) => error.kind().exit_code(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) | Failure::Missing(text) => f.write_str(text),
            Failure::Guest(failed) => failed.fmt(f),
            Failure::Opening(error) | Failure::Store(error) => error.fmt(f),
            Failure::Output(error) => {
                write!(
                    f,
                    "the result could not be written to standard output: {error}"
                )
            }
        }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Usage(text) => Failure::Usage(text),
            CallError::Refused(error) => Failure::Store(error),
            CallError::Guest(failed) => Failure::Guest(failed),
            // Its text names the commit in question, and the parts that stay.
            CallError::Store(error) => Failure::Store(error.into()),
        }
    }
}

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Failed(error) => Failure::Store(error),
            // Neither befalls a session that reads only and has no deadline.
            OpError::Doomed | OpError::Overdue => Failure::Store(Error::new(
                Kind::Conflict,
                "other calls were faster until the deadline",
            )),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Store(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(why: GuestFailure, parts: u32) -> Failure {
        Failure::Guest(FailedCall {
            why,
            parts,
            attempts: 1,
        })
    }

    #[test]
    fn what_the_store_reports_has_the_exit_code_of_its_kind() {
        for (kind, code) in [
            (Kind::Conflict, 4),
            (Kind::UnknownOutcome, 5),
            (Kind::Io, 3),
            (Kind::Unavailable, 3),
            (Kind::NoSuchNamespace, 2),
            (Kind::TooLarge, 1),
        ] {
            let failure = Failure::from(Error::new(kind, "text"));
            assert_eq!(failure.exit_code(), code, "{failure:?}");
        }
    }

    #[test]
    fn a_defect_of_the_host_is_not_the_guests_fault() {
        assert_eq!(guest(GuestFailure::Defect("text".into()), 0).exit_code(), 3);
        assert_eq!(
            guest(GuestFailure::Trapped("text".into()), 0).exit_code(),
            1
        );
    }

    #[test]
    fn a_guest_that_gives_no_reason_gets_a_sentence() {
        let failed = || GuestFailure::Failed(String::new());
        assert_eq!(
            guest(failed(), 0).to_string(),
            "the guest failed and gave no reason"
        );
        assert_eq!(
            guest(failed(), 2).to_string(),
            "the guest failed and gave no reason; 2 parts of the call stay"
        );
    }
}
