//! Stored entries: `[tag u8][schema version varint][payload]`.
//!
//! Invariant: an entry says its type, and reading it as another type is an
//! error. Every entry has one byte form, so `put_if_equal` may compare bytes:
//! the varint is the shortest one, and only records of user types (tag
//! POSTCARD) have a version other than 0.
//!
//! The varint is unsigned LEB128 of at most 32 bits (DWARF 5, section 7.6:
//! <https://dwarfstd.org/doc/DWARF5.pdf>). Scalars are little-endian (`scalar.rs`);
//! total decoding for tools and its printed form is [`Entry`] (`entry.rs`).
//!
//! Elsewhere: tags are `wasm_storage_abi::tag`; postcard is read by the guest
//! crate and, with a shape, by the host's catalog. The host itself reads only
//! the i64 tag, by [`read_i64_entry`].

mod entry;
mod scalar;

use core::fmt;

use wasm_storage_abi::tag;

use crate::buf::KeyBuf;

pub use entry::{Elements, Entry};
pub use scalar::{Numeric, Scalar, ScalarValue};

/// Longest header, in bytes: the tag and a version of 32 bits.
pub const MAX_HEADER_BYTES: usize = 6;
/// Longest entry of a scalar, in bytes: header (2) and payload (16).
pub const MAX_SCALAR_RECORD_BYTES: usize = 18;
/// Bytes of a type id, in front of postcard.
pub const TYPE_ID_BYTES: usize = 4;

/// The first bytes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// A tag of `wasm_storage_abi::tag`.
    pub tag: u8,
    /// Schema version of the user's type; 0 for all that is not one.
    pub version: u32,
}

/// Why bytes are not an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// No bytes at all. (An entry has a header, an empty value is not one.)
    Empty,
    /// The tag is not assigned.
    UnknownTag(u8),
    /// The version is cut short, longer than 32 bits, not the shortest form, or
    /// other than 0 for a tag that has no versions.
    BadVersion,
    /// The payload's length does not go with the tag.
    BadLength {
        /// The entry's tag.
        tag: u8,
        /// Length of the payload, in bytes.
        actual: usize,
    },
    /// Text is not UTF-8.
    BadUtf8 {
        /// The entry's tag: STRING or JSON.
        tag: u8,
    },
    /// A byte pattern that the tag's type does not have: a `bool` of 2, a
    /// surrogate, an array of something else than numbers.
    BadValue {
        /// The entry's tag.
        tag: u8,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |tag| tag::name(tag).unwrap_or("unknown");
        match *self {
            RecordError::Empty => f.write_str("entry has no header"),
            RecordError::UnknownTag(tag) => write!(f, "entry has the unknown tag {tag}"),
            RecordError::BadVersion => f.write_str("entry has a malformed schema version"),
            RecordError::BadLength { tag, actual } => {
                write!(f, "{} entry has a payload of {actual} bytes", name(tag))?;
                match tag::scalar_bytes(tag) {
                    Some(expected) => write!(f, " instead of {expected}"),
                    None => Ok(()),
                }
            }
            RecordError::BadUtf8 { tag } => write!(f, "{} entry is not UTF-8", name(tag)),
            RecordError::BadValue { tag } => {
                write!(f, "{} entry has a value outside its type", name(tag))
            }
        }
    }
}

impl core::error::Error for RecordError {}

/// Splits an entry into header and payload. The payload is not looked at.
pub fn split(record: &[u8]) -> Result<(Header, &[u8]), RecordError> {
    let (&tag, rest) = record.split_first().ok_or(RecordError::Empty)?;
    if tag::name(tag).is_none() {
        return Err(RecordError::UnknownTag(tag));
    }
    let (version, payload) = read_version(rest).ok_or(RecordError::BadVersion)?;
    Ok((Header { tag, version }, payload))
}

/// Writes a header; the payload follows.
#[inline]
pub fn write_header(tag: u8, version: u32, out: &mut KeyBuf<'_>) {
    out.push(tag);
    let mut rest = version;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn read_version(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut rest = bytes;
    let mut version = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, tail) = rest.split_first()?;
        rest = tail;
        let low = u32::from(byte & 0x7F);
        let part = low << shift;
        if part >> shift != low {
            return None; // more than 32 bits
        }
        version |= part;
        if byte & 0x80 == 0 {
            let longer_than_needed = byte == 0 && shift != 0;
            return (!longer_than_needed).then_some((version, rest));
        }
    }
    None
}

/// Length of an `i64` entry.
pub const I64_ENTRY_BYTES: usize = 10;

/// The entry of an `i64`, which the host writes for `add` and `increment`.
///
/// ```
/// use wasm_storage_codec::record::{i64_entry, read_i64_entry};
///
/// assert_eq!(read_i64_entry(&i64_entry(-3)), Some(-3));
/// assert_eq!(read_i64_entry(b"raw bytes!"), None);
/// ```
pub fn i64_entry(value: i64) -> [u8; I64_ENTRY_BYTES] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [tag::I64, 0, a, b, c, d, e, f, g, h]
}

/// The value of an `i64` entry, `None` if the bytes are anything else.
pub fn read_i64_entry(record: &[u8]) -> Option<i64> {
    match record {
        [tag::I64, 0, payload @ ..] => payload.try_into().ok().map(i64::from_le_bytes),
        _ => None,
    }
}
