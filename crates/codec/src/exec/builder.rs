//! Commands written by a guest, into memory of a fixed size. A guest that lets
//! its buffer grow writes [`Operation`]s behind a header instead.
//!
//! Invariant: what [`CommandBuilder::finish`] gives is whole, and its count is true.

use wasm_storage_abi::limits::BATCH_OPERATIONS;

use super::{Body, Operation, Ttl, set_count, write_header};
use crate::buf::KeyBuf;

/// Builds a command, for guests.
///
/// ```
/// use wasm_storage_codec::exec::{Command, CommandBuilder};
///
/// let mut memory = [0; 64];
/// let mut command = CommandBuilder::new(&mut memory, 0);
/// command.get(0, b"k");
/// command.put(0, b"k", b"value");
/// let bytes = command.finish().unwrap();
/// assert_eq!(Command::parse(bytes).unwrap().count(), 2);
/// ```
#[derive(Debug)]
pub struct CommandBuilder<'b> {
    out: KeyBuf<'b>,
    count: usize,
}

impl<'b> CommandBuilder<'b> {
    /// Begins a command in `memory`; `flags` are `STOP_ON_ERROR`, `ATOMIC`.
    #[inline]
    pub fn new(memory: &'b mut [u8], flags: u8) -> Self {
        let mut out = KeyBuf::new(memory);
        write_header(flags, 0, &mut out);
        CommandBuilder { out, count: 0 }
    }

    /// Appends any operation.
    #[inline]
    pub fn push(&mut self, ns: u16, key: &[u8], body: Body<'_>) {
        Operation::new(ns, key, body).write(&mut self.out);
        self.count = self.count.saturating_add(1);
    }

    /// Value under a key.
    #[inline]
    pub fn get(&mut self, ns: u16, key: &[u8]) {
        self.push(ns, key, Body::Get);
    }

    /// Store a value, blindly. For conditions and a time to live, see [`push`](Self::push).
    #[inline]
    pub fn put(&mut self, ns: u16, key: &[u8], value: &[u8]) {
        let body = Body::Put {
            ttl_ms: None,
            if_absent: false,
            if_equal: None,
            value,
        };
        self.push(ns, key, body);
    }

    /// Delete a key; `existed`: reply whether it was there.
    #[inline]
    pub fn delete(&mut self, ns: u16, key: &[u8], existed: bool) {
        self.push(ns, key, Body::Delete { existed });
    }

    /// Checked add on an i64 entry.
    #[inline]
    pub fn add(&mut self, ns: u16, key: &[u8], delta: i64) {
        self.push(ns, key, Body::Add { delta });
    }

    /// Store a value and reply the old one.
    #[inline]
    pub fn replace(&mut self, ns: u16, key: &[u8], value: &[u8]) {
        self.push(ns, key, Body::Replace { value });
    }

    /// Time to live: get, set or clear.
    #[inline]
    pub fn ttl(&mut self, ns: u16, key: &[u8], ttl: Ttl) {
        self.push(ns, key, Body::Ttl(ttl));
    }

    /// Delete the range of a scan spec.
    #[inline]
    pub fn delete_range(&mut self, ns: u16, spec: &[u8]) {
        self.push(ns, &[], Body::DeleteRange { spec });
    }

    /// One page of the range of a scan spec.
    #[inline]
    pub fn scan(&mut self, ns: u16, spec: &[u8]) {
        self.push(ns, &[], Body::Scan { spec });
    }

    /// Operations so far.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes that the command needs so far, also those that did not fit.
    #[inline]
    pub fn needed(&self) -> usize {
        self.out.len()
    }

    /// The command, or `None` if it did not fit or has too many operations.
    #[inline]
    pub fn finish(self) -> Option<&'b [u8]> {
        let count = u16::try_from(self.count).ok()?;
        if self.count > BATCH_OPERATIONS {
            return None;
        }
        let command = self.out.into_written()?;
        set_count(command, count);
        Some(command)
    }
}
