//! What can go wrong, as a value without memory of its own: which function, at
//! which key, and why.
//!
//! Invariant: making and passing an [`Error`] allocates nothing and links no text,
//! no `core::fmt` and no panic path. Its text is joined from pieces (`text.rs`), in
//! programs that ask for it: by `end`, or by `Display`, which links `core::fmt`.

use core::fmt;

use wasm_storage_abi::Kind;

use crate::host::status_of;
use crate::sys;
use crate::text::{HOLDS_NOTHING, Line, write_key};
use crate::unreadable::{TypeName, Unreadable};

/// Result of a storage operation.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// A failed storage operation: the function's name, the key and the reason.
///
/// ```
/// use rust_storage_interface_library::{Kind, load, store};
///
/// let key = store::store_single_i32(3);
/// let error = load::try_load_single_i64(key).unwrap_err();
/// assert_eq!(error.kind(), Kind::TypeMismatch);
/// assert!(error.to_string().ends_with("holds i32, not i64"), "{error}");
/// ```
#[derive(Clone, Copy)]
pub struct Error {
    operation: &'static str,
    cause: Cause,
    /// How many bytes the key has, and the first of them.
    key_len: usize,
    key: [u8; Error::KEY_BYTES],
}

/// Why. Fields of 32 bits only: narrower ones cost a Wasm program many instructions.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Cause {
    /// A negative status of the host, and the number of the failure.
    Host { status: i32, failure: u32 },
    /// Nothing is stored.
    Absent,
    /// Something else is stored.
    Unreadable(Unreadable),
    /// Anything else: the status code of its kind, and what follows the key.
    Other { status: i32, text: &'static str },
}

impl Error {
    const KEY_BYTES: usize = 48;

    /// A negative status that the host has just answered.
    #[inline]
    pub(crate) fn host(operation: &'static str, key: &[u8], status: i32) -> Error {
        Error::answered(operation, key, status, TypeName::of(0), TypeName::of(0))
    }

    /// What the host has just answered: a negative status, or an entry of another
    /// type. One function for both, that small programs link.
    #[cold]
    #[inline(never)]
    pub(crate) fn answered(
        operation: &'static str,
        key: &[u8],
        status: i32,
        found: TypeName,
        expected: TypeName,
    ) -> Error {
        let cause = if status < 0 {
            let failure = sys::count_failure();
            Cause::Host { status, failure }
        } else {
            Cause::Unreadable(Unreadable::Type { found, expected })
        };
        Error::new(operation, key, cause)
    }

    /// No entry where one must be.
    #[cold]
    pub(crate) fn absent(operation: &'static str, key: &[u8]) -> Error {
        Error::new(operation, key, Cause::Absent)
    }

    /// An entry that is no value of the wanted type.
    #[cold]
    pub(crate) fn unreadable(operation: &'static str, key: &[u8], why: Unreadable) -> Error {
        Error::new(operation, key, Cause::Unreadable(why))
    }

    /// Anything else; `text` follows the key.
    #[cold]
    pub(crate) fn other(
        operation: &'static str,
        key: &[u8],
        kind: Kind,
        text: &'static str,
    ) -> Error {
        let status = status_of(kind);
        Error::new(operation, key, Cause::Other { status, text })
    }

    /// Any cause.
    #[inline]
    fn new(operation: &'static str, key: &[u8], cause: Cause) -> Error {
        let mut error = Error {
            operation,
            cause,
            key_len: key.len(),
            key: [0; Error::KEY_BYTES],
        };
        let len = key.len().min(Error::KEY_BYTES);
        if let (Some(to), Some(from)) = (error.key.get_mut(..len), key.get(..len)) {
            to.copy_from_slice(from);
        }
        error
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> Kind {
        match self.cause {
            Cause::Host { status, .. } | Cause::Other { status, .. } => {
                // A status of a later host: the call failed, more is not known.
                Kind::from_status(status).unwrap_or(Kind::Internal)
            }
            Cause::Absent => Kind::NotFound,
            Cause::Unreadable(why) => match why.settled() {
                Unreadable::Type { .. } => Kind::TypeMismatch,
                Unreadable::Version { .. } => Kind::Unsupported,
                Unreadable::Corrupt => Kind::Corrupt,
            },
        }
    }

    /// The function that failed, such as `Map::get`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Why the stored entry could not be read, if that was it.
    pub fn unreadable_entry(&self) -> Option<Unreadable> {
        match self.cause {
            Cause::Unreadable(why) => Some(why.settled()),
            _ => None,
        }
    }

    /// Ends the invocation with this error's text. Nothing that the call has
    /// written stays.
    ///
    /// Host calls: `abort`, before it `error_text` if the host reported the failure.
    #[cold]
    #[inline(never)]
    pub fn end(&self) -> ! {
        let mut line = Line::new();
        self.write(&mut line);
        line.end()
    }

    #[inline(never)]
    fn write(&self, out: &mut Line) {
        out.begin(self.operation);
        let start = self.key.get(..self.key_len);
        write_key(start.unwrap_or(&self.key), start.is_none(), out);
        match self.cause {
            // Of an earlier failure, the host has no text any more.
            Cause::Host { failure, .. } if failure == sys::last_failure() => out.host_text(),
            Cause::Host { .. } => out.text("failed"),
            Cause::Absent => out.text(HOLDS_NOTHING),
            Cause::Unreadable(why) => why.write(out),
            Cause::Other { text, .. } => out.text(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line::new();
        self.write(&mut line);
        line.fmt(f)
    }
}

/// The kind and the text.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}, {self})", self.kind().name())
    }
}

impl core::error::Error for Error {}
