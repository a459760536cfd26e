//! The two byte sequences of `exec`: the command that a guest sends, and the
//! replies that it gets (`reply.rs`).
//!
//! Command: `{version u8, flags u8, count u16}`, then for each operation
//! `{op u8, flags u8, ns u16, klen u32, vlen u32, key, body}`, little-endian,
//! nothing behind the last. `vlen` is the length of the *whole body*: the fixed
//! fields in the order of their flag bits, then the value, which is what is left.
//! Invariant: so an operation can be skipped without knowing its code, and
//! [`Command::parse`] has walked all of them: once it accepts, only single
//! bodies can be wrong.
//!
//! Bodies stand in `operation.rs`, the writer for guests in `builder.rs`. Elsewhere: op codes and flags are
//! `wasm_storage_abi::wire::exec`; what operations do is the host's.

mod builder;
mod operation;
mod reply;

use core::fmt;

use wasm_storage_abi::limits::BATCH_OPERATIONS;
use wasm_storage_abi::wire::exec;

use crate::buf::KeyBuf;
use crate::bytes::{take, take_array, take_u32};

pub use builder::CommandBuilder;
pub use operation::{Body, Operation, Ttl};
pub use reply::{Replies, Reply, ReplyWriter};

/// Why bytes are not a command, or a body not one of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The bytes end too early.
    Truncated,
    /// Bytes follow behind the last operation.
    TrailingBytes,
    /// The version is not 1.
    UnknownVersion,
    /// Flag bits that are not assigned, of the command or of an operation.
    UnknownFlags,
    /// More operations than `limits::BATCH_OPERATIONS`. (TOO_LARGE; all others
    /// are INVALID_ARGUMENT.)
    TooMany,
    /// A body does not have the fields of its operation, or they contradict each other.
    BadBody,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Truncated => f.write_str("command ends too early"),
            CommandError::TrailingBytes => f.write_str("bytes behind the last operation"),
            CommandError::UnknownVersion => {
                write!(f, "command version is not {}", exec::VERSION)
            }
            CommandError::UnknownFlags => f.write_str("unknown flags in a command"),
            CommandError::TooMany => {
                write!(f, "more than {BATCH_OPERATIONS} operations in a command")
            }
            CommandError::BadBody => f.write_str("body does not fit its operation"),
        }
    }
}

impl core::error::Error for CommandError {}

/// A command as a host reads it.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// `STOP_ON_ERROR`, `ATOMIC`.
    pub flags: u8,
    count: u16,
    operations: &'a [u8],
}

impl<'a> Command<'a> {
    /// Reads the header and walks the operations; their bodies are not looked at.
    pub fn parse(mut bytes: &'a [u8]) -> Result<Command<'a>, CommandError> {
        let [version, flags, count @ ..] =
            take_array::<{ exec::HEADER_BYTES }>(&mut bytes).ok_or(CommandError::Truncated)?;
        if version != exec::VERSION {
            return Err(CommandError::UnknownVersion);
        }
        if flags & !exec::ALL != 0 {
            return Err(CommandError::UnknownFlags);
        }
        let count = u16::from_le_bytes(count);
        if usize::from(count) > BATCH_OPERATIONS {
            return Err(CommandError::TooMany);
        }
        let mut rest = bytes;
        for _ in 0..count {
            Frame::take(&mut rest).ok_or(CommandError::Truncated)?;
        }
        if !rest.is_empty() {
            return Err(CommandError::TrailingBytes);
        }
        Ok(Command {
            flags,
            count,
            operations: bytes,
        })
    }

    /// How many operations.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether a flag bit is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The operations, [`count`](Command::count) of them. A bad one is an error
    /// of its own (`UnknownFlags`, `BadBody`), and those behind it still come.
    pub fn operations(&self) -> Operations<'a> {
        Operations {
            rest: self.operations,
        }
    }
}

/// The operations of a [`Command`], in order.
#[derive(Clone, Debug)]
pub struct Operations<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Operations<'a> {
    type Item = Result<Operation<'a>, CommandError>;

    fn next(&mut self) -> Option<Self::Item> {
        // `parse` has seen that the frames fill the bytes.
        Frame::take(&mut self.rest).map(|frame| Operation::from_frame(&frame))
    }
}

/// An operation whose body is not decoded yet.
struct Frame<'a> {
    op: u8,
    flags: u8,
    ns: u16,
    key: &'a [u8],
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    fn take(from: &mut &'a [u8]) -> Option<Frame<'a>> {
        let mut at = *from;
        let [op, flags, ns @ ..] = take_array::<4>(&mut at)?;
        let key_len = take_u32(&mut at)?;
        let body_len = take_u32(&mut at)?;
        let key = take(&mut at, key_len)?;
        let body = take(&mut at, body_len)?;
        *from = at;
        Some(Frame {
            op,
            flags,
            ns: u16::from_le_bytes(ns),
            key,
            body,
        })
    }
}

/// Writes a command's header. For writers that learn the count at the end, see
/// [`set_count`].
#[inline]
pub fn write_header(flags: u8, count: u16, out: &mut KeyBuf<'_>) {
    out.push(exec::VERSION);
    out.push(flags);
    out.extend(&count.to_le_bytes());
}

/// Sets the count in a command's header. Without a header nothing happens.
#[inline]
pub fn set_count(command: &mut [u8], count: u16) {
    if let Some([_, _, low, high]) = command.first_chunk_mut::<{ exec::HEADER_BYTES }>() {
        [*low, *high] = count.to_le_bytes();
    }
}
