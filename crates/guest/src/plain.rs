//! What the plain functions do where the `try_` forms answer with an error: they
//! end the call, with the same text.
//!
//! For scalars the text is written here, without an [`Error`](crate::Error): a program that
//! only stores and loads scalars links neither the making nor the reading of one.
//!
//! Elsewhere: the functions are `store.rs` and `load.rs`.

use wasm_storage_codec::AtKey;

use crate::error::Result;
use crate::host::{self, NOT_FOUND};
use crate::keys::{TOO_LONG, chosen_or, with_minted};
use crate::sys;
use crate::text::{HOLDS, HOLDS_DAMAGE, HOLDS_NOTHING, Line, NOT, write_chosen, write_minted};
use crate::unreadable::TypeName;
use crate::value::{Encode, FIXED, Value};

/// The result, or the end of the call.
#[inline]
pub(crate) fn or_end<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(ref error) => error.end(),
    }
}

/// The value under a minted key.
#[inline]
pub(crate) fn demand<V: Value>(operation: &'static str, key: i64) -> V {
    with_minted(key, |bytes| {
        if const { V::SCALAR } {
            return demand_scalar(bytes, |status, found| {
                end_minted(operation, key, status, found, V::TYPE)
            });
        }
        or_end(host::require(operation, 0, bytes))
    })
}

/// The value under a chosen key.
#[inline]
pub(crate) fn demand_at<V: Value>(operation: &'static str, key: &impl AtKey) -> V {
    let read = |key: &[u8]| {
        if const { V::SCALAR } {
            return demand_scalar(key, |status, found| {
                end_chosen(operation, key, status, found, V::TYPE)
            });
        }
        or_end(host::require(operation, 0, key))
    };
    chosen_or(key, read, |start| end_too_long(operation, start))
}

#[inline]
fn demand_scalar<V: Value>(key: &[u8], end: impl FnOnce(i32, u8) -> V) -> V {
    let mut room = [0; FIXED];
    let status = sys::get(0, key, &mut room);
    match V::read_scalar(&room, status) {
        Some(value) => value,
        None => {
            let [found, ..] = room;
            end(status, found)
        }
    }
}

/// Writes a value under a fresh key; the key.
#[inline]
pub(crate) fn mint(operation: &'static str, value: &(impl Encode + ?Sized)) -> i64 {
    value.with_record(|record| {
        let mut key = [0; 8];
        if record.is_empty() {
            host::unwritable(operation, &[]).end();
        }
        let status = sys::mint(0, record, &mut key);
        if status < 0 {
            end_nowhere(operation, status);
        }
        i64::from_le_bytes(key)
    })
}

/// Writes a value under a chosen key.
#[inline]
pub(crate) fn put_at(operation: &'static str, key: &impl AtKey, value: &(impl Encode + ?Sized)) {
    let write = |key: &[u8]| {
        value.with_record(|record| {
            if record.is_empty() {
                host::unwritable(operation, key).end();
            }
            let status = sys::put(0, key, record);
            if status < 0 {
                end_chosen(operation, key, status, 0, TypeName::of(0));
            }
        });
    };
    chosen_or(key, write, |start| end_too_long(operation, start));
}

/// Ends the call for a status about no key.
#[cold]
#[inline(never)]
pub(crate) fn end_nowhere(operation: &'static str, status: i32) -> ! {
    let mut line = Line::new();
    line.begin(operation);
    end(&mut line, status, 0, TypeName::of(0))
}

#[cold]
#[inline(never)]
fn end_minted(operation: &'static str, key: i64, status: i32, found: u8, wanted: TypeName) -> ! {
    let mut line = Line::new();
    line.begin(operation);
    write_minted(key, &mut line);
    end(&mut line, status, found, wanted)
}

#[cold]
#[inline(never)]
fn end_chosen(operation: &'static str, key: &[u8], status: i32, found: u8, wanted: TypeName) -> ! {
    let mut line = Line::new();
    line.begin(operation);
    write_chosen(key, &mut line);
    end(&mut line, status, found, wanted)
}

#[cold]
#[inline(never)]
fn end_too_long(operation: &'static str, start: &[u8]) -> ! {
    let mut line = Line::new();
    line.begin(operation);
    write_chosen(start, &mut line);
    line.text(TOO_LONG);
    line.end()
}

/// Ends the call for a status, or for an entry of another type.
#[inline(never)]
fn end(line: &mut Line, status: i32, found: u8, wanted: TypeName) -> ! {
    if status == NOT_FOUND {
        line.text(HOLDS_NOTHING);
    } else if status < 0 {
        line.host_text();
    } else if found == wanted.tag() {
        line.text(HOLDS_DAMAGE);
    } else {
        line.text(HOLDS);
        line.tag(found);
        line.text(NOT);
        line.tag(wanted.tag());
    }
    line.end()
}
