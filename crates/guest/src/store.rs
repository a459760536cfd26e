//! The functions that write: `store_*`, `update`, `delete`.
//!
//! Without a key of your own, the host mints one: an `i64` from 1 to 2^53 - 1
//! that no other call gets. With one (`_at`), it is text, bytes, an integer or a
//! tuple of those; `1u32` and `1u64` are one key, `1i32` is another.
//!
//! The plain functions end the call if something is wrong, with a text that names
//! the function and the key; the `try_` forms answer with an error.
//!
//! ```
//! use rust_storage_interface_library::{load, store};
//!
//! let key: i64 = store::store_single_i32(88);
//! assert_eq!(load::load_single_i32(key), 88);
//!
//! store::store_at(("sensor", 7), &[1.5, 2.5][..]);
//! assert_eq!(load::load_at::<Vec<f64>>(("sensor", 7)), [1.5, 2.5]);
//! ```
//!
//! What is read into the conflict check: nothing, except by `update`.

use wasm_storage_codec::AtKey;

use crate::error::{Error, Result};
use crate::host;
use crate::keys::{chosen, with_minted};
use crate::numbers::Number;
use crate::plain::{self, or_end};
use crate::record::Record;
use crate::value::Encode;

macro_rules! single {
    ($($t:ty: $name:ident, $try_name:ident;)*) => {$(
        #[doc = concat!("Stores one `", stringify!($t), "` under a fresh key.")]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $name(value: $t) -> i64 {
            plain::mint(stringify!($name), &value)
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error.")]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $try_name(value: $t) -> Result<i64> {
            host::mint(stringify!($try_name), &value)
        }
    )*};
}
single! {
    i8: store_single_i8, try_store_single_i8;
    i16: store_single_i16, try_store_single_i16;
    i32: store_single_i32, try_store_single_i32;
    i64: store_single_i64, try_store_single_i64;
    i128: store_single_i128, try_store_single_i128;
    u8: store_single_u8, try_store_single_u8;
    u16: store_single_u16, try_store_single_u16;
    u32: store_single_u32, try_store_single_u32;
    u64: store_single_u64, try_store_single_u64;
    u128: store_single_u128, try_store_single_u128;
    f32: store_single_f32, try_store_single_f32;
    f64: store_single_f64, try_store_single_f64;
    bool: store_single_bool, try_store_single_bool;
    char: store_single_char, try_store_single_char;
}

macro_rules! single_at {
    ($($t:ty: $name:ident, $try_name:ident;)*) => {$(
        #[doc = concat!("Stores one `", stringify!($t), "` under `key`.")]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $name(key: impl AtKey, value: $t) {
            plain::put_at(stringify!($name), &key, &value);
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error.")]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $try_name(key: impl AtKey, value: $t) -> Result<()> {
            put_at(stringify!($try_name), &key, &value)
        }
    )*};
}
single_at! {
    i32: store_single_i32_at, try_store_single_i32_at;
    i64: store_single_i64_at, try_store_single_i64_at;
    f32: store_single_f32_at, try_store_single_f32_at;
    f64: store_single_f64_at, try_store_single_f64_at;
}

macro_rules! minting {
    ($(#[doc = $doc:literal] $name:ident, $try_name:ident [$($generics:tt)*] ($value:ident: $t:ty);)*) => {$(
        #[doc = $doc]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $name<$($generics)*>($value: $t) -> i64 {
            plain::mint(stringify!($name), $value)
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error.")]
        ///
        /// Host calls: 1. Reads nothing.
        pub fn $try_name<$($generics)*>($value: $t) -> Result<i64> {
            host::mint(stringify!($try_name), $value)
        }
    )*};
}
minting! {
    /// Stores text under a fresh key.
    store_string, try_store_string [] (text: &str);
    /// Stores bytes under a fresh key.
    store_bytes, try_store_bytes [] (bytes: &[u8]);
    /// Stores numbers under a fresh key, packed. Numbers that are `u8` are bytes.
    store_array, try_store_array [T: Number] (numbers: &[T]);
    /// Stores a record under a fresh key.
    store_struct, try_store_struct [T: Record] (value: &T);
}

/// Stores any value under `key`.
///
/// Host calls: 1. Reads nothing.
pub fn store_at<V: Encode + ?Sized>(key: impl AtKey, value: &V) {
    plain::put_at("store_at", &key, value);
}

/// [`store_at`] that answers with an error.
///
/// Host calls: 1. Reads nothing.
pub fn try_store_at<V: Encode + ?Sized>(key: impl AtKey, value: &V) -> Result<()> {
    put_at("try_store_at", &key, value)
}

/// Stores another value under a minted key. The type may be another one, too.
/// Ends the call if nothing is stored there: a key that was not minted could be
/// minted later.
///
/// Host calls: 2. Reads: whether the key is there.
pub fn update<V: Encode + ?Sized>(key: i64, value: &V) {
    or_end(with_minted(key, |key| replace("update", key, value)));
}

/// [`update`] that answers with an error, [`Kind::NotFound`](crate::Kind::NotFound)
/// if nothing is stored there.
///
/// Host calls: 2. Reads: whether the key is there.
pub fn try_update<V: Encode + ?Sized>(key: i64, value: &V) -> Result<()> {
    with_minted(key, |key| replace("try_update", key, value))
}

/// Stores another value under `key`. Ends the call if nothing is stored there.
///
/// Host calls: 2. Reads: whether the key is there.
pub fn update_at<V: Encode + ?Sized>(key: impl AtKey, value: &V) {
    or_end(chosen("update_at", &key, |key| {
        replace("update_at", key, value)
    }));
}

/// [`update_at`] that answers with an error, [`Kind::NotFound`](crate::Kind::NotFound)
/// if nothing is stored there.
///
/// Host calls: 2. Reads: whether the key is there.
pub fn try_update_at<V: Encode + ?Sized>(key: impl AtKey, value: &V) -> Result<()> {
    chosen("try_update_at", &key, |key| {
        replace("try_update_at", key, value)
    })
}

/// Deletes what is stored under a minted key, if anything.
///
/// Host calls: 1. Reads nothing.
pub fn delete(key: i64) {
    or_end(with_minted(key, |key| host::delete("delete", 0, key)));
}

/// [`delete`] that answers with an error.
///
/// Host calls: 1. Reads nothing.
pub fn try_delete(key: i64) -> Result<()> {
    with_minted(key, |key| host::delete("try_delete", 0, key))
}

/// Deletes what is stored under `key`, if anything.
///
/// Host calls: 1. Reads nothing.
pub fn delete_at(key: impl AtKey) {
    or_end(chosen("delete_at", &key, |key| {
        host::delete("delete_at", 0, key)
    }));
}

/// [`delete_at`] that answers with an error.
///
/// Host calls: 1. Reads nothing.
pub fn try_delete_at(key: impl AtKey) -> Result<()> {
    chosen("try_delete_at", &key, |key| {
        host::delete("try_delete_at", 0, key)
    })
}

#[inline]
fn put_at(operation: &'static str, key: &impl AtKey, value: &(impl Encode + ?Sized)) -> Result<()> {
    chosen(operation, key, |key| host::put(operation, 0, key, value))
}

fn replace(operation: &'static str, key: &[u8], value: &(impl Encode + ?Sized)) -> Result<()> {
    if host::has(operation, 0, key)? {
        host::put(operation, 0, key, value)
    } else {
        Err(Error::absent(operation, key))
    }
}
