//! From redb's errors to the engine's: a [`Kind`] that says what a caller can do,
//! and a text that begins with the store's path and says what was being done.

use std::io::ErrorKind;
use std::path::Path;

use wasm_storage_engine::{Error, Kind};

/// How redb begins to say that a file has a format that it does not know.
const NEWER: &str = "Expected file format version";

/// `error`, met while `doing` something with the store at `path`.
pub(crate) fn at(path: &Path, doing: &str, error: impl Into<redb::Error>) -> Error {
    let here = |kind, what: &str| plain(kind, path, &format!("{doing}: {what}"));
    match error.into() {
        redb::Error::Io(error) => {
            let kind = match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::InvalidData => Kind::Corrupt,
                _ => Kind::Io,
            };
            Error::with_source(kind, format!("{}: {doing}", path.display()), error)
        }
        redb::Error::DatabaseAlreadyOpen => held(path),
        redb::Error::UpgradeRequired(version) => here(
            Kind::Unsupported,
            &format!("the file has redb's format {version}, which this program does not read"),
        ),
        // redb has no error of its own for this.
        redb::Error::Corrupted(what) if what.starts_with(NEWER) => here(Kind::Unsupported, &what),
        redb::Error::Corrupted(what) => here(Kind::Corrupt, &what),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => here(
            Kind::Unavailable,
            "an earlier write or sync failed; reopen the store",
        ),
        other => here(Kind::Corrupt, &other.to_string()),
    }
}

/// An error of the operating system, met by this adapter.
pub(crate) fn io(path: &Path, doing: &str, error: std::io::Error) -> Error {
    at(path, doing, redb::Error::Io(error))
}

/// The store is open elsewhere.
pub(crate) fn held(path: &Path) -> Error {
    plain(
        Kind::Unavailable,
        path,
        "the store is held by another process",
    )
}

/// A write failed, and the store could not be marked.
pub(crate) fn unmarked(error: Error, why: std::io::Error) -> Error {
    let text = format!(
        "{error}; and the store could not be marked for a check, so check it before it is used \
         again"
    );
    Error::with_source(error.kind(), text, why)
}

/// An error of this adapter.
pub(crate) fn plain(kind: Kind, path: &Path, text: &str) -> Error {
    Error::new(kind, format!("{}: {text}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_names_the_path_and_what_was_done() {
        let path = Path::new("data/store");
        let cases = [
            (redb::Error::DatabaseAlreadyOpen, Kind::Unavailable, "held"),
            (
                redb::Error::UpgradeRequired(2),
                Kind::Unsupported,
                "format 2",
            ),
            (
                redb::Error::Corrupted("page 7".into()),
                Kind::Corrupt,
                "page 7",
            ),
            (redb::Error::PreviousIo, Kind::Unavailable, "reopen"),
            (
                redb::Error::Io(ErrorKind::PermissionDenied.into()),
                Kind::Io,
                "opening",
            ),
            (
                redb::Error::Io(ErrorKind::InvalidData.into()),
                Kind::Corrupt,
                "opening",
            ),
        ];
        for (error, kind, text) in cases {
            let error = at(path, "opening", error);
            assert_eq!(error.kind(), kind, "{error}");
            let message = error.to_string();
            assert!(message.starts_with("data/store: "), "{message}");
            assert!(message.contains(text), "{message}");
        }
    }
}
