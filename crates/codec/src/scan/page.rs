//! A page: `{count u32, more u8, pad 3}`, then `{klen u32, vlen u32, key, value}`
//! for each entry, little-endian.
//!
//! Invariant: a page holds whole entries only. The reader trusts its host with
//! nothing but the meaning: a page that is cut short ends early, it does not panic.

use alloc::vec::Vec;

use wasm_storage_abi::wire::scan::{ENTRY_HEADER_BYTES, PAGE_HEADER_BYTES};

use crate::bytes::{take, take_array, take_u32, wire_len};

/// A page as a guest reads it.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    count: u32,
    more: bool,
    entries: &'a [u8],
}

impl<'a> Page<'a> {
    /// Reads the header; `None` if the bytes are too short for one.
    #[inline]
    pub fn parse(mut bytes: &'a [u8]) -> Option<Page<'a>> {
        let count = take_u32(&mut bytes)?;
        let [more, _, _, _] = take_array(&mut bytes)?;
        Some(Page {
            count,
            more: more != 0,
            entries: bytes,
        })
    }

    /// Entries in this page, by its header.
    #[inline]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether the scan stopped early. The next page may still be empty.
    #[inline]
    pub fn more(&self) -> bool {
        self.more
    }

    /// The entries: key and value (empty with `KEYS_ONLY`).
    #[inline]
    pub fn iter(&self) -> PageIter<'a> {
        PageIter {
            left: self.count,
            entries: self.entries,
        }
    }
}

impl<'a> IntoIterator for Page<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = PageIter<'a>;

    #[inline]
    fn into_iter(self) -> PageIter<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &Page<'a> {
    type Item = (&'a [u8], &'a [u8]);
    type IntoIter = PageIter<'a>;

    #[inline]
    fn into_iter(self) -> PageIter<'a> {
        self.iter()
    }
}

/// The entries of a [`Page`]. Ends at the header's count, or where the bytes end.
#[derive(Clone, Debug)]
pub struct PageIter<'a> {
    left: u32,
    entries: &'a [u8],
}

impl<'a> Iterator for PageIter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let left = self.left.checked_sub(1)?;
        let mut at = self.entries;
        let key_len = take_u32(&mut at)?;
        let value_len = take_u32(&mut at)?;
        let key = take(&mut at, key_len)?;
        let value = take(&mut at, value_len)?;
        self.left = left;
        self.entries = at;
        Some((key, value))
    }
}

/// Builds a page, for hosts.
///
/// ```
/// use wasm_storage_codec::scan::{Page, PageWriter};
///
/// let mut bytes = Vec::new();
/// let mut writer = PageWriter::new(&mut bytes);
/// assert!(writer.fits(1, 2, 64));
/// writer.push(b"k", b"vv");
/// writer.finish(true);
///
/// let page = Page::parse(&bytes).unwrap();
/// assert!(page.more());
/// assert_eq!(page.iter().next(), Some((&b"k"[..], &b"vv"[..])));
/// ```
#[derive(Debug)]
pub struct PageWriter<'v> {
    bytes: &'v mut Vec<u8>,
    count: u32,
}

impl<'v> PageWriter<'v> {
    /// Clears `bytes` and begins a page in it.
    pub fn new(bytes: &'v mut Vec<u8>) -> Self {
        bytes.clear();
        bytes.extend_from_slice(&[0; PAGE_HEADER_BYTES]);
        PageWriter { bytes, count: 0 }
    }

    /// Whether the page with one more entry of these lengths is at most `cap` bytes.
    pub fn fits(&self, key_len: usize, value_len: usize, cap: usize) -> bool {
        self.bytes
            .len()
            .saturating_add(ENTRY_HEADER_BYTES)
            .saturating_add(key_len)
            .saturating_add(value_len)
            <= cap
    }

    /// Appends an entry.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        self.bytes
            .extend_from_slice(&wire_len(key.len()).to_le_bytes());
        self.bytes
            .extend_from_slice(&wire_len(value.len()).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        self.count = self.count.saturating_add(1);
    }

    /// Bytes of the page so far, header included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the page has no entry yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Entries so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Completes the header; `more`: the scan stopped early.
    pub fn finish(self, more: bool) {
        if let Some(header) = self.bytes.first_chunk_mut::<PAGE_HEADER_BYTES>() {
            let [a, b, c, d] = self.count.to_le_bytes();
            *header = [a, b, c, d, u8::from(more), 0, 0, 0];
        }
    }
}
