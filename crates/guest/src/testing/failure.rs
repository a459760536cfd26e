//! How an invocation failed, as its caller sees it.

use std::fmt;
use std::string::{String, ToString as _};

use wasm_storage_abi::Kind;
use wasm_storage_engine::{Error, RunError};
use wasm_storage_host::{FailedCall, GuestFailure};

/// Why an invocation left nothing behind but its parts.
#[derive(Debug)]
pub struct Failure {
    /// None: the guest's own doing.
    kind: Option<Kind>,
    text: String,
    parts: u32,
}

impl Failure {
    /// Of `finish(0)` and then a panic: what was written is committed, but there is
    /// no value to answer.
    pub(super) fn without_value() -> Failure {
        Failure {
            kind: None,
            text: String::from("the program committed with `finish` and panicked afterwards"),
            parts: 0,
        }
    }

    /// The kind, if it was the host that refused: [`Kind::Conflict`], for instance.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// [Parts](crate::part) that had ended before: they stay.
    pub fn parts(&self) -> u32 {
        self.parts
    }
}

/// What the caller of the program would be told.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            kind: Some(error.kind()),
            text: error.to_string(),
            parts: 0,
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Failure {
            kind: Some(error.kind()),
            text: error.to_string(),
            parts: error.parts(),
        }
    }
}

impl From<FailedCall> for Failure {
    fn from(mut failed: FailedCall) -> Self {
        // In tests, a panic is shown as what it says.
        if let GuestFailure::Aborted(text) = failed.why {
            failed.why = GuestFailure::Failed(text);
        }
        Failure {
            kind: None,
            text: failed.to_string(),
            parts: failed.parts,
        }
    }
}
