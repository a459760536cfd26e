//! Little-endian numbers and counted byte strings of `scan` and `exec`.
//!
//! Invariant: readers move forward only if they answer `Some`; nothing panics.

use crate::buf::KeyBuf;

/// Takes `N` bytes.
#[inline]
pub(crate) fn take_array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*head)
}

#[inline]
pub(crate) fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take_array(from).map(u32::from_le_bytes)
}

/// Takes `len` bytes; lengths on the wire are u32.
#[inline]
pub(crate) fn take<'a>(from: &mut &'a [u8], len: u32) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(usize::try_from(len).ok()?)?;
    *from = rest;
    Some(head)
}

/// Takes a length (u32) and as many bytes.
#[inline]
pub(crate) fn take_counted<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut at = *from;
    let len = take_u32(&mut at)?;
    let bytes = take(&mut at, len)?;
    *from = at;
    Some(bytes)
}

/// A length as it stands on the wire. Lengths beyond u32 do not occur (limits
/// are 64 MiB); one would become `u32::MAX`, which every reader refuses.
#[inline]
pub(crate) fn wire_len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[inline]
pub(crate) fn put_u32(value: u32, out: &mut KeyBuf<'_>) {
    out.extend(&value.to_le_bytes());
}

/// Writes a length (u32) and the bytes.
#[inline]
pub(crate) fn put_counted(bytes: &[u8], out: &mut KeyBuf<'_>) {
    put_u32(wire_len(bytes.len()), out);
    out.extend(bytes);
}
