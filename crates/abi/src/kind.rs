//! Error kinds. A kind is what the engine reports, what a guest sees as a
//! negative status, and what the command line turns into its exit code: one
//! table, so that no product has a list of its own.

/// What went wrong, as far as a caller can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing is stored under the key.
    NotFound,
    /// A handle, a flag or a byte sequence makes no sense.
    InvalidArgument,
    /// The stored entry has another type than the operation needs.
    TypeMismatch,
    /// A size limit is exceeded (`limits`).
    TooLarge,
    /// The namespace does not exist.
    NoSuchNamespace,
    /// The host did not grant this.
    Denied,
    /// A precondition of the operation does not hold.
    CheckFailed,
    /// Another invocation was faster; run again.
    Conflict,
    /// A number would leave its range.
    Overflow,
    /// The namespace's quota is used up.
    Quota,
    /// Not now: the store is closed, poisoned, held by another process or unreachable.
    Unavailable,
    /// The store or session takes no writes.
    ReadOnly,
    /// This host or store cannot do it.
    Unsupported,
    /// Stored bytes are not what they must be.
    Corrupt,
    /// A commit was sent and may or may not have happened.
    UnknownOutcome,
    /// The device or the operating system failed.
    Io,
    /// A defect of the host. A guest never sees it as a status: its call traps.
    Internal,
}

/// What a caller can do about a [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Run the same call again.
    Retry,
    /// Ask the store whether the commit happened, then decide.
    Ask,
    /// Change the call.
    MendCall,
    /// Look after the store.
    MendStore,
    /// Report a defect.
    Report,
}

macro_rules! kinds {
    ($($kind:ident $code:literal $name:literal $remedy:ident $exit:literal;)*) => {
        impl Kind {
            /// Every kind, in the order of the status codes; `Internal` is last.
            pub const ALL: &'static [Kind] = &[$(Kind::$kind,)* Kind::Internal];

            /// The status a guest sees: negative. `None` for [`Kind::Internal`].
            pub const fn status(self) -> Option<i32> {
                match self {
                    $(Kind::$kind => Some($code),)*
                    Kind::Internal => None,
                }
            }

            /// The kind of a status, `None` if the number is no error status.
            pub const fn from_status(status: i32) -> Option<Kind> {
                match status {
                    $($code => Some(Kind::$kind),)*
                    _ => None,
                }
            }

            /// The name used in documents and messages, such as `NOT_FOUND`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Kind::$kind => $name,)*
                    Kind::Internal => "INTERNAL",
                }
            }

            /// What a caller can do.
            pub const fn remedy(self) -> Remedy {
                match self {
                    $(Kind::$kind => Remedy::$remedy,)*
                    Kind::Internal => Remedy::Report,
                }
            }

            /// Exit code of the command line when the *host* ends with this kind.
            pub const fn exit_code(self) -> u8 {
                match self {
                    $(Kind::$kind => $exit,)*
                    Kind::Internal => exit::STORE,
                }
            }
        }
    };
}

/// Exit codes of the command line.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// The guest failed or aborted; nothing of it stays.
    pub const GUEST: u8 = 1;
    /// The command or the module is at fault.
    pub const USAGE: u8 = 2;
    /// The store is at fault.
    pub const STORE: u8 = 3;
    /// Other invocations were faster until the deadline.
    pub const CONFLICT: u8 = 4;
    /// The commit may or may not have happened.
    pub const UNKNOWN: u8 = 5;
    /// Interrupted.
    pub const INTERRUPTED: u8 = 130;
}

kinds! {
    NotFound        -1  "NOT_FOUND"         MendCall  1;
    InvalidArgument -2  "INVALID_ARGUMENT"  MendCall  2;
    TypeMismatch    -3  "TYPE_MISMATCH"     MendCall  1;
    TooLarge        -4  "TOO_LARGE"         MendCall  1;
    NoSuchNamespace -5  "NO_SUCH_NAMESPACE" MendCall  2;
    Denied          -6  "DENIED"            MendCall  2;
    CheckFailed     -7  "CHECK_FAILED"      MendCall  1;
    Conflict        -8  "CONFLICT"          Retry     4;
    Overflow        -9  "OVERFLOW"          MendCall  1;
    Quota           -10 "QUOTA"             MendCall  3;
    Unavailable     -11 "UNAVAILABLE"       Retry     3;
    ReadOnly        -12 "READ_ONLY"         MendCall  3;
    Unsupported     -13 "UNSUPPORTED"       MendCall  2;
    Corrupt         -14 "CORRUPT"           MendStore 3;
    UnknownOutcome  -15 "UNKNOWN_OUTCOME"   Ask       5;
    Io              -16 "IO"                MendStore 3;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_minus_one_to_minus_sixteen_and_invert() {
        for (i, kind) in Kind::ALL.iter().enumerate() {
            if *kind == Kind::Internal {
                assert_eq!(kind.status(), None);
                continue;
            }
            let status = kind.status().unwrap();
            assert_eq!(status, -(i32::try_from(i).unwrap() + 1));
            assert_eq!(Kind::from_status(status), Some(*kind));
        }
        for other in [0, 1, -17, i32::MIN, i32::MAX] {
            assert_eq!(Kind::from_status(other), None);
        }
    }

    #[test]
    fn names_differ_and_exit_codes_are_documented_ones() {
        for (i, a) in Kind::ALL.iter().enumerate() {
            assert!(Kind::ALL.iter().skip(i + 1).all(|b| a.name() != b.name()));
            assert!((exit::GUEST..=exit::UNKNOWN).contains(&a.exit_code()));
        }
    }
}
