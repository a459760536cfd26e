//! The first bytes of a key say who wrote it. Without this table the writers
//! would collide.
//!
//! | first bytes | then | written by | value |
//! |---|---|---|---|
//! | `00 01` | i64 big-endian | `mint` | entry |
//! | `00 02` | key bytes | the imports of 2020 | raw |
//! | `00 03` | UTF-8 | `wasi:keyvalue` | raw |
//! | `00 04` | kind, key | the `_at` functions | entry |
//! | name | nothing | `Item`, `Counter` | entry |
//! | name `00` | ordered key | `Map` | entry |

/// Keys made by the host (`mint`): then the key as i64, big-endian.
pub const MINTED: [u8; 2] = [0x00, 0x01];
/// Keys of the imports of 2020; raw values.
pub const LEGACY: [u8; 2] = [0x00, 0x02];
/// Keys of `wasi:keyvalue`; raw values.
pub const WASI: [u8; 2] = [0x00, 0x03];
/// Keys of the caller's choosing (`_at` functions): then a kind byte of [`at`].
pub const AT: [u8; 2] = [0x00, 0x04];
/// Between the name of a `Map` and the ordered key in it.
pub const COLLECTION: u8 = 0x00;
/// Bytes below this do not occur in the name of a collection.
pub const COLLECTION_NAME_MIN_BYTE: u8 = 0x20;

/// The kind byte behind [`AT`]. Integers are widened, so that `1u32` and `1u64` are one key.
pub mod at {
    /// A string.
    pub const STR: u8 = 1;
    /// Bytes.
    pub const BYTES: u8 = 2;
    /// An unsigned integer, widened to u64.
    pub const U64: u8 = 3;
    /// A signed integer, widened to i64.
    pub const I64: u8 = 4;
    /// A tuple.
    pub const TUPLE: u8 = 5;
}
