//! Many values under a name, ordered by their keys.
//!
//! A key of a map is the name, `00`, and the key in its ordered form. Scans
//! begin in `scan.rs`; ranges as Rust writes them are `range.rs`, as bytes `span.rs`;
//! cursors are `cursor.rs`.

mod cursor;
mod iter;
mod pages;
mod range;
mod scan;
mod span;

use core::fmt;
use core::marker::PhantomData;

use wasm_storage_codec::{AsKey, Composite, Key};

use crate::error::Result;
use crate::keys::{checked_name, in_collection};
use crate::namespace::Namespace;
use crate::value::{StoreAs, Value};
use crate::{exec, host};

pub use cursor::Cursor;
pub use iter::{Iter, Keys, KeysIter};
pub use range::IntoRange;
pub use scan::{Page, Scan};

use span::Span;

/// Values of type `V` by keys of type `K`, in the order of the keys.
///
/// A handle, without data: nothing is kept in the guest, `put` means put.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Map};
///
/// static STOCK: Map<&str, u32> = Map::new("stock");
/// static PLACES: Map<(u32, u64), String> = Map::new("places");
///
/// let sku = String::from("sku-1");
/// STOCK.put(&sku, &3)?;
/// assert_eq!(STOCK.update("sku-1", |count| count.unwrap_or(0) + 5)?, 8);
/// assert_eq!(STOCK.get("sku-2")?, None);
///
/// PLACES.put((7, 1), "left shelf")?;
/// PLACES.put((7, 2), "right shelf")?;
/// PLACES.put((8, 1), "cellar")?;
/// let mut shelves = Vec::new();
/// for row in PLACES.prefix(7).range(..10).rev() {
///     let (number, place) = row?;
///     shelves.push((number, place));
/// }
/// assert_eq!(shelves, [(2, "right shelf".into()), (1, "left shelf".into())]);
/// # Ok::<(), storage::Error>(())
/// ```
///
/// Keys are integers, `bool`, `char`, text, bytes and tuples of them; floats have
/// no order:
///
/// ```compile_fail
/// # use rust_storage_interface_library::Map;
/// static BY_SIZE: Map<f64, u32> = Map::new("by size");
/// let found = BY_SIZE.get(1.5);
/// ```
pub struct Map<K, V> {
    name: &'static str,
    ns: u32,
    // A function: a Map is Sync whatever K and V are.
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> Map<K, V> {
    /// The map `name`: 1 to 64 bytes, no control characters; another name is a
    /// compile error in a `static`.
    ///
    /// Two handles of one name are one map; give each its own.
    #[track_caller]
    pub const fn new(name: &'static str) -> Map<K, V> {
        Map {
            name: checked_name(name),
            ns: 0,
            types: PhantomData,
        }
    }

    /// This map in another namespace.
    pub fn at(&self, ns: &Namespace) -> Map<K, V> {
        Map {
            name: self.name,
            ns: ns.handle(),
            types: PhantomData,
        }
    }

    /// The value under `key`, `None` if there is none.
    ///
    /// Errors: [`Kind::TypeMismatch`](crate::Kind::TypeMismatch) if something else is stored.
    /// Host calls: 1, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn get(&self, key: impl AsKey<K>) -> Result<Option<V>>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::get";
        in_collection(operation, self.name, &key, |key| {
            host::get(operation, self.ns, key)
        })
    }

