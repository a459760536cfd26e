//! The first byte of a stored entry: `[tag u8][schema version varint][payload]`.
//! Scalar payloads are little-endian and of fixed length.

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $value:literal $text:literal;)*) => {
        $($(#[$doc])* pub const $name: u8 = $value;)*

        /// The name of a tag, as messages and tools show it.
        pub const fn name(tag: u8) -> Option<&'static str> {
            match tag {
                $($value => Some($text),)*
                _ => None,
            }
        }

        /// Every assigned tag.
        pub const ALL: &[u8] = &[$($value),*];
    };
}

tags! {
    /// `i8`, 1 byte.
    I8 = 1 "i8";
    /// `i16`, 2 bytes.
    I16 = 2 "i16";
    /// `i32`, 4 bytes.
    I32 = 3 "i32";
    /// `i64`, 8 bytes. The only tag the host itself reads (`add`, `increment`).
    I64 = 4 "i64";
    /// `i128`, 16 bytes.
    I128 = 5 "i128";
    /// `u8`, 1 byte.
    U8 = 6 "u8";
    /// `u16`, 2 bytes.
    U16 = 7 "u16";
    /// `u32`, 4 bytes.
    U32 = 8 "u32";
    /// `u64`, 8 bytes.
    U64 = 9 "u64";
    /// `u128`, 16 bytes.
    U128 = 10 "u128";
    /// `f32`, IEEE 754, 4 bytes.
    F32 = 11 "f32";
    /// `f64`, IEEE 754, 8 bytes.
    F64 = 12 "f64";
    /// `bool`, 1 byte: 0 or 1.
    BOOL = 13 "bool";
    /// `char`, 4 bytes: a Unicode scalar value.
    CHAR = 14 "char";
    /// UTF-8 text.
    STRING = 15 "string";
    /// Bytes.
    BYTES = 16 "bytes";
    /// Numbers one after the other: a numeric tag, then the elements.
    ARRAY = 17 "array";
    /// A postcard value: 4-byte type id, then postcard.
    POSTCARD = 18 "record";
    /// UTF-8 JSON.
    JSON = 19 "json";
    /// Anything; the program alone knows.
    RAW = 20 "raw";
}

/// Payload length in bytes of a scalar tag; `None` for the tags of varying length.
pub const fn scalar_bytes(tag: u8) -> Option<usize> {
    match tag {
        I8 | U8 | BOOL => Some(1),
        I16 | U16 => Some(2),
        I32 | U32 | F32 | CHAR => Some(4),
        I64 | U64 | F64 => Some(8),
        I128 | U128 => Some(16),
        _ => None,
    }
}

/// Whether a tag may be the element of an [`ARRAY`]: the integers and floats.
pub const fn is_numeric(tag: u8) -> bool {
    tag >= I8 && tag <= F64
}
