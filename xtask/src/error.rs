//! What a command failed at, and what the reader can do about it.
//!
//! One type for all commands: nobody but a person reads these errors, so they carry text and no
//! kinds.

use std::fmt;
use std::path::Path;

/// The result of every step of a command.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A failed step.
#[derive(Debug)]
pub(crate) struct Error {
    what: String,
    remedy: Option<String>,
}

impl Error {
    /// An error that names the thing that failed.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            remedy: None,
        }
    }

    /// Adds what the reader can do.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n  remedy: {remedy}"),
            None => Ok(()),
        }
    }
}

/// Names the file or folder at which an I/O error happened.
pub(crate) trait At<T> {
    /// `doing` is a verb phrase: "read", "make the folder".
    fn at(self, doing: &str, path: &Path) -> Result<T>;
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, doing: &str, path: &Path) -> Result<T> {
        self.map_err(|error| Error::new(format!("cannot {doing} {}: {error}", path.display())))
    }
}
