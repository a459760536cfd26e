//! One value under a name.

use core::fmt;
use core::marker::PhantomData;

use crate::error::Result;
use crate::keys::checked_name;
use crate::namespace::Namespace;
use crate::value::{StoreAs, Value};
use crate::{exec, host};

/// A value of type `T` under a name, or nothing.
///
/// A handle, without data: nothing is kept in the guest, `put` means put.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Item};
///
/// static LIMIT: Item<u32> = Item::new("limit");
///
/// assert_eq!(LIMIT.get()?, None);
/// LIMIT.put(&7)?;
/// assert_eq!(LIMIT.update(|limit| limit.unwrap_or(0) + 1)?, 8);
/// # Ok::<(), storage::Error>(())
/// ```
///
/// A bad name does not compile:
///
/// ```compile_fail
/// # use rust_storage_interface_library::Item;
/// static NAMELESS: Item<u32> = Item::new("");
/// ```
pub struct Item<T> {
    name: &'static str,
    ns: u32,
    // A function: an Item is Sync whatever T is.
    types: PhantomData<fn(T) -> T>,
}

impl<T> Item<T> {
    /// The item `name`: 1 to 64 bytes, no control characters; another name is a
    /// compile error in a `static`.
    ///
    /// Two handles of one name are one item; give each its own.
    #[track_caller]
    pub const fn new(name: &'static str) -> Item<T> {
        Item {
            name: checked_name(name),
            ns: 0,
            types: PhantomData,
        }
    }

    /// This item in another namespace.
    pub fn at(&self, ns: &Namespace) -> Item<T> {
        Item {
            name: self.name,
            ns: ns.handle(),
            types: PhantomData,
        }
    }

    /// The value, `None` if there is none.
    ///
    /// Errors: [`Kind::TypeMismatch`](crate::Kind::TypeMismatch) if something else is stored.
    /// Host calls: 1, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn get(&self) -> Result<Option<T>>
    where
        T: Value,
    {
        host::get("Item::get", self.ns, self.key())
    }

    /// The value; [`Kind::NotFound`](crate::Kind::NotFound) if there is none.
    ///
    /// Host calls: 1, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn require(&self) -> Result<T>
    where
        T: Value,
    {
        host::require("Item::require", self.ns, self.key())
    }

    /// Stores a value.
    ///
    /// Host calls: 1. Reads nothing.
    pub fn put<Q: StoreAs<T> + ?Sized>(&self, value: &Q) -> Result<()>
    where
        T: Value,
    {
        host::put("Item::put", self.ns, self.key(), value)
    }

    /// Deletes the value, if there is one.
    ///
    /// Host calls: 1. Reads nothing.
    pub fn delete(&self) -> Result<()> {
        host::delete("Item::delete", self.ns, self.key())
    }

    /// Whether there is a value. Its type is not looked at.
    ///
    /// Host calls: 1. Reads: the key.
    pub fn exists(&self) -> Result<bool> {
        host::has("Item::exists", self.ns, self.key())
    }

    /// Stores what `change` makes of the value, and answers it.
    ///
    /// Host calls: 2, and `fetch` for a value over 256 bytes. Reads: the key.
    pub fn update(&self, change: impl FnOnce(Option<T>) -> T) -> Result<T>
    where
        T: Value,
    {
        let operation = "Item::update";
        let new = change(host::get(operation, self.ns, self.key())?);
        host::put(operation, self.ns, self.key(), &new)?;
        Ok(new)
    }

    /// Stores a value and answers the old one. After an error about the old
    /// value, the new one is stored.
    ///
    /// Host calls: 1, and `fetch` for an old value over 250 bytes. Reads: the key.
    pub fn replace<Q: StoreAs<T> + ?Sized>(&self, value: &Q) -> Result<Option<T>>
    where
        T: Value,
    {
        exec::replace("Item::replace", self.ns, self.key(), value)
    }

    /// Deletes the value and answers it. After an error about the value, it is
    /// deleted.
    ///
    /// Host calls: 1, and `fetch` for a value over 240 bytes. Reads: the key.
    pub fn take(&self) -> Result<Option<T>>
    where
        T: Value,
    {
        exec::take("Item::take", self.ns, self.key())
    }

    /// Stores a value if there is none, and answers whether it did.
    ///
    /// Host calls: 1. Reads: whether the key is there.
    pub fn put_new<Q: StoreAs<T> + ?Sized>(&self, value: &Q) -> Result<bool>
    where
        T: Value,
    {
        exec::put_new("Item::put_new", self.ns, self.key(), value)
    }

    /// Stores a value if the stored one is `expected`, and answers whether it did.
    /// The stored bytes are compared: a record of an older version is not equal.
    ///
    /// Host calls: 1. Reads: the key.
    pub fn put_if_equal<E, Q>(&self, expected: &E, value: &Q) -> Result<bool>
    where
        T: Value,
        E: StoreAs<T> + ?Sized,
        Q: StoreAs<T> + ?Sized,
    {
        exec::put_if_equal("Item::put_if_equal", self.ns, self.key(), expected, value)
    }

    #[inline]
    fn key(&self) -> &'static [u8] {
        self.name.as_bytes()
    }
}

impl<T> Clone for Item<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Item<T> {}

impl<T> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Item").field(&self.name).finish()
    }
}
