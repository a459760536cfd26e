//! A range of a collection's keys, as bytes, and what is asked of the host about it.
//!
//! Invariant: `lo` is in and `hi` is not, whatever the caller's bounds were; both
//! begin with the prefix, or are what follows the last key that does.
//!
//! Elsewhere: what keys are is `scan.rs`; reading page by page is `pages.rs`.

use alloc::vec::Vec;

use wasm_storage_abi::Kind;
use wasm_storage_abi::keyspace::COLLECTION;
use wasm_storage_abi::wire::scan::{COUNT_ONLY, HAS_AFTER, HAS_HI, HAS_LO, REVERSE};
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::key::successor;
use wasm_storage_codec::scan::ScanSpec;

use super::cursor::Cursor;
use crate::error::{Error, Result};
use crate::host;
use crate::keys::written;
use crate::sys;

/// Keys from `lo` up to, not including, `hi`.
#[derive(Clone)]
pub(super) struct Span {
    ns: u32,
    /// What all keys begin with, and what is not part of the keys given out.
    pub(super) prefix: Vec<u8>,
    lo: Vec<u8>,
    hi: Vec<u8>,
    pub(super) reverse: bool,
    pub(super) limit: Option<u64>,
    pub(super) after: Option<Cursor>,
}

/// Bytes that `write` writes behind `prefix`.
#[inline(never)]
fn joined(prefix: &[u8], write: Write<'_>) -> Vec<u8> {
    let write = |out: &mut KeyBuf<'_>| {
        out.extend(prefix);
        write.write(out);
    };
    let mut bytes = alloc::vec![0; written(&write, &mut [])];
    written(&write, &mut bytes);
    bytes
}

/// Writes (part of) a key. A reference: what takes one is in a program once.
pub(super) type Write<'a> = &'a dyn Writes;

/// What `Fn(&mut KeyBuf)` is, without the two other ways to call an `Fn`, which
/// would each be in the program too.
pub(super) trait Writes {
    fn write(&self, out: &mut KeyBuf<'_>);
}

impl<F: Fn(&mut KeyBuf<'_>)> Writes for F {
    fn write(&self, out: &mut KeyBuf<'_>) {
        self(out);
    }
}

impl Span {
    /// All keys of a collection.
    #[inline(never)]
    pub(super) fn of_collection(ns: u32, name: &str) -> Span {
        let mut span = Span {
            ns,
            prefix: Vec::new(),
            lo: Vec::new(),
            hi: Vec::new(),
            reverse: false,
            limit: None,
            after: None,
        };
        let prefix = joined(name.as_bytes(), &|out: &mut KeyBuf<'_>| {
            out.push(COLLECTION)
        });
        // Names have no FF, so there always is a successor.
        span.hi = joined(&[], &|out: &mut KeyBuf<'_>| {
            successor(&prefix, out);
        });
        span.lo.clone_from(&prefix);
        span.prefix = prefix;
        span
    }

    /// Only keys that have `start` behind the prefix.
    pub(super) fn starting(mut self, start: Write<'_>) -> Span {
        let lo = self.key(start);
        let hi = joined(&[], &|out: &mut KeyBuf<'_>| {
            successor(&lo, out);
        });
        self.narrow(lo, Some(hi));
        self
    }

    /// Like [`starting`](Span::starting), with `part` added to the prefix.
    pub(super) fn within(mut self, part: Write<'_>) -> Span {
        self.prefix = self.key(part);
        self.starting(&|_: &mut KeyBuf<'_>| {})
    }

    /// The bytes of a key in the span.
    pub(super) fn key(&self, write: Write<'_>) -> Vec<u8> {
        joined(&self.prefix, write)
    }

    /// Only keys from `lo` up to, not including, `hi`.
    #[inline(never)]
    pub(super) fn narrow(&mut self, lo: Vec<u8>, hi: Option<Vec<u8>>) {
        if lo > self.lo {
            self.lo = lo;
        }
        if let Some(hi) = hi
            && hi < self.hi
        {
            self.hi = hi;
        }
    }

    /// No more than `most` entries.
    pub(super) fn at_most(&mut self, most: u64) {
        self.limit = Some(self.limit.map_or(most, |limit| limit.min(most)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lo >= self.hi || self.limit == Some(0)
    }

    pub(super) fn ns(&self) -> u32 {
        self.ns
    }

    #[cold]
    pub(super) fn bad_page(&self, operation: &'static str) -> Error {
        Error::other(operation, &self.prefix, Kind::Corrupt, "has a damaged page")
    }

    pub(super) fn checked_after(&self, operation: &'static str) -> Result<Option<&[u8]>> {
        match &self.after {
            None => Ok(None),
            Some(cursor)
                if cursor.reverse == self.reverse && cursor.key.starts_with(&self.prefix) =>
            {
                Ok(Some(&cursor.key))
            }
            Some(_) => Err(Error::other(
                operation,
                &self.prefix,
                Kind::InvalidArgument,
                "is not what the cursor was made for",
            )),
        }
    }

    /// Asks for one page, into `out`; the length of the answer.
    pub(super) fn ask(
        &self,
        operation: &'static str,
        flags: u32,
        limit: u32,
        after: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<usize> {
        let mut flags = flags | HAS_LO | HAS_HI;
        if self.reverse {
            flags |= REVERSE;
        }
        if after.is_some() {
            flags |= HAS_AFTER;
        }
        let spec = ScanSpec {
            flags,
            limit,
            lo: &self.lo,
            hi: &self.hi,
            after: after.unwrap_or(&[]),
        };
        let spec = joined(&[], &|out: &mut KeyBuf<'_>| spec.write(out));
        host::length(operation, &self.prefix, sys::scan(self.ns, &spec, out))
    }

    /// How many entries there are.
    pub(super) fn count(&self, operation: &'static str) -> Result<u64> {
        if self.is_empty() {
            return Ok(0);
        }
        let after = self.checked_after(operation)?;
        let mut count = [0; 8];
        match self.ask(
            operation,
            COUNT_ONLY,
            wire_limit(self.limit),
            after,
            &mut count,
        )? {
            8 => Ok(u64::from_le_bytes(count)),
            _ => Err(self.bad_page(operation)),
        }
    }
}

/// A limit as it stands in a spec, where 0 is none. One beyond u32 is asked for
/// in pieces.
pub(super) fn wire_limit(limit: Option<u64>) -> u32 {
    limit.map_or(0, |limit| u32::try_from(limit).unwrap_or(u32::MAX))
}
