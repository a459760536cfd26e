//! How an invocation failed, as its caller sees it.

use std::fmt;
use std::string::{String, ToString as _};

use wasm_storage_abi::Kind;
use wasm_storage_engine::Error;
use wasm_storage_host::GuestFailure;

/// Why an invocation left nothing behind.
#[derive(Debug)]
pub struct Failure {
    /// None: the guest's own doing.
    kind: Option<Kind>,
    text: String,
}

impl Failure {
    /// Of `finish(0)` and then a panic: what was written is committed, but there is
    /// no value to answer.
    pub(super) fn without_value() -> Failure {
        Failure {
            kind: None,
            text: String::from("the program committed with `finish` and panicked afterwards"),
        }
    }

    /// The kind, if it was the host that refused: [`Kind::Conflict`], for instance.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
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
        }
    }
}

impl From<GuestFailure> for Failure {
    fn from(failure: GuestFailure) -> Self {
        match failure {
            GuestFailure::Failed(text) | GuestFailure::Aborted(text) => {
                Failure { kind: None, text }
            }
            GuestFailure::Conflict => Failure {
                kind: Some(Kind::Conflict),
                text: failure.to_string(),
            },
            other => Failure {
                kind: None,
                text: other.to_string(),
            },
        }
    }
}
