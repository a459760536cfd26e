//! Scans: which entries, in which order, how many; then one of the ways to get
//! them. A builder, not an iterator: `rev`, `count` and `limit` mean the host's.
//!
//! Elsewhere: the bytes of a range are `span.rs`, the iterators `iter.rs`.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Bound;

use serde::{Deserialize, Serialize};
use wasm_storage_abi::Kind;
use wasm_storage_abi::wire::exec::REPLY_HEADER_BYTES;
use wasm_storage_codec::exec::CommandBuilder;
use wasm_storage_codec::key::{encode_bytes_prefix, encode_str_prefix};
use wasm_storage_codec::{AsKey, Composite, Key, KeyBuf};

use super::cursor::Cursor;
use super::iter::{Iter, Keys};
use super::pages::Pages;
use super::range::IntoRange;
use super::span::Span;
use crate::error::{Error, Result};
use crate::exec;
use crate::value::Value;

/// Entries of a [`Map`](crate::Map), not fetched yet. `K` is what is left of the
/// key behind the parts that [`prefix`](Scan::prefix) has fixed.
///
/// A `for` loop fetches page by page: one host call for 4 to 64 KiB of entries.
/// It sees what this call has written before each page is fetched; pages already
/// fetched do not change. What is read into the conflict check is the range from
/// its beginning to the last entry of the last page that was fetched, or the
/// whole range if it was exhausted: also the entries that are *not* there.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Map};
///
/// static STOCK: Map<&str, u32> = Map::new("stock");
/// for (sku, count) in [("a-1", 1), ("a-2", 2), ("b-1", 3)] {
///     STOCK.put(sku, &count)?;
/// }
///
/// assert_eq!(STOCK.starts_with("a-").count()?, 2);
/// let last = STOCK.iter().rev().first()?;
/// assert_eq!(last, Some(("b-1".into(), 3)));
/// let skus: Vec<String> = STOCK.range("a-2"..).keys().into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(skus, ["a-2", "b-1"]);
/// assert_eq!(STOCK.starts_with("a-").delete()?, 2);
/// # Ok::<(), storage::Error>(())
/// ```
#[must_use = "a scan does nothing until it is used"]
pub struct Scan<K, V> {
    span: Span,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Scan<K, V> {
    pub(super) fn new(span: Span) -> Scan<K, V> {
        Scan {
            span,
            types: PhantomData,
        }
    }

    /// Only entries whose key begins with the part `first`; the keys given out
    /// are the parts behind it.
    pub fn prefix(self, first: impl AsKey<K::First>) -> Scan<K::Rest, V>
    where
        K: Composite,
    {
        Scan::new(self.span.within(&|out: &mut KeyBuf<'_>| first.encode(out)))
    }

    /// Only entries whose key is in `range`: `a..b`, `a..=b`, `a..` and so on.
    pub fn range<R: IntoRange<K>>(mut self, range: R) -> Scan<K, V>
    where
        K: Key,
    {
        let (lo, hi) = range.into_bounds();
        // The smallest key that is in, and the smallest above that is not.
        let from = |end: R::End, beyond: bool| {
            self.span.key(&|out: &mut KeyBuf<'_>| {
                end.encode(out);
                if beyond {
                    out.push(0);
                }
            })
        };
        let lo = match lo {
            Bound::Included(lo) => from(lo, false),
            Bound::Excluded(lo) => from(lo, true),
            Bound::Unbounded => Vec::new(),
        };
        let hi = match hi {
            Bound::Excluded(hi) => Some(from(hi, false)),
            Bound::Included(hi) => Some(from(hi, true)),
            Bound::Unbounded => None,
        };
        self.span.narrow(lo, hi);
        self
    }

    /// Only entries whose key, a text, starts with `text`.
    pub fn starts_with(self, text: &str) -> Scan<K, V>
    where
        K: Key,
        str: AsKey<K>,
    {
        Scan::new(
            self.span
                .starting(&|out: &mut KeyBuf<'_>| encode_str_prefix(text, out)),
        )
    }

    /// Only entries whose key, bytes, starts with `bytes`.
    pub fn starts_with_bytes(self, bytes: &[u8]) -> Scan<K, V>
    where
        K: Key,
        [u8]: AsKey<K>,
    {
        Scan::new(
            self.span
                .starting(&|out: &mut KeyBuf<'_>| encode_bytes_prefix(bytes, out)),
        )
    }

    /// Only what comes behind the end of a page: a [`Cursor`], or `None` for
    /// all. It must be of a scan of the same prefix and direction.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Scan<K, V> {
        self.span.after = cursor.into();
        self
    }

    /// At most `most` entries. A second limit counts if it is smaller.
    pub fn limit(mut self, most: u64) -> Scan<K, V> {
        self.span.at_most(most);
        self
    }

    /// In the other direction: from the last entry to the first.
    pub fn rev(mut self) -> Scan<K, V> {
        self.span.reverse = !self.span.reverse;
        self
    }

    /// The keys alone; the values do not leave the host.
    pub fn keys(self) -> Keys<K> {
        Keys {
            span: self.span,
            types: PhantomData,
        }
    }

    /// How many entries there are. The host counts.
    ///
    /// Host calls: 1. Reads: the range.
    pub fn count(self) -> Result<u64> {
        self.span.count("Scan::count")
    }

    /// The first entry, if there is one.
    ///
    /// Host calls: 1, and `fetch` for an entry over 4 KiB. Reads: the range up to it.
    pub fn first(self) -> Result<Option<(K::Owned, V)>>
    where
        K: Key,
        V: Value,
    {
        Iter::<K, V>::new("Scan::first", self.limit(1).span)
            .next()
            .transpose()
    }

    /// At most `most` entries, and where to go on. There may be nothing behind
    /// `next`; behind `None` there is nothing.
    ///
    /// Host calls: 1 for 4 to 64 KiB of entries. Reads: the range up to the last one.
    pub fn page(self, most: u64) -> Result<Page<(K::Owned, V)>>
    where
        K: Key,
        V: Value,
    {
        Iter::<K, V>::new("Scan::page", self.limit(most).span).page()
    }

    /// Deletes the entries, and answers how many they were.
    ///
    /// Host calls: 2 for 4 to 64 KiB of keys. Reads: the range.
    pub fn delete(self) -> Result<u64> {
        delete(self.span)
    }
}

fn delete(span: Span) -> Result<u64> {
    const DELETE: &str = "Scan::delete";
    let Ok(ns) = u16::try_from(span.ns()) else {
        let text = "is in no open namespace";
        return Err(Error::other(DELETE, &[], Kind::InvalidArgument, text));
    };
    let mut pages = Pages::new(DELETE, span, true);
    let (mut deleted, mut keys) = (0_u64, Vec::new());
    loop {
        let more = pages.advance()?;
        if more {
            deleted = deleted.saturating_add(1);
            keys.push(pages.whole_key().to_vec());
            if pages.left() > 0 {
                continue;
            }
        }
        let fill = |command: &mut CommandBuilder<'_>| {
            for key in &keys {
                command.delete(ns, key, false);
            }
        };
        if !keys.is_empty() {
            let mut room = vec![0; keys.len().saturating_mul(REPLY_HEADER_BYTES)];
            exec::batch(DELETE, pages.whole_key(), fill, &mut room, |replies| {
                let mut all = keys.iter();
                all.try_for_each(|key| exec::reply(DELETE, key, replies).map(drop))
            })?;
        }
        if !more {
            return Ok(deleted);
        }
        keys.clear();
    }
}

/// One page of a scan. See [`Scan::page`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries, in the order of the scan.
    pub items: Vec<T>,
    /// Where the next page begins, for [`Scan::after`]; `None` at the end.
    pub next: Option<Cursor>,
}

impl<K: Key, V: Value> IntoIterator for Scan<K, V> {
    type Item = Result<(K::Owned, V)>;
    type IntoIter = Iter<K, V>;

    fn into_iter(self) -> Iter<K, V> {
        Iter::new("Scan::next", self.span)
    }
}

impl<K, V> Clone for Scan<K, V> {
    fn clone(&self) -> Self {
        Scan::new(self.span.clone())
    }
}

impl<K, V> fmt::Debug for Scan<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scan")
    }
}
