//! The entries of a scan, or their keys alone, as iterators.
//!
//! Invariant: an iterator ends after an error.
//!
//! Elsewhere: the pages are `pages.rs`.

use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use wasm_storage_abi::Kind;
use wasm_storage_codec::Key;
use wasm_storage_codec::key::decode_all;

use super::pages::Pages;
use super::scan::Page;
use super::span::Span;
use crate::error::{Error, Result};
use crate::value::Value;

/// The entries of a [`Scan`](crate::Scan). It ends after an error.
pub struct Iter<K, V> {
    rows: Rows,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Iter<K, V> {
    pub(super) fn new(operation: &'static str, span: Span) -> Iter<K, V> {
        Iter {
            rows: Rows::new(Pages::new(operation, span, false)),
            types: PhantomData,
        }
    }
}

impl<K: Key, V: Value> Iter<K, V> {
    /// All that are left, and where to go on.
    pub(super) fn page(mut self) -> Result<Page<(K::Owned, V)>> {
        let items = self.by_ref().collect::<Result<_>>()?;
        let next = self.rows.pages.cursor();
        Ok(Page { items, next })
    }
}

impl<K: Key, V: Value> Iterator for Iter<K, V> {
    type Item = Result<(K::Owned, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next(|pages| {
            let key = key::<K>(pages)?;
            match V::read(pages.value()) {
                Ok(value) => Ok((key, value)),
                Err(why) => Err(Error::unreadable(pages.operation(), pages.whole_key(), why)),
            }
        })
    }
}

/// The keys of a [`Scan`](crate::Scan), not fetched yet.
#[must_use = "a scan does nothing until it is used"]
pub struct Keys<K> {
    pub(super) span: Span,
    pub(super) types: PhantomData<fn() -> K>,
}

impl<K: Key> Keys<K> {
    /// At most `most` keys, and where to go on. See [`Scan::page`](crate::Scan::page).
    ///
    /// Host calls: 1 for 4 to 64 KiB of keys. Reads: the range up to the last one.
    pub fn page(mut self, most: u64) -> Result<Page<K::Owned>> {
        self.span.at_most(most);
        let mut keys = KeysIter::<K>::new("Keys::page", self.span);
        let items = keys.by_ref().collect::<Result<Vec<_>>>()?;
        let next = keys.rows.pages.cursor();
        Ok(Page { items, next })
    }
}

impl<K: Key> IntoIterator for Keys<K> {
    type Item = Result<K::Owned>;
    type IntoIter = KeysIter<K>;

    fn into_iter(self) -> KeysIter<K> {
        KeysIter::new("Keys::next", self.span)
    }
}

/// The keys of a [`Scan`](crate::Scan). It ends after an error.
pub struct KeysIter<K> {
    rows: Rows,
    types: PhantomData<fn() -> K>,
}

impl<K> KeysIter<K> {
    fn new(operation: &'static str, span: Span) -> KeysIter<K> {
        KeysIter {
            rows: Rows::new(Pages::new(operation, span, true)),
            types: PhantomData,
        }
    }
}

impl<K: Key> Iterator for KeysIter<K> {
    type Item = Result<K::Owned>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next(key::<K>)
    }
}

/// Entries as bytes, up to the first error.
struct Rows {
    pages: Pages,
    failed: bool,
}

impl Rows {
    fn new(pages: Pages) -> Rows {
        Rows {
            pages,
            failed: false,
        }
    }

    fn next<T>(&mut self, read: impl FnOnce(&Pages) -> Result<T>) -> Option<Result<T>> {
        if self.failed {
            return None;
        }
        let item = match self.pages.advance() {
            Ok(true) => read(&self.pages),
            Ok(false) => return None,
            Err(error) => Err(error),
        };
        self.failed = item.is_err();
        Some(item)
    }
}

/// The key of the present entry.
fn key<K: Key>(pages: &Pages) -> Result<K::Owned> {
    decode_all::<K>(pages.key()).map_err(|_| {
        let text = "is no key of the map's type";
        Error::other(pages.operation(), pages.whole_key(), Kind::Corrupt, text)
    })
}

impl<K> fmt::Debug for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl<K, V> fmt::Debug for Iter<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iter")
    }
}

impl<K> fmt::Debug for KeysIter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeysIter")
    }
}
