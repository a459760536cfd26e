//! Where a record of 2020 is, and what it is: key space `00 02`, then the key; a count
//! (i32, little-endian), then as many i32.
//!
//! Invariant: whatever fails ends the call, with a text that names the function
//! and the key.

use alloc::string::String;
use alloc::vec::Vec;

use wasm_storage_abi::{keyspace, legacy};

use super::encode::Fault;
use crate::host::{self, NOT_FOUND, SMALL};
use crate::keys::with_minted;
use crate::plain::or_end;
use crate::sys;
use crate::text::{HOLDS_NOTHING, Line};

/// Bytes of a number.
const NUMBER: usize = 4;
/// Bytes of a key that count.
const KEY: usize = 32;
const _: () = assert!(legacy::KEY_BYTES == 32, "as above");

/// A key as it is stored.
pub(in crate::compat) struct Place {
    bytes: [u8; KEY + keyspace::LEGACY.len()],
    len: usize,
}

impl Place {
    /// The place of a key: its first 32 bytes count.
    pub(in crate::compat) fn of(operation: &'static str, key: &str) -> Place {
        if key.contains('\0') {
            let mut line = begin(operation, key);
            line.text("has a NUL in it, which no key of 2020 can have");
            line.end();
        }
        let mut place = Place {
            bytes: [0; KEY + keyspace::LEGACY.len()],
            len: 0,
        };
        let bytes = keyspace::LEGACY.into_iter().chain(key.bytes());
        for (slot, byte) in place.bytes.iter_mut().zip(bytes) {
            *slot = byte;
            place.len = place.len.wrapping_add(1);
        }
        place
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// A key that nothing else in the store has: 32 hex digits, as those that the host
/// made in 2020. The last 16 are a minted number, with the bits of a UUID of version 8
/// (RFC 9562, section 5.8: for whatever one likes), so it is none of the random ones.
///
/// Host calls: 2.
pub(in crate::compat) fn fresh_key(operation: &'static str) -> String {
    let mut number = [0; 8];
    or_end(host::done(operation, &[], sys::mint(0, &[], &mut number)));
    let number = i64::from_le_bytes(number);
    // The number is what is wanted, not an entry under it.
    or_end(with_minted(number, |key| host::delete(operation, 0, key)));
    let number = number.cast_unsigned() | 1 << 63;
    let mut key = String::with_capacity(KEY);
    key.push_str("0000000000008000");
    for byte in number.to_be_bytes() {
        for half in [byte >> 4, byte & 15] {
            key.push(char::from(crate::text::hex_digit(half)));
        }
    }
    key
}

/// Writes a record.
///
/// Host calls: 1.
pub(in crate::compat) fn write(
    operation: &'static str,
    key: &str,
    numbers: impl ExactSizeIterator<Item = i32>,
) {
    let place = Place::of(operation, key);
    let Ok(count) = i32::try_from(numbers.len()) else {
        let mut line = begin(operation, key);
        line.text("cannot hold as many numbers");
        line.end();
    };
    let bytes = numbers.len().saturating_add(1).saturating_mul(NUMBER);
    let mut record = Vec::with_capacity(bytes);
    record.extend(count.to_le_bytes());
    for number in numbers {
        record.extend(number.to_le_bytes());
    }
    let status = sys::put(0, place.bytes(), &record);
    or_end(host::done(operation, place.bytes(), status));
}

/// Calls `then` with the numbers of a record; its fault ends the call.
///
/// Host calls: 1, and `fetch` for a record over 256 bytes.
pub(in crate::compat) fn read<T>(
    operation: &'static str,
    key: &str,
    then: impl FnOnce(&mut dyn ExactSizeIterator<Item = i32>) -> Result<T, Fault>,
) -> T {
    let place = Place::of(operation, key);
    let mut room = [0; SMALL];
    let status = sys::get(0, place.bytes(), &mut room);
    if status == NOT_FOUND {
        let mut line = begin(operation, key);
        line.text(HOLDS_NOTHING);
        line.end();
    }
    let len = or_end(host::length(operation, place.bytes(), status));
    let read = |record: &[u8]| numbers(record).and_then(|mut numbers| then(&mut numbers));
    match or_end(host::with_answer(
        operation,
        place.bytes(),
        &room,
        len,
        read,
    )) {
        Ok(value) => value,
        Err(fault) => {
            let mut line = begin(operation, key);
            line.text("holds something else than ");
            line.text(core::any::type_name::<T>());
            line.text(": ");
            line.text(fault.0);
            line.end()
        }
    }
}

/// The numbers of a record: as many as its count says. A negative one says none.
fn numbers(record: &[u8]) -> Result<impl ExactSizeIterator<Item = i32>, Fault> {
    let (numbers, _) = record.as_chunks::<NUMBER>();
    let (count, numbers) = numbers
        .split_first()
        .ok_or(Fault("it has no count of its numbers"))?;
    let count = usize::try_from(i32::from_le_bytes(*count)).unwrap_or(0);
    let numbers = numbers
        .get(..count)
        .ok_or(Fault("it has fewer numbers than its count says"))?;
    Ok(numbers.iter().map(|bytes| i32::from_le_bytes(*bytes)))
}

/// Ends the call: numbers or a value that no key is about.
pub(in crate::compat) fn end<T>(operation: &'static str, what: &str, fault: Fault) -> ! {
    let mut line = Line::new();
    line.begin(operation);
    line.text(what);
    line.text(core::any::type_name::<T>());
    line.text(": ");
    line.text(fault.0);
    line.end()
}

/// The function and the key.
fn begin(operation: &'static str, key: &str) -> Line {
    let mut line = Line::new();
    line.begin(operation);
    line.text("key ");
    line.quoted(key.as_bytes());
    line.push(b' ');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn read(record: &[u8]) -> Result<Vec<i32>, &'static str> {
        match numbers(record) {
            Ok(numbers) => Ok(numbers.collect()),
            Err(fault) => Err(fault.0),
        }
    }

    #[test]
    fn a_record_has_as_many_numbers_as_its_count_says_or_is_none() {
        assert_eq!(read(&[1, 0, 0, 0, 7, 0, 0, 0]), Ok(vec![7]));
        // More are not looked at, and a negative count is none: as the crates of 2020 read.
        assert_eq!(read(&[1, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0]), Ok(vec![7]));
        assert_eq!(read(&[0xff; 8]), Ok(vec![]));
        for short in [&[][..], &[0, 0, 0]] {
            assert_eq!(read(short), Err("it has no count of its numbers"));
        }
        for short in [
            &[1, 0, 0, 0][..],
            &[1, 0, 0, 0, 7, 0, 0],
            &[0xff, 0xff, 0xff, 0x7f, 7, 0, 0, 0],
        ] {
            assert_eq!(read(short), Err("it has fewer numbers than its count says"));
        }
    }
}