    /// The value under `key`; [`Kind::NotFound`](crate::Kind::NotFound) if there is none.
    ///
    /// Host calls: 1, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn require(&self, key: impl AsKey<K>) -> Result<V>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::require";
        in_collection(operation, self.name, &key, |key| {
            host::require(operation, self.ns, key)
        })
    }

    /// Stores a value under `key`.
    ///
    /// Host calls: 1. Reads nothing.
    pub fn put<Q: StoreAs<V> + ?Sized>(&self, key: impl AsKey<K>, value: &Q) -> Result<()>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::put";
        in_collection(operation, self.name, &key, |key| {
            host::put(operation, self.ns, key, value)
        })
    }

    /// Deletes the value under `key`, if there is one.
    ///
    /// Host calls: 1. Reads nothing.
    pub fn delete(&self, key: impl AsKey<K>) -> Result<()>
    where
        K: Key,
    {
        let operation = "Map::delete";
        in_collection(operation, self.name, &key, |key| {
            host::delete(operation, self.ns, key)
        })
    }

    /// Whether there is a value under `key`. Its type is not looked at.
    ///
    /// Host calls: 1. Reads: the key.
    pub fn has(&self, key: impl AsKey<K>) -> Result<bool>
    where
        K: Key,
    {
        let operation = "Map::has";
        in_collection(operation, self.name, &key, |key| {
            host::has(operation, self.ns, key)
        })
    }

    /// Stores what `change` makes of the value under `key`, and answers it.
    ///
    /// Host calls: 2, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn update(&self, key: impl AsKey<K>, change: impl FnOnce(Option<V>) -> V) -> Result<V>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::update";
        in_collection(operation, self.name, &key, |key| {
            let new = change(host::get(operation, self.ns, key)?);
            host::put(operation, self.ns, key, &new)?;
            Ok(new)
        })
    }

    /// Stores a value under `key` and answers the old one. After an error about the
    /// old value, the new one is stored.
    ///
    /// Host calls: 1, and `fetch` for an old value over 250 bytes. Reads: the key.
    pub fn replace<Q: StoreAs<V> + ?Sized>(
        &self,
        key: impl AsKey<K>,
        value: &Q,
    ) -> Result<Option<V>>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::replace";
        in_collection(operation, self.name, &key, |key| {
            exec::replace(operation, self.ns, key, value)
        })
    }

    /// Deletes the value under `key` and answers it. After an error about the
    /// value, it is deleted.
    ///
    /// Host calls: 1, and `fetch` for a value over 240 bytes. Reads: the key.
    pub fn take(&self, key: impl AsKey<K>) -> Result<Option<V>>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::take";
        in_collection(operation, self.name, &key, |key| {
            exec::take(operation, self.ns, key)
        })
    }

    /// Stores a value under `key` if there is none, and answers whether it did.
    ///
    /// Host calls: 1. Reads: whether the key is there.
    pub fn put_new<Q: StoreAs<V> + ?Sized>(&self, key: impl AsKey<K>, value: &Q) -> Result<bool>
    where
        K: Key,
        V: Value,
    {
        let operation = "Map::put_new";
        in_collection(operation, self.name, &key, |key| {
            exec::put_new(operation, self.ns, key, value)
        })
    }

    /// Stores a value under `key` if the stored one is `expected`, and answers
    /// whether it did. The stored bytes are compared: a record of an older version
    /// is not equal.
    ///
    /// Host calls: 1. Reads: the key.
    pub fn put_if_equal<E, Q>(&self, key: impl AsKey<K>, expected: &E, value: &Q) -> Result<bool>
    where
        K: Key,
        V: Value,
        E: StoreAs<V> + ?Sized,
        Q: StoreAs<V> + ?Sized,
    {
        let operation = "Map::put_if_equal";
        in_collection(operation, self.name, &key, |key| {
            exec::put_if_equal(operation, self.ns, key, expected, value)
        })
    }

    /// All entries. See [`Scan`].
    ///
    /// Host calls: none before the scan is used.
    pub fn iter(&self) -> Scan<K, V> {
        Scan::new(Span::of_collection(self.ns, self.name))
    }

    /// The entries whose key is in `range`. See [`Scan`].
    ///
    /// Host calls: none before the scan is used.
    pub fn range(&self, range: impl IntoRange<K>) -> Scan<K, V>
    where
        K: Key,
    {
        self.iter().range(range)
    }

    /// The entries whose key begins with the part `first`, by the other parts.
    /// See [`Scan`].
    ///
    /// Host calls: none before the scan is used.
    pub fn prefix(&self, first: impl AsKey<K::First>) -> Scan<K::Rest, V>
    where
        K: Composite,
    {
        self.iter().prefix(first)
    }

    /// The entries whose key, a text, starts with `text`. See [`Scan`].
    ///
    /// Host calls: none before the scan is used.
    pub fn starts_with(&self, text: &str) -> Scan<K, V>
    where
        K: Key,
        str: AsKey<K>,
    {
        self.iter().starts_with(text)
    }
}

impl<K, V> Clone for Map<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Map<K, V> {}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Map").field(&self.name).finish()
    }
}
