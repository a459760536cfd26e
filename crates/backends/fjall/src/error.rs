//! From fjall's errors to the engine's: a [`Kind`] that says what a caller can
//! do, and a text that begins with the store's path and says what was being done.

use std::io::{self, ErrorKind};
use std::path::Path;

use fjall::LsmError;
use wasm_storage_engine::{Error, Kind};

/// `error`, met while `doing` something with the store at `path`.
pub(crate) fn at(path: &Path, doing: &str, error: fjall::Error) -> Error {
    let here = |kind, what: &str| plain(kind, path, &format!("{doing}: {what}"));
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => {
            let kind = match error.kind() {
                // A file of the store is missing, too short or points nowhere.
                ErrorKind::NotFound
                | ErrorKind::UnexpectedEof
                | ErrorKind::InvalidData
                | ErrorKind::InvalidInput => Kind::Corrupt,
                _ => Kind::Io,
            };
            Error::with_source(kind, format!("{}: {doing}", path.display()), error)
        }
        fjall::Error::Locked => held(path),
        fjall::Error::JournalRecovery(error) => here(
            Kind::Corrupt,
            &format!("the journal has a batch that is not whole ({error:?})"),
        ),
        fjall::Error::InvalidVersion(Some(version)) => format(path, version.into()),
        fjall::Error::Poisoned => here(
            Kind::Unavailable,
            "an earlier write, sync or flush failed; reopen the store",
        ),
        fjall::Error::Storage(LsmError::ChecksumMismatch { .. }) => {
            here(Kind::Corrupt, "a checksum does not match")
        }
        other => here(Kind::Corrupt, &format!("the store is damaged ({other:?})")),
    }
}

/// An error of the operating system, met before fjall is asked.
pub(crate) fn io(path: &Path, doing: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        // A path that cannot be one.
        ErrorKind::InvalidInput | ErrorKind::InvalidFilename | ErrorKind::NotADirectory => {
            Kind::InvalidArgument
        }
        _ => Kind::Io,
    };
    Error::with_source(kind, format!("{}: {doing}", path.display()), error)
}

/// The store was written by another fjall.
pub(crate) fn format(path: &Path, format: u8) -> Error {
    plain(
        Kind::Unsupported,
        path,
        &format!("the store has fjall's format {format}, this program reads format 3"),
    )
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
pub(crate) fn unmarked(error: Error, why: io::Error) -> Error {
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
            (fjall::Error::Locked, Kind::Unavailable, "another process"),
            (fjall::Error::Poisoned, Kind::Unavailable, "reopen"),
            (
                fjall::Error::JournalRecovery(fjall::JournalRecoveryError::ChecksumMismatch),
                Kind::Corrupt,
                "ChecksumMismatch",
            ),
            (
                fjall::Error::InvalidVersion(Some(fjall::FormatVersion::V2)),
                Kind::Unsupported,
                "format 2",
            ),
            (fjall::Error::InvalidVersion(None), Kind::Corrupt, "opening"),
            (fjall::Error::Unrecoverable, Kind::Corrupt, "Unrecoverable"),
            (
                fjall::Error::Storage(LsmError::Unrecoverable),
                Kind::Corrupt,
                "Unrecoverable",
            ),
            (
                fjall::Error::Io(ErrorKind::PermissionDenied.into()),
                Kind::Io,
                "opening: permission denied",
            ),
            (
                fjall::Error::Storage(LsmError::Io(ErrorKind::StorageFull.into())),
                Kind::Io,
                "opening: no storage space",
            ),
            (
                fjall::Error::Io(ErrorKind::NotFound.into()),
                Kind::Corrupt,
                "not found",
            ),
            (
                fjall::Error::Io(ErrorKind::InvalidInput.into()),
                Kind::Corrupt,
                "opening",
            ),
            (
                fjall::Error::Decompress(fjall::CompressionType::None),
                Kind::Corrupt,
                "damaged",
            ),
        ];
        for (error, kind, text) in cases {
            let shown = format!("{error:?}");
            let error = at(path, "opening", error);
            assert_eq!(error.kind(), kind, "{shown}");
            let message = error.to_string();
            assert!(message.starts_with("data/store: "), "{message}");
            assert!(message.contains(text), "{message}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_one_is_the_callers_fault_and_a_denied_one_is_not() {
        for (met, kind) in [
            (ErrorKind::InvalidFilename, Kind::InvalidArgument),
            (ErrorKind::PermissionDenied, Kind::Io),
            (ErrorKind::ReadOnlyFilesystem, Kind::Io),
        ] {
            let error = io(Path::new("data/store"), "making the folder", met.into());
            assert_eq!(error.kind(), kind);
            let message = error.to_string();
            assert!(
                message.starts_with("data/store: making the folder: "),
                "{message}"
            );
        }
    }
}
