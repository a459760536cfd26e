//! The functions that read: `load_*`, `exists`.
//!
//! An entry is read as the type that it was stored as. The plain functions end the
//! call if the key holds nothing, or something else, with a text that names the
//! function, the key and both types: `load_single_i64: key 3 holds i32, not i64`.
//! The `try_` forms answer `Ok(None)` and `Err`.
//!
//! ```
//! use rust_storage_interface_library::{load, store};
//!
//! let key = store::store_string("hello");
//! assert_eq!(load::load_string(key), "hello");
//! assert_eq!(load::try_load_single_i32_at("hits")?, None);
//! # Ok::<(), rust_storage_interface_library::Error>(())
//! ```
//!
//! What is read into the conflict check: the one key, absent or not.

use alloc::string::String;
use alloc::vec::Vec;

use wasm_storage_abi::Kind;
use wasm_storage_codec::AtKey;

use crate::error::{Error, Result};
use crate::host;
use crate::keys::{chosen, with_minted};
use crate::numbers::{Number, Numbers};
use crate::plain::{demand, demand_at, or_end};
use crate::record::Record;
use crate::value::Value;

/// The value under a minted key.
#[inline]
fn load<V: Value>(operation: &'static str, key: i64) -> Result<Option<V>> {
    with_minted(key, |key| host::get(operation, 0, key))
}

/// The value under a chosen key.
#[inline]
fn try_at<V: Value>(operation: &'static str, key: &impl AtKey) -> Result<Option<V>> {
    chosen(operation, key, |key| host::get(operation, 0, key))
}

macro_rules! single {
    ($($t:ty: $name:ident, $try_name:ident;)*) => {$(
        #[doc = concat!("Loads the `", stringify!($t), "` under a minted key.")]
        ///
        /// Host calls: 1. Reads: the key.
        pub fn $name(key: i64) -> $t {
            demand(stringify!($name), key)
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error, and with `None` for nothing.")]
        ///
        /// Host calls: 1. Reads: the key.
        pub fn $try_name(key: i64) -> Result<Option<$t>> {
            load(stringify!($try_name), key)
        }
    )*};
}
single! {
    i8: load_single_i8, try_load_single_i8;
    i16: load_single_i16, try_load_single_i16;
    i32: load_single_i32, try_load_single_i32;
    i64: load_single_i64, try_load_single_i64;
    i128: load_single_i128, try_load_single_i128;
    u8: load_single_u8, try_load_single_u8;
    u16: load_single_u16, try_load_single_u16;
    u32: load_single_u32, try_load_single_u32;
    u64: load_single_u64, try_load_single_u64;
    u128: load_single_u128, try_load_single_u128;
    f32: load_single_f32, try_load_single_f32;
    f64: load_single_f64, try_load_single_f64;
    bool: load_single_bool, try_load_single_bool;
    char: load_single_char, try_load_single_char;
}

macro_rules! single_at {
    ($($t:ty: $name:ident, $try_name:ident;)*) => {$(
        #[doc = concat!("Loads the `", stringify!($t), "` under `key`.")]
        ///
        /// Host calls: 1. Reads: the key.
        pub fn $name(key: impl AtKey) -> $t {
            demand_at(stringify!($name), &key)
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error, and with `None` for nothing.")]
        ///
        /// Host calls: 1. Reads: the key.
        pub fn $try_name(key: impl AtKey) -> Result<Option<$t>> {
            try_at(stringify!($try_name), &key)
        }
    )*};
}
single_at! {
    i32: load_single_i32_at, try_load_single_i32_at;
    i64: load_single_i64_at, try_load_single_i64_at;
    f32: load_single_f32_at, try_load_single_f32_at;
    f64: load_single_f64_at, try_load_single_f64_at;
}

macro_rules! fetching {
    ($(#[doc = $doc:literal] $name:ident, $try_name:ident -> $t:ty;)*) => {$(
        #[doc = $doc]
        ///
        /// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
        pub fn $name(key: i64) -> $t {
            demand(stringify!($name), key)
        }

        #[doc = concat!("[`", stringify!($name), "`] that answers with an error, and with `None` for nothing.")]
        ///
        /// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
        pub fn $try_name(key: i64) -> Result<Option<$t>> {
            load(stringify!($try_name), key)
        }
    )*};
}
fetching! {
    /// Loads the text under a minted key.
    load_string, try_load_string -> String;
    /// Loads the bytes under a minted key.
    load_bytes, try_load_bytes -> Vec<u8>;
}

/// Loads the numbers under a minted key.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
///
/// ```
/// use rust_storage_interface_library::{load, store};
///
/// let key = store::store_array(&[1.0, 2.5]);
/// let numbers: Vec<f64> = load::load_array(key);
/// assert_eq!(numbers, [1.0, 2.5]);
/// ```
pub fn load_array<T: Number>(key: i64) -> Vec<T> {
    demand::<Numbers<T>>("load_array", key).0
}

/// [`load_array`] that answers with an error, and with `None` for nothing.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn try_load_array<T: Number>(key: i64) -> Result<Option<Vec<T>>> {
    Ok(load::<Numbers<T>>("try_load_array", key)?.map(|numbers| numbers.0))
}

/// Loads the numbers under a minted key into `into`, and answers how many there
/// are. Ends the call if they do not fit; what is behind them stays as it was.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn load_array_into<T: Number>(key: i64, into: &mut [T]) -> usize {
    match or_end(array_into("load_array_into", key, into)) {
        Some(count) => count,
        None => with_minted(key, |key| Error::absent("load_array_into", key).end()),
    }
}

