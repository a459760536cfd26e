//! The host calls, with their answers sorted: a value, nothing, or an [`Error`]
//! that names the operation and the key.
//!
//! Invariant: point reads of values of fixed length use the stack only; other
//! values come through 256 bytes on the stack or, if longer, with one `fetch`
//! into a `Vec` of exactly their length.
//!
//! Elsewhere: the calls themselves are `sys`; what the bytes mean is `value.rs`.

use alloc::vec::Vec;

use wasm_storage_abi::Kind;

use crate::error::{Error, Result};
use crate::sys;
use crate::unreadable::TypeName;
use crate::value::{Encode, FIXED, Value};

pub(crate) const NOT_FOUND: i32 = status_of(Kind::NotFound);

/// The status of a kind that a guest can see.
pub(crate) const fn status_of(kind: Kind) -> i32 {
    match kind.status() {
        Some(status) => status,
        None => i32::MIN,
    }
}

/// Bytes on the stack for an answer of unknown length.
pub(crate) const SMALL: usize = 256;

/// A length, handle or 0; or the failure.
#[inline]
pub(crate) fn length(operation: &'static str, key: &[u8], status: i32) -> Result<usize> {
    usize::try_from(status).map_err(|_| Error::host(operation, key, status))
}

/// [`length`], with NOT_FOUND as `None`.
#[inline]
fn found(operation: &'static str, key: &[u8], status: i32) -> Result<Option<usize>> {
    if status == NOT_FOUND {
        return Ok(None);
    }
    length(operation, key, status).map(Some)
}

/// Whether all entries of a type are short, and as long.
const fn is_fixed<V: Value>() -> bool {
    match V::FIXED {
        Some(len) => len <= FIXED,
        None => false,
    }
}

/// Reads a value.
#[inline]
pub(crate) fn get<V: Value>(operation: &'static str, ns: u32, key: &[u8]) -> Result<Option<V>> {
    if const { is_fixed::<V>() } {
        get_fixed(operation, ns, key)
    } else {
        get_any(operation, ns, key)
    }
}

/// Reads a value that must be there.
#[inline]
pub(crate) fn require<V: Value>(operation: &'static str, ns: u32, key: &[u8]) -> Result<V> {
    match get(operation, ns, key) {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Error::absent(operation, key)),
        Err(error) => Err(error),
    }
}

#[inline(never)]
fn get_fixed<V: Value>(operation: &'static str, ns: u32, key: &[u8]) -> Result<Option<V>> {
    let mut room = [0; FIXED];
    let status = sys::get(ns, key, &mut room);
    if let Some(value) = V::read_scalar(&room, status) {
        return Ok(Some(value));
    }
    if status == NOT_FOUND {
        return Ok(None);
    }
    if const { !V::SCALAR }
        && let Some(record) = usize::try_from(status).ok().and_then(|len| room.get(..len))
    {
        return match V::read(record) {
            Ok(value) => Ok(Some(value)),
            Err(why) => Err(Error::unreadable(operation, key, why)),
        };
    }
    // A longer entry is not in `room`: all is 0 then.
    let [found, ..] = room;
    let found = TypeName::of(found);
    Err(Error::answered(operation, key, status, found, V::TYPE))
}

#[inline(never)]
fn get_any<V: Value>(operation: &'static str, ns: u32, key: &[u8]) -> Result<Option<V>> {
    let mut room = [0; SMALL];
    let status = sys::get(ns, key, &mut room);
    let Some(len) = found(operation, key, status)? else {
        return Ok(None);
    };
    let value = with_answer(operation, key, &room, len, V::read)?;
    value
        .map(Some)
        .map_err(|why| Error::unreadable(operation, key, why))
}

/// Calls `then` with an answer of `len` bytes: from `room` or, if it did not fit
/// there, fetched.
pub(crate) fn with_answer<R>(
    operation: &'static str,
    key: &[u8],
    room: &[u8],
    len: usize,
    then: impl FnOnce(&[u8]) -> R,
) -> Result<R> {
    let fetched;
    let answer = match room.get(..len) {
        Some(answer) => answer,
        None => {
            fetched = fetch(operation, key, len)?;
            &fetched
        }
    };
    Ok(then(answer))
}

/// The parked result, of `len` bytes.
#[inline(never)]
pub(crate) fn fetch(operation: &'static str, key: &[u8], len: usize) -> Result<Vec<u8>> {
    let mut bytes = alloc::vec![0; len];
    let fetched = length(operation, key, sys::fetch(&mut bytes))?;
    bytes.truncate(fetched);
    Ok(bytes)
}

/// Calls `then` with the record of a value.
#[inline]
pub(crate) fn with_record<R>(
    operation: &'static str,
    key: &[u8],
    value: &(impl Encode + ?Sized),
    then: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    value.with_record(|record| {
        if record.is_empty() {
            return Err(unwritable(operation, key));
        }
        then(record)
    })
}

#[cold]
#[inline(never)]
pub(crate) fn unwritable(operation: &'static str, key: &[u8]) -> Error {
    let text = "cannot be written: serde refuses the value";
    Error::other(operation, key, Kind::InvalidArgument, text)
}

/// Writes a value.
#[inline]
pub(crate) fn put(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    value: &(impl Encode + ?Sized),
) -> Result<()> {
    with_record(operation, key, value, |record| {
        done(operation, key, sys::put(ns, key, record))
    })
}

/// Writes a value under a fresh key.
#[inline]
pub(crate) fn mint(operation: &'static str, value: &(impl Encode + ?Sized)) -> Result<i64> {
    with_record(operation, &[], value, |record| {
        let mut key = [0; 8];
        done(operation, &[], sys::mint(0, record, &mut key))?;
        Ok(i64::from_le_bytes(key))
    })
}

/// Whether something is stored.
#[inline]
pub(crate) fn has(operation: &'static str, ns: u32, key: &[u8]) -> Result<bool> {
    found(operation, key, sys::has(ns, key)).map(|len| len.is_some())
}

/// Deletes what is stored, if anything.
#[inline]
pub(crate) fn delete(operation: &'static str, ns: u32, key: &[u8]) -> Result<()> {
    done(operation, key, sys::delete(ns, key))
}

/// Nothing or the failure.
#[inline]
pub(crate) fn done(operation: &'static str, key: &[u8], status: i32) -> Result<()> {
    if status < 0 {
        return Err(Error::host(operation, key, status));
    }
    Ok(())
}
