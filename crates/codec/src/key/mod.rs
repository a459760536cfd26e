//! Keys as bytes, ordered like the values they stand for.
//!
//! Invariant: for two keys of one type, the order of their bytes is their
//! `Ord`; equal bytes mean equal keys; decoding takes any bytes and either
//! answers or says [`Malformed`].
//!
//! | type | bytes | file |
//! |---|---|---|
//! | unsigned integers | big-endian | `int.rs` |
//! | signed integers | sign bit flipped, big-endian | `int.rs` |
//! | `bool`, `char` | `00`/`01`; Unicode scalar value as u32 | `int.rs` |
//! | strings, bytes | `00` → `00 FF`, end `00 00` | `text.rs` |
//! | `[u8; N]` | as they are | `text.rs` |
//! | tuples | part after part | `tuple.rs` |
//!
//! The end mark is written behind a last part too, so a key never is the start
//! of another key of its type. The escape is that of the FoundationDB tuple
//! layer (<https://github.com/apple/foundationdb/blob/main/design/tuple.md>)
//! with a two-byte end mark, so that any part may follow.
//!
//! Floats are not keys: they have no total order and two zeros.
//!
//! Keys that name their kind themselves, for the `_at` functions, are in
//! `at.rs`. Elsewhere: who owns which first bytes is `wasm_storage_abi::keyspace`;
//! the name of a collection in front of a key is written by the guest crate.

mod at;
mod int;
mod text;
mod tuple;

use core::fmt;

pub use crate::buf::KeyBuf;
pub use at::{AtKey, AtPart};
pub use text::{encode_bytes_prefix, encode_str_prefix};

/// Bytes that are not the encoding of a key of the wanted type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not a key of this type")
    }
}

impl core::error::Error for Malformed {}

/// A type of keys: what stands in `Map<K, V>`.
///
/// What a caller holds is another type, see [`AsKey`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key type",
    label = "not a key type",
    note = "keys are u8..u128, i8..i128, bool, char, &'static str, String, &'static [u8], Vec<u8>, [u8; N] and tuples of 2 to 6 of them",
    note = "floats are not keys: they have no total order; store a scaled integer instead",
    note = "usize and isize are not keys: their width differs between guest and host; use u32 or u64"
)]
pub trait Key: 'static {
    /// What decoding gives: the type itself, or its owned form for borrowed ones.
    type Owned;

    /// Takes one key from the front of `r`. After an error, `r` is somewhere in it.
    fn decode(r: &mut &[u8]) -> Result<Self::Owned, Malformed>;
}

/// Something that a caller holds and that stands for a key of type `K`.
///
/// There is exactly one implementation per integer type, so literals find their
/// type: `get((7, 0))` for keys `(u32, u64)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand for a key of type `{K}`",
    label = "expected something that stands for a key of type `{K}`",
    note = "integers are not converted: write `7u32`, or `u32::try_from(n)?`, for a key of type u32",
    note = "floats are not keys: they have no total order; store a scaled integer instead",
    note = "str and String stand for &'static str and String keys, [u8] and Vec<u8> for byte keys, tuples for tuples, &T for what T stands for"
)]
pub trait AsKey<K: Key> {
    /// Writes the key.
    fn encode(&self, out: &mut KeyBuf<'_>);
}

impl<K: Key, Q: AsKey<K> + ?Sized> AsKey<K> for &Q {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        (**self).encode(out);
    }
}

/// A key of several parts: a tuple. Its first part is a prefix that a scan can fix.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no parts",
    label = "prefixes need a key that is a tuple",
    note = "for text that starts with something use `starts_with`"
)]
pub trait Composite: Key {
    /// The first part.
    type First: Key;
    /// What is left: the second part of a pair, else the tuple of the others.
    type Rest: Key;
}

/// Decodes a key that fills `bytes` to the end.
///
/// ```
/// use wasm_storage_codec::key::{self, Malformed};
///
/// assert_eq!(key::decode_all::<(u8, &'static str)>(b"\x07hi\0\0"), Ok((7, "hi".into())));
/// assert_eq!(key::decode_all::<u8>(b"\x07\x07"), Err(Malformed));
/// ```
pub fn decode_all<K: Key>(mut bytes: &[u8]) -> Result<K::Owned, Malformed> {
    let key = K::decode(&mut bytes)?;
    if bytes.is_empty() {
        Ok(key)
    } else {
        Err(Malformed)
    }
}

/// Writes the smallest byte string that is greater than every one that starts
/// with `prefix`: the open end of a range. Without one (`prefix` is empty or all
/// `FF`) nothing is written and the answer is false.
///
/// ```
/// use wasm_storage_codec::key::{KeyBuf, successor};
///
/// let mut memory = [0; 8];
/// let mut out = KeyBuf::new(&mut memory);
/// assert!(successor(b"a\xff\xff", &mut out));
/// assert_eq!(out.written(), Some(&b"b"[..]));
/// ```
pub fn successor(prefix: &[u8], out: &mut KeyBuf<'_>) -> bool {
    let mut rest = prefix;
    while let Some((last, head)) = rest.split_last() {
        if let Some(next) = last.checked_add(1) {
            out.extend(head);
            out.push(next);
            return true;
        }
        rest = head;
    }
    false
}
