//! Flag bits, op codes and fixed layouts of the byte sequences that cross the
//! boundary. All integers are little-endian. The reading and writing code is in
//! the `codec` crate.

/// `scan`: flag bits of the spec.
///
/// Spec: `{flags u32, limit u32 (0: none), lo, hi, after: u32 length + bytes}`. All three
/// byte strings are always present; a `HAS_` bit says whether one counts.
pub mod scan {
    /// From the high end to the low end.
    pub const REVERSE: u32 = 1 << 0;
    /// Entries come without their values.
    pub const KEYS_ONLY: u32 = 1 << 1;
    /// The reply is the number of entries, a u64.
    pub const COUNT_ONLY: u32 = 1 << 2;
    /// `lo` itself is not in the range.
    pub const LO_OPEN: u32 = 1 << 3;
    /// `hi` itself is in the range.
    pub const HI_INCL: u32 = 1 << 4;
    /// `lo` counts.
    pub const HAS_LO: u32 = 1 << 5;
    /// `hi` counts.
    pub const HAS_HI: u32 = 1 << 6;
    /// `after` counts: only keys strictly beyond it, in scan direction.
    pub const HAS_AFTER: u32 = 1 << 7;
    /// All assigned bits; any other is INVALID_ARGUMENT.
    pub const ALL: u32 = (1 << 8) - 1;
    /// Bytes of a spec without its three byte strings: flags, limit and three lengths.
    pub const SPEC_FIXED_BYTES: usize = 20;
    /// Bytes of a page before its entries: `{count u32, more u8, pad 3}`.
    pub const PAGE_HEADER_BYTES: usize = 8;
    /// Bytes of an entry before its key and value: `{klen u32, vlen u32}`.
    pub const ENTRY_HEADER_BYTES: usize = 8;
}

/// `exec`: op codes and flags.
///
/// Command: `{version u8, flags u8, count u16}`, then for each operation
/// `{op u8, flags u8, ns u16, klen u32, vlen u32, key, body}`. The body, `vlen` bytes, is the
/// fixed fields in the order of their flag bits, then the value: so a host steps over an
/// operation that it does not know. Reply: `{status i32, len u32, bytes}` for each, in order.
pub mod exec {
    /// The only version.
    pub const VERSION: u8 = 1;
    /// Bytes of a command before its operations.
    pub const HEADER_BYTES: usize = 4;
    /// Bytes of an operation before its key.
    pub const OP_HEADER_BYTES: usize = 12;
    /// Bytes of a reply before its bytes.
    pub const REPLY_HEADER_BYTES: usize = 8;

    /// Command flag: the first operation that fails is the last one run.
    pub const STOP_ON_ERROR: u8 = 1 << 0;
    /// Command flag: all operations happen or none (an implicit savepoint).
    pub const ATOMIC: u8 = 1 << 1;
    /// All assigned command flags.
    pub const ALL: u8 = (1 << 2) - 1;

    /// Value under a key.
    pub const GET: u8 = 1;
    /// Store a value; flags [`PUT_TTL`], [`PUT_IF_ABSENT`], [`PUT_IF_EQUAL`].
    pub const PUT: u8 = 2;
    /// Delete a key; flag [`DELETE_EXISTED`].
    pub const DELETE: u8 = 3;
    /// Checked add: body i64, reply i64.
    pub const ADD: u8 = 4;
    /// Store a value and reply the old one.
    pub const REPLACE: u8 = 5;
    /// Time to live: get, set or clear.
    pub const TTL: u8 = 6;
    /// Delete a bounded range; reply `{deleted u64, more u8}`.
    pub const DELETE_RANGE: u8 = 7;
    /// One page of a range: the value is a scan spec.
    pub const SCAN: u8 = 8;

    /// PUT: body has `ttl_ms` u64.
    pub const PUT_TTL: u8 = 1 << 0;
    /// PUT: CHECK_FAILED if the key is there.
    pub const PUT_IF_ABSENT: u8 = 1 << 1;
    /// PUT: body has `u32 length + bytes`; CHECK_FAILED unless the stored value equals them.
    pub const PUT_IF_EQUAL: u8 = 1 << 2;
    /// DELETE: reply one byte, 1 if the key was there. Reads, so it may conflict.
    pub const DELETE_EXISTED: u8 = 1 << 0;
    /// TTL: set it; body is `ttl_ms` u64. Without a flag: get it.
    pub const TTL_SET: u8 = 1 << 0;
    /// TTL: clear it, the key stays for good.
    pub const TTL_CLEAR: u8 = 1 << 1;
}

/// `info`: layout and capability bits.
///
/// Reply: `{minor u32, capabilities u32, key u32, value u32, page u32, batch u32, write_set u64}`.
pub mod info {
    /// Bytes of the reply.
    pub const BYTES: usize = 32;
    /// `commit` is granted.
    pub const PARTS: u32 = 1 << 0;
    /// Time to live is supported.
    pub const TTL: u32 = 1 << 1;
    /// `increment` never conflicts (without it, it is a checked add).
    pub const BLIND_INCREMENT: u32 = 1 << 2;
    /// More than one namespace can be open in an invocation.
    pub const NAMESPACES: u32 = 1 << 3;
}
