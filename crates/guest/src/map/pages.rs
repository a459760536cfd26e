//! The entries of a span, read page by page.
//!
//! Invariant: one host call for each page, into one buffer that is kept: 4 KiB,
//! growing to 64 KiB while there is more; an entry too large for it is fetched.
//! What is asked for never exceeds the limit.
//!
//! Elsewhere: what is asked is `span.rs`; keys and values are `iter.rs`.

use alloc::vec::Vec;

use wasm_storage_abi::wire::scan::{ENTRY_HEADER_BYTES, KEYS_ONLY, PAGE_HEADER_BYTES};
use wasm_storage_codec::scan::Page;

use super::cursor::Cursor;
use super::span::{Span, wire_limit};
use crate::error::Result;
use crate::host;

const FIRST_PAGE: usize = 4 << 10;
const LARGEST_PAGE: usize = 64 << 10;

/// The entries of a span, one after the other.
pub(super) struct Pages {
    span: Span,
    operation: &'static str,
    keys_only: bool,
    /// The page, and how many bytes of it count.
    page: Vec<u8>,
    len: usize,
    /// Where the next entry begins, and how many are left.
    next: usize,
    left: u32,
    /// Whether the host may have more behind this page.
    more: bool,
    /// Where the present entry is.
    key: (usize, usize),
    value: (usize, usize),
}

impl Pages {
    pub(super) fn new(operation: &'static str, span: Span, keys_only: bool) -> Pages {
        Pages {
            more: !span.is_empty(),
            span,
            operation,
            keys_only,
            page: Vec::new(),
            len: 0,
            next: 0,
            left: 0,
            key: (0, 0),
            value: (0, 0),
        }
    }

    /// Goes to the next entry; false if there is none.
    #[inline(never)]
    pub(super) fn advance(&mut self) -> Result<bool> {
        if self.span.limit == Some(0) {
            return Ok(false);
        }
        while self.left == 0 {
            if !self.more {
                return Ok(false);
            }
            self.turn()?;
        }
        let (key, value) = match entry(self.page.get(self.next..self.len)) {
            Some(lens) => lens,
            None => return Err(self.span.bad_page(self.operation)),
        };
        let key_at = self.next.saturating_add(ENTRY_HEADER_BYTES);
        let value_at = key_at.saturating_add(key);
        self.next = value_at.saturating_add(value);
        self.key = (key_at, value_at);
        self.value = (value_at, self.next);
        self.left = self.left.saturating_sub(1);
        if let Some(limit) = &mut self.span.limit {
            *limit = limit.saturating_sub(1);
        }
        Ok(true)
    }

    /// The key of the present entry, the prefix included.
    pub(super) fn whole_key(&self) -> &[u8] {
        self.page.get(self.key.0..self.key.1).unwrap_or(&[])
    }

    /// The key of the present entry, without the prefix.
    pub(super) fn key(&self) -> &[u8] {
        self.whole_key()
            .get(self.span.prefix.len()..)
            .unwrap_or(&[])
    }

    /// The value of the present entry.
    pub(super) fn value(&self) -> &[u8] {
        self.page.get(self.value.0..self.value.1).unwrap_or(&[])
    }

    pub(super) fn operation(&self) -> &'static str {
        self.operation
    }

    /// The entries that are left of this page.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// The end of what was given out, if there may be more behind it.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        let more = self.more || self.left > 0;
        (more && !self.whole_key().is_empty()).then(|| Cursor {
            reverse: self.span.reverse,
            key: self.whole_key().to_vec(),
        })
    }

    /// Gets the next page.
    fn turn(&mut self) -> Result<()> {
        if !self.whole_key().is_empty() {
            self.span.after = self.cursor();
        }
        let room = match self.page.len() {
            0 => FIRST_PAGE,
            len => len.saturating_mul(4).clamp(FIRST_PAGE, LARGEST_PAGE),
        };
        if self.page.len() < room {
            self.page.resize(room, 0);
        }
        let flags = if self.keys_only { KEYS_ONLY } else { 0 };
        let limit = wire_limit(self.span.limit);
        let after = self.span.checked_after(self.operation)?;
        self.len = self
            .span
            .ask(self.operation, flags, limit, after, &mut self.page)?;
        if self.len > self.page.len() {
            self.page = host::fetch(self.operation, &self.span.prefix, self.len)?;
        }
        let page = self.page.get(..self.len).and_then(Page::parse);
        let Some(page) = page else {
            return Err(self.span.bad_page(self.operation));
        };
        (self.left, self.more) = (page.count(), page.more());
        (self.next, self.key) = (PAGE_HEADER_BYTES, (0, 0));
        if self.left == 0 {
            // Nothing to go on behind.
            self.more = false;
        }
        Ok(())
    }
}

/// Lengths of key and value of the entry at the start of `bytes`, if it is whole.
fn entry(bytes: Option<&[u8]>) -> Option<(usize, usize)> {
    let (key, rest) = bytes?.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let key = usize::try_from(u32::from_le_bytes(*key)).ok()?;
    let value = usize::try_from(u32::from_le_bytes(*value)).ok()?;
    (key.checked_add(value)? <= rest.len()).then_some((key, value))
}