/// [`load_array_into`] that answers with an error, and with `None` for nothing.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn try_load_array_into<T: Number>(key: i64, into: &mut [T]) -> Result<Option<usize>> {
    array_into("try_load_array_into", key, into)
}

fn array_into<T: Number>(
    operation: &'static str,
    key: i64,
    into: &mut [T],
) -> Result<Option<usize>> {
    let Some(Numbers(numbers)) = load::<Numbers<T>>(operation, key)? else {
        return Ok(None);
    };
    let Some(room) = into.get_mut(..numbers.len()) else {
        return with_minted(key, |key| {
            Err(Error::other(
                operation,
                key,
                Kind::TooLarge,
                "holds more numbers than fit",
            ))
        });
    };
    for (slot, number) in room.iter_mut().zip(&numbers) {
        *slot = *number;
    }
    Ok(Some(numbers.len()))
}

/// Loads the record under a minted key.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn load_struct<T: Record>(key: i64) -> T {
    demand("load_struct", key)
}

/// [`load_struct`] that answers with an error, and with `None` for nothing.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn try_load_struct<T: Record>(key: i64) -> Result<Option<T>> {
    load("try_load_struct", key)
}

/// Loads any value under `key`.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn load_at<V: Value>(key: impl AtKey) -> V {
    demand_at("load_at", &key)
}

/// [`load_at`] that answers with an error, and with `None` for nothing.
///
/// Host calls: 1, and `fetch` for an entry over 256 bytes. Reads: the key.
pub fn try_load_at<V: Value>(key: impl AtKey) -> Result<Option<V>> {
    try_at("try_load_at", &key)
}

/// Whether something is stored under a minted key.
///
/// Host calls: 1. Reads: the key.
pub fn exists(key: i64) -> bool {
    or_end(with_minted(key, |key| host::has("exists", 0, key)))
}

/// [`exists`] that answers with an error.
///
/// Host calls: 1. Reads: the key.
pub fn try_exists(key: i64) -> Result<bool> {
    with_minted(key, |key| host::has("try_exists", 0, key))
}

/// Whether something is stored under `key`.
///
/// Host calls: 1. Reads: the key.
pub fn exists_at(key: impl AtKey) -> bool {
    or_end(chosen("exists_at", &key, |key| {
        host::has("exists_at", 0, key)
    }))
}

/// [`exists_at`] that answers with an error.
///
/// Host calls: 1. Reads: the key.
pub fn try_exists_at(key: impl AtKey) -> Result<bool> {
    chosen("try_exists_at", &key, |key| {
        host::has("try_exists_at", 0, key)
    })
}
