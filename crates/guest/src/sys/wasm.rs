//! The imports, in Wasm. The block is made from the table in `wasm_storage_abi`,
//! so a name or a type cannot differ from the host's.
//!
//! Every import reads its inputs and writes its `out` during the call and keeps
//! no pointer. That, and slices that are valid by their type, is what each
//! `SAFETY` comment below means by "the contract of the ABI".

use core::sync::atomic::{AtomicU32, Ordering};

macro_rules! imports {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {
        #[allow(dead_code, reason = "the table has all imports, some for later")]
        mod import {
            #[link(wasm_import_module = "wasm_storage_v1")]
            unsafe extern "C" {
                $($(#[$doc])* pub(super) fn $name($($arg: $t),*) -> $r;)*
            }
        }
    };
}
wasm_storage_abi::for_each_v1_import!(imports);

/// Where a slice begins, as the host wants it. The provenance is exposed: the
/// host reads and writes there.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "addresses have 32 bits in wasm32"
)]
fn at(bytes: &[u8]) -> u32 {
    bytes.as_ptr().expose_provenance() as u32
}

/// [`at`], for memory that the host writes.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "addresses have 32 bits in wasm32"
)]
fn at_mut(bytes: &mut [u8]) -> u32 {
    bytes.as_mut_ptr().expose_provenance() as u32
}

#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "lengths have 32 bits in wasm32"
)]
fn len(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// Input of the call.
#[inline]
pub(crate) fn input(out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::input(at_mut(out), cap) }
}

/// Ends the call with a result (0) or an error text (1).
#[inline]
pub(crate) fn finish(status: i32, bytes: &[u8]) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::finish(status, at(bytes), len(bytes)) }
}

/// Value under a key.
#[inline]
pub(crate) fn get(ns: u32, key: &[u8], out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::get(ns, at(key), len(key), at_mut(out), cap) }
}

/// Stores a value.
#[inline]
pub(crate) fn put(ns: u32, key: &[u8], value: &[u8]) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::put(ns, at(key), len(key), at(value), len(value)) }
}

/// Stores a value under a fresh key.
#[inline]
pub(crate) fn mint(ns: u32, value: &[u8], out: &mut [u8; 8]) -> i32 {
    // SAFETY: the contract of the ABI; the key has 8 bytes.
    unsafe { import::mint(ns, at(value), len(value), at_mut(out)) }
}

/// Deletes a key.
#[inline]
pub(crate) fn delete(ns: u32, key: &[u8]) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::delete(ns, at(key), len(key)) }
}

/// Length of a value, or NOT_FOUND.
#[inline]
pub(crate) fn has(ns: u32, key: &[u8]) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::has(ns, at(key), len(key)) }
}

/// Adds to an i64 entry and gives the new value.
#[inline]
pub(crate) fn add(ns: u32, key: &[u8], delta: i64, out: &mut [u8; 8]) -> i32 {
    // SAFETY: the contract of the ABI; the value has 8 bytes.
    unsafe { import::add(ns, at(key), len(key), delta, at_mut(out)) }
}

/// Adds to an i64 entry, blindly.
#[inline]
pub(crate) fn increment(ns: u32, key: &[u8], delta: i64) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::increment(ns, at(key), len(key), delta) }
}

/// One page of a range.
#[inline]
pub(crate) fn scan(ns: u32, spec: &[u8], out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::scan(ns, at(spec), len(spec), at_mut(out), cap) }
}

/// Many operations.
#[inline]
pub(crate) fn exec(command: &[u8], out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::exec(at(command), len(command), at_mut(out), cap) }
}

/// The parked result.
#[inline]
pub(crate) fn fetch(out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::fetch(at_mut(out), cap) }
}

/// Handle of a namespace.
#[inline]
pub(crate) fn open(name: &[u8], flags: i32) -> i32 {
    // SAFETY: the contract of the ABI.
    unsafe { import::open(at(name), len(name), flags) }
}

/// Sets a savepoint.
#[inline]
pub(crate) fn savepoint() -> i32 {
    // SAFETY: no memory is passed.
    unsafe { import::savepoint() }
}

/// Forgets a savepoint.
#[inline]
pub(crate) fn release(savepoint: i32) -> i32 {
    // SAFETY: no memory is passed.
    unsafe { import::release(savepoint) }
}

/// Undoes all writes since a savepoint.
#[inline]
pub(crate) fn rollback_to(savepoint: i32) -> i32 {
    // SAFETY: no memory is passed.
    unsafe { import::rollback_to(savepoint) }
}

/// Ends a part of the call.
#[inline]
pub(crate) fn commit() -> i32 {
    // SAFETY: no memory is passed.
    unsafe { import::commit() }
}

/// Dooms the call. The host traps; on one that came back, this does.
#[inline]
pub(crate) fn abort(message: &[u8]) -> ! {
    // SAFETY: the contract of the ABI.
    unsafe { import::abort(at(message), len(message)) };
    core::arch::wasm32::unreachable()
}

/// Text of the last error.
#[inline]
pub(crate) fn error_text(out: &mut [u8]) -> i32 {
    let cap = len(out);
    // SAFETY: the contract of the ABI.
    unsafe { import::error_text(at_mut(out), cap) }
}

/// Numbers the failures of host calls, so that an error knows whether the
/// host's text is still its own.
static FAILURES: AtomicU32 = AtomicU32::new(0);

/// The number of the latest failure.
#[inline]
pub(crate) fn last_failure() -> u32 {
    FAILURES.load(Ordering::Relaxed)
}

/// Counts a failure; its number.
#[inline]
pub(crate) fn count_failure() -> u32 {
    let number = last_failure().wrapping_add(1);
    FAILURES.store(number, Ordering::Relaxed);
    number
}
