//! The two byte sequences of `scan`: the spec that a guest sends, and the page
//! that it gets (`page.rs`).
//!
//! Spec: `{flags u32, limit u32, lo, hi, after: u32 length + bytes}`,
//! little-endian, nothing behind it. Invariant: a spec has one byte form, and
//! what [`ScanSpec::parse`] accepts is a range (`lo <= hi`).
//!
//! Elsewhere: flag bits are `wasm_storage_abi::wire::scan`; what a range means
//! (conflict check, own writes) is the engine's.

mod page;

use core::fmt;

use wasm_storage_abi::wire::scan;

use crate::buf::KeyBuf;
use crate::bytes::{put_counted, put_u32, take_counted, take_u32};

pub use page::{Page, PageIter, PageWriter};

/// One page's worth of a range. A byte string counts if its `HAS_` bit is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanSpec<'a> {
    /// Bits of `wasm_storage_abi::wire::scan`.
    pub flags: u32,
    /// Most entries of this page; 0 means no limit.
    pub limit: u32,
    /// Low end; in the range unless `LO_OPEN`.
    pub lo: &'a [u8],
    /// High end; not in the range unless `HI_INCL`.
    pub hi: &'a [u8],
    /// Only keys strictly beyond this one, in scan direction.
    pub after: &'a [u8],
}

/// Why bytes are not a scan spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// The bytes end too early.
    Truncated,
    /// Bytes follow behind the spec.
    TrailingBytes,
    /// Flag bits that are not assigned.
    UnknownFlags(u32),
    /// A byte string is there while its `HAS_` bit is off.
    Unannounced,
    /// The low end is greater than the high end.
    Reversed,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::Truncated => f.write_str("scan spec ends too early"),
            SpecError::TrailingBytes => f.write_str("bytes behind the scan spec"),
            SpecError::UnknownFlags(bits) => write!(f, "unknown scan flags {bits:#x}"),
            SpecError::Unannounced => {
                f.write_str("scan spec has lo, hi or after without its HAS_ flag")
            }
            SpecError::Reversed => f.write_str("scan range has lo > hi"),
        }
    }
}

impl core::error::Error for SpecError {}

impl<'a> ScanSpec<'a> {
    /// Bytes that [`write`](ScanSpec::write) writes.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        scan::SPEC_FIXED_BYTES
            .saturating_add(self.lo.len())
            .saturating_add(self.hi.len())
            .saturating_add(self.after.len())
    }

    /// Writes the spec.
    #[inline]
    pub fn write(&self, out: &mut KeyBuf<'_>) {
        put_u32(self.flags, out);
        put_u32(self.limit, out);
        put_counted(self.lo, out);
        put_counted(self.hi, out);
        put_counted(self.after, out);
    }

    /// Reads a spec that fills `bytes` to the end.
    pub fn parse(mut bytes: &'a [u8]) -> Result<ScanSpec<'a>, SpecError> {
        let from = &mut bytes;
        let flags = take_u32(from).ok_or(SpecError::Truncated)?;
        if flags & !scan::ALL != 0 {
            return Err(SpecError::UnknownFlags(flags & !scan::ALL));
        }
        let spec = ScanSpec {
            flags,
            limit: take_u32(from).ok_or(SpecError::Truncated)?,
            lo: take_counted(from).ok_or(SpecError::Truncated)?,
            hi: take_counted(from).ok_or(SpecError::Truncated)?,
            after: take_counted(from).ok_or(SpecError::Truncated)?,
        };
        if !bytes.is_empty() {
            return Err(SpecError::TrailingBytes);
        }
        let unannounced = |bit, bytes: &[u8]| flags & bit == 0 && !bytes.is_empty();
        if unannounced(scan::HAS_LO, spec.lo)
            || unannounced(scan::HAS_HI, spec.hi)
            || unannounced(scan::HAS_AFTER, spec.after)
        {
            return Err(SpecError::Unannounced);
        }
        if flags & scan::HAS_LO != 0 && flags & scan::HAS_HI != 0 && spec.lo > spec.hi {
            return Err(SpecError::Reversed);
        }
        Ok(spec)
    }

    /// Whether a flag bit is set.
    #[inline]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}
