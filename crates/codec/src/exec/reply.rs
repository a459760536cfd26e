//! Replies: `{status i32, len u32, bytes}` for each operation, in order,
//! little-endian.
//!
//! Invariant: the reader ends where the bytes end, it does not panic. There are
//! fewer replies than operations if the command stopped on an error.

use alloc::vec::Vec;

use wasm_storage_abi::wire::exec::REPLY_HEADER_BYTES;

use crate::bytes::{take_array, take_counted, wire_len};

/// The reply to one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// 0 or more: it went well; negative: a status code.
    pub status: i32,
    /// The answer; an operation without one has none.
    pub bytes: &'a [u8],
}

/// The replies to a command, as a guest reads them.
#[derive(Clone, Debug)]
pub struct Replies<'a> {
    rest: &'a [u8],
}

impl<'a> Replies<'a> {
    /// Replies in `bytes`, one after the other.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Replies { rest: bytes }
    }

    /// The bytes not read yet; empty after the last reply of a sound sequence.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Replies<'a> {
    type Item = Reply<'a>;

    #[inline]
    fn next(&mut self) -> Option<Reply<'a>> {
        let mut at = self.rest;
        let status = i32::from_le_bytes(take_array(&mut at)?);
        let bytes = take_counted(&mut at)?;
        self.rest = at;
        Some(Reply { status, bytes })
    }
}

/// Builds the replies, for hosts.
#[derive(Debug)]
pub struct ReplyWriter<'v> {
    bytes: &'v mut Vec<u8>,
}

impl<'v> ReplyWriter<'v> {
    /// Clears `bytes` and begins in it.
    pub fn new(bytes: &'v mut Vec<u8>) -> Self {
        bytes.clear();
        ReplyWriter { bytes }
    }

    /// Whether all replies with one more of this length are at most `cap` bytes.
    pub fn fits(&self, len: usize, cap: usize) -> bool {
        self.bytes
            .len()
            .saturating_add(REPLY_HEADER_BYTES)
            .saturating_add(len)
            <= cap
    }

    /// Appends a reply.
    pub fn push(&mut self, status: i32, bytes: &[u8]) {
        self.bytes.extend_from_slice(&status.to_le_bytes());
        self.bytes
            .extend_from_slice(&wire_len(bytes.len()).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is no reply yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
