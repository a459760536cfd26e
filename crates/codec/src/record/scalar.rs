//! Scalars: payloads of fixed length, little-endian.
//!
//! Floats are IEEE 754 binary32 and binary64, bit by bit: a NaN keeps its payload.

use core::fmt;

use wasm_storage_abi::tag;

use crate::buf::KeyBuf;

/// A type whose entry is a tag, version 0 and [`BYTES`](Scalar::BYTES) bytes:
/// `BYTES + 2` in all.
pub trait Scalar: Copy {
    /// Tag of the entry.
    const TAG: u8;
    /// Length of the payload, in bytes.
    const BYTES: usize;

    /// Writes the payload, without the header.
    fn write(self, out: &mut KeyBuf<'_>);

    /// Reads a payload; `None` if its length or its bits are not of this type.
    fn read(payload: &[u8]) -> Option<Self>;
}

/// A scalar that may be an element of an array: integers and floats.
pub trait Numeric: Scalar {}

/// A scalar of any type, for tools.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "each variant is the type it is named after")]
pub enum ScalarValue {
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Bool(bool),
    Char(char),
}

macro_rules! numbers {
    ($($t:ty, $tag:ident;)*) => {$(
        impl Scalar for $t {
            const TAG: u8 = tag::$tag;
            const BYTES: usize = size_of::<$t>();

            #[inline]
            fn write(self, out: &mut KeyBuf<'_>) {
                out.extend(&self.to_le_bytes());
            }

            #[inline]
            fn read(payload: &[u8]) -> Option<Self> {
                payload.try_into().ok().map(<$t>::from_le_bytes)
            }
        }

        impl Numeric for $t {}
    )*};
}
numbers! {
    i8, I8; i16, I16; i32, I32; i64, I64; i128, I128;
    u8, U8; u16, U16; u32, U32; u64, U64; u128, U128;
    f32, F32; f64, F64;
}

impl Scalar for bool {
    const TAG: u8 = tag::BOOL;
    const BYTES: usize = 1;

    #[inline]
    fn write(self, out: &mut KeyBuf<'_>) {
        out.push(u8::from(self));
    }

    #[inline]
    fn read(payload: &[u8]) -> Option<Self> {
        match payload {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl Scalar for char {
    const TAG: u8 = tag::CHAR;
    const BYTES: usize = 4;

    #[inline]
    fn write(self, out: &mut KeyBuf<'_>) {
        u32::from(self).write(out);
    }

    #[inline]
    fn read(payload: &[u8]) -> Option<Self> {
        u32::read(payload).and_then(char::from_u32)
    }
}

impl ScalarValue {
    /// Reads a payload by its tag; `None` if the tag is not a scalar's, or the
    /// payload not of its type.
    pub fn read(tag: u8, payload: &[u8]) -> Option<ScalarValue> {
        Some(match tag {
            tag::I8 => ScalarValue::I8(Scalar::read(payload)?),
            tag::I16 => ScalarValue::I16(Scalar::read(payload)?),
            tag::I32 => ScalarValue::I32(Scalar::read(payload)?),
            tag::I64 => ScalarValue::I64(Scalar::read(payload)?),
            tag::I128 => ScalarValue::I128(Scalar::read(payload)?),
            tag::U8 => ScalarValue::U8(Scalar::read(payload)?),
            tag::U16 => ScalarValue::U16(Scalar::read(payload)?),
            tag::U32 => ScalarValue::U32(Scalar::read(payload)?),
            tag::U64 => ScalarValue::U64(Scalar::read(payload)?),
            tag::U128 => ScalarValue::U128(Scalar::read(payload)?),
            tag::F32 => ScalarValue::F32(Scalar::read(payload)?),
            tag::F64 => ScalarValue::F64(Scalar::read(payload)?),
            tag::BOOL => ScalarValue::Bool(Scalar::read(payload)?),
            tag::CHAR => ScalarValue::Char(Scalar::read(payload)?),
            _ => return None,
        })
    }

    /// The tag of its type.
    pub fn tag(&self) -> u8 {
        match self {
            ScalarValue::I8(_) => tag::I8,
            ScalarValue::I16(_) => tag::I16,
            ScalarValue::I32(_) => tag::I32,
            ScalarValue::I64(_) => tag::I64,
            ScalarValue::I128(_) => tag::I128,
            ScalarValue::U8(_) => tag::U8,
            ScalarValue::U16(_) => tag::U16,
            ScalarValue::U32(_) => tag::U32,
            ScalarValue::U64(_) => tag::U64,
            ScalarValue::U128(_) => tag::U128,
            ScalarValue::F32(_) => tag::F32,
            ScalarValue::F64(_) => tag::F64,
            ScalarValue::Bool(_) => tag::BOOL,
            ScalarValue::Char(_) => tag::CHAR,
        }
    }
}

/// The value alone, as a Rust literal without its type: `3`, `1.0`, `'x'`, `true`.
impl fmt::Display for ScalarValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScalarValue::I8(v) => v.fmt(f),
            ScalarValue::I16(v) => v.fmt(f),
            ScalarValue::I32(v) => v.fmt(f),
            ScalarValue::I64(v) => v.fmt(f),
            ScalarValue::I128(v) => v.fmt(f),
            ScalarValue::U8(v) => v.fmt(f),
            ScalarValue::U16(v) => v.fmt(f),
            ScalarValue::U32(v) => v.fmt(f),
            ScalarValue::U64(v) => v.fmt(f),
            ScalarValue::U128(v) => v.fmt(f),
            // Debug: `1.0` stays a float, and 1e300 is not 300 digits.
            ScalarValue::F32(v) => fmt::Debug::fmt(v, f),
            ScalarValue::F64(v) => fmt::Debug::fmt(v, f),
            ScalarValue::Bool(v) => v.fmt(f),
            ScalarValue::Char(v) => fmt::Debug::fmt(v, f),
        }
    }
}
