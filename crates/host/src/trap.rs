//! Why a host call ends the guest instead of answering it with a status.

use std::fmt;

use wasm_storage_engine::Error;

/// The runtime turns it into its own trap; the invocation is rolled back.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trap {
    /// A range that the guest named is not all inside its memory.
    OutOfBounds {
        /// The import.
        import: &'static str,
        /// Where the range starts.
        pointer: u32,
        /// Its length in bytes.
        length: u32,
        /// Size of the memory in bytes.
        memory: usize,
    },
    /// A call outside an invocation.
    NoInvocation {
        /// The import.
        import: &'static str,
    },
    /// A call after `finish`.
    Finished {
        /// The import.
        import: &'static str,
    },
    /// The guest called `abort`, now or before.
    Aborted,
    /// The invocation can no longer commit and must run again.
    Doomed,
    /// The invocation's deadline passed within a host call.
    Overdue,
    /// An import without a status cannot answer otherwise (those of 2020).
    Refused {
        /// The import.
        import: &'static str,
        /// Why.
        error: Error,
    },
    /// A defect of the host.
    Internal(Error),
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::OutOfBounds {
                import,
                pointer,
                length,
                memory,
            } => write!(
                f,
                "{import}: {length} bytes at {pointer:#x} are not inside the guest's memory of {memory} bytes"
            ),
            Trap::NoInvocation { import } => write!(f, "{import}: no invocation"),
            Trap::Finished { import } => write!(f, "{import}: called after finish"),
            Trap::Aborted => f.write_str("the guest aborted the call"),
            Trap::Doomed => f.write_str("the call cannot commit any more"),
            Trap::Overdue => f.write_str("the deadline of the call has passed"),
            Trap::Refused { import, error } => write!(f, "{import}: {error}"),
            Trap::Internal(error) => write!(f, "defect in the host: {error}"),
        }
    }
}

impl std::error::Error for Trap {}
