//! From what a caller holds to the bytes of a key, on the stack.
//!
//! Invariant: no allocation. A key is built in 128 bytes; a longer one is built
//! again, on a cold path, in as many bytes as a key may have.
//!
//! Elsewhere: the encodings are `wasm_storage_codec::key`; which first bytes
//! belong to whom is `wasm_storage_abi::keyspace`.

use wasm_storage_abi::keyspace::{COLLECTION, COLLECTION_NAME_MIN_BYTE, MINTED};
use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::{AsKey, AtKey, Key, KeyBuf};

use crate::error::{Error, Result};

/// Bytes on the stack for a key of usual length.
const SHORT: usize = 128;

/// Calls `then` with the key that `encode` writes, or `too_long` with its start.
#[inline]
fn with_key<R>(
    encode: impl Fn(&mut KeyBuf<'_>),
    then: impl FnOnce(&[u8]) -> R,
    too_long: impl FnOnce(&[u8]) -> R,
) -> R {
    let mut short = [0; SHORT];
    let mut long;
    let len = written(&encode, &mut short);
    let mut key = short.get(..len);
    if key.is_none() {
        // Room on the stack is taken in any case, and touched in this one only.
        long = [0; limits::KEY_BYTES];
        let len = written(&encode, &mut long);
        key = long.get(..len);
    }
    match key {
        Some(key) => then(key),
        None => too_long(&short),
    }
}

/// How many bytes `encode` writes. A function of its own, so that a program has
/// each encoding once.
#[inline(never)]
pub(crate) fn written(encode: &impl Fn(&mut KeyBuf<'_>), memory: &mut [u8]) -> usize {
    let mut out = KeyBuf::new(memory);
    encode(&mut out);
    out.len()
}

/// What is said of a key that is too long.
pub(crate) const TOO_LONG: &str = "is over the limit of 4096 bytes for keys";

const _: () = assert!(limits::KEY_BYTES == 4096, "the text above says 4096");

/// Calls `then` with a key in a collection.
#[inline]
pub(crate) fn in_collection<K: Key, R>(
    operation: &'static str,
    name: &str,
    key: &impl AsKey<K>,
    then: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    let encode = |out: &mut KeyBuf<'_>| {
        out.extend(name.as_bytes());
        out.push(COLLECTION);
        key.encode(out);
    };
    with_key(encode, then, |start| Err(too_long(operation, start)))
}

/// Calls `then` with a key of the `_at` functions.
#[inline]
pub(crate) fn chosen<R>(
    operation: &'static str,
    key: &impl AtKey,
    then: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    chosen_or(key, then, |start| Err(too_long(operation, start)))
}

/// [`chosen`], with something else than an error for a key that is too long.
#[inline]
pub(crate) fn chosen_or<R>(
    key: &impl AtKey,
    then: impl FnOnce(&[u8]) -> R,
    too_long: impl FnOnce(&[u8]) -> R,
) -> R {
    with_key(|out| key.encode_at(out), then, too_long)
}

#[cold]
#[inline(never)]
fn too_long(operation: &'static str, start: &[u8]) -> Error {
    Error::other(operation, start, Kind::TooLarge, TOO_LONG)
}

/// Calls `then` with the bytes of a minted key.
///
/// A loop: `to_be_bytes` is many instructions in Wasm.
#[inline]
pub(crate) fn with_minted<R>(key: i64, then: impl FnOnce(&[u8]) -> R) -> R {
    let [a, b] = MINTED;
    let mut bytes = [a, b, 0, 0, 0, 0, 0, 0, 0, 0];
    write_minted(key, &mut bytes);
    then(&bytes)
}

#[inline(never)]
fn write_minted(mut key: i64, bytes: &mut [u8; 10]) {
    for slot in bytes.iter_mut().skip(MINTED.len()).rev() {
        [*slot, ..] = key.to_le_bytes();
        key >>= 8;
    }
}

/// Checks the name of a collection, where a `static` is made of it: 1 to 64
/// bytes, none below `0x20`. So no name is the start of another collection's keys,
/// and none looks like a key space of another writer.
#[track_caller]
pub(crate) const fn checked_name(name: &'static str) -> &'static str {
    let mut rest = name.as_bytes();
    assert!(
        !rest.is_empty(),
        "the name of a collection must not be empty"
    );
    assert!(
        rest.len() <= limits::COLLECTION_NAME_BYTES,
        "the name of a collection must have at most 64 bytes"
    );
    while let [byte, tail @ ..] = rest {
        assert!(
            *byte >= COLLECTION_NAME_MIN_BYTE,
            "the name of a collection must have no control characters"
        );
        rest = tail;
    }
    name
}
