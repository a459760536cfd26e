//! A line of text on the stack, and how keys are shown in it.
//!
//! Invariant: what does not fit is cut; nothing here panics, allocates or formats.
//!
//! Elsewhere: what an error says is `error.rs`; what the first bytes of a key mean
//! is `wasm_storage_abi::keyspace`.

use core::fmt::{self, Write as _};

use wasm_storage_abi::keyspace::{AT, COLLECTION, LEGACY, MINTED, at};
use wasm_storage_abi::tag;

use crate::sys;

// Pieces of error texts.
pub(crate) const HOLDS: &str = "holds ";
pub(crate) const NOT: &str = ", not ";
pub(crate) const HOLDS_NOTHING: &str = "holds nothing";
pub(crate) const HOLDS_DAMAGE: &str = "holds damaged bytes";

/// A text of at most 512 bytes.
pub(crate) struct Line {
    bytes: [u8; Line::BYTES],
    len: usize,
}

impl Line {
    const BYTES: usize = 512;

    #[inline]
    pub(crate) fn new() -> Self {
        Line {
            bytes: [0; Line::BYTES],
            len: 0,
        }
    }

    /// The beginning of an error's text.
    #[inline]
    pub(crate) fn begin(&mut self, operation: &str) {
        self.text(operation);
        self.text(": ");
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }

    /// Ends the call with this text.
    #[inline]
    pub(crate) fn end(&self) -> ! {
        sys::abort(self.bytes())
    }

    #[inline(never)]
    pub(crate) fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
            self.len = self.len.wrapping_add(1);
        }
    }

    #[inline(never)]
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) {
        self.extend(text.as_bytes());
    }

    /// A number, decimal.
    #[inline(never)]
    pub(crate) fn number(&mut self, number: u64) {
        if let Some(tens @ 1..) = number.checked_div(10) {
            self.number(tens);
        }
        let [digit, ..] = (number % 10).to_le_bytes();
        self.push(b'0' | digit);
    }

    /// A number with its sign, decimal.
    pub(crate) fn signed(&mut self, number: i64) {
        if number < 0 {
            self.push(b'-');
        }
        self.number(number.unsigned_abs());
    }

    /// Bytes in quotes: printable ASCII as it is, others as `\xNN`. The end mark
    /// of a text key is left out.
    #[inline(never)]
    pub(crate) fn quoted(&mut self, bytes: &[u8]) {
        self.push(b'"');
        for &byte in bytes.strip_suffix(&[0, 0]).unwrap_or(bytes) {
            let mut shown = byte;
            if byte.wrapping_sub(0x20) >= 0x7F - 0x20 {
                self.text("\\x");
                self.push(hex_digit(byte >> 4));
                shown = hex_digit(byte & 15);
            }
            self.push(shown);
        }
        self.push(b'"');
    }

    /// The name of a tag.
    #[inline(never)]
    pub(crate) fn tag(&mut self, tag: u8) {
        let mut left = if usize::from(tag) > tag::ALL.len() {
            0
        } else {
            tag
        };
        for &byte in &TAG_NAMES {
            if byte == b',' {
                left = left.wrapping_sub(1);
            } else if left == 0 {
                self.push(byte);
            }
        }
    }

    /// The text of the host's last failure.
    pub(crate) fn host_text(&mut self) {
        if let Some(room) = self.bytes.get_mut(self.len..) {
            // Longer texts are cut by `bytes`.
            let len = usize::try_from(sys::error_text(room)).unwrap_or(0);
            self.len = self.len.wrapping_add(len);
        }
    }
}

pub(crate) fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' | nibble
    } else {
        nibble.wrapping_add(b'a' - 10)
    }
}

/// The names of all tags from 0 on, a comma behind each. One text is half the
/// size of a table of texts.
static TAG_NAMES: [u8; TAG_NAMES_BYTES] = {
    let mut names = [0; TAG_NAMES_BYTES];
    join_names(&mut names);
    names
};

const TAG_NAMES_BYTES: usize = join_names(&mut [0; 256]);

/// What an entry is called that was too long to be looked at, or has no known tag.
const TAG_0: &str = "something else";

#[expect(
    clippy::indexing_slicing,
    reason = "in a constant: what is out of range does not compile"
)]
const fn join_names(into: &mut [u8]) -> usize {
    let mut len = 0;
    let mut tag = 0_u8;
    while let Some(name) = if tag == 0 {
        Some(TAG_0)
    } else {
        tag::name(tag)
    } {
        let mut name = name.as_bytes();
        while let [byte, rest @ ..] = name {
            into[len] = *byte;
            len += 1;
            name = rest;
        }
        into[len] = b',';
        len += 1;
        tag += 1;
    }
    len
}

/// Writes a key as its writer knows it, and a blank. No key, no text.
/// `cut`: these are only its first bytes.
pub(crate) fn write_key(key: &[u8], cut: bool, out: &mut Line) {
    if key.is_empty() {
        return;
    }
    if let Some(key) = key.strip_prefix(&MINTED) {
        write_minted(number(key).cast_signed(), out);
    } else if key.starts_with(&AT) {
        write_chosen(key, out);
    } else if let Some(key) = key.strip_prefix(&LEGACY) {
        out.text("key ");
        out.quoted(key);
        out.push(b' ');
    } else {
        write_named(key, out);
    }
    if cut {
        out.text("... ");
    }
}

/// Writes a minted key: `key 3 `.
#[inline]
pub(crate) fn write_minted(key: i64, out: &mut Line) {
    out.text("key ");
    out.signed(key);
    out.push(b' ');
}

/// Writes a key of the `_at` functions: `key "hits" `, `key 7 `.
pub(crate) fn write_chosen(key: &[u8], out: &mut Line) {
    out.text("key ");
    if let Some(([kind], key)) = key.strip_prefix(&AT).and_then(<[u8]>::split_first_chunk) {
        match *kind {
            at::U64 => out.number(number(key)),
            at::I64 => out.signed(number(key).cast_signed() ^ i64::MIN),
            _ => out.quoted(key),
        }
    }
    out.push(b' ');
}

/// Writes a collection's name and, in a map, the key: `"config" `, `"stock" key "sku-1" `.
fn write_named(key: &[u8], out: &mut Line) {
    let mut parts = key.splitn(2, |byte| *byte == COLLECTION);
    out.quoted(parts.next().unwrap_or(&[]));
    if let Some(key @ [_, ..]) = parts.next() {
        out.text(" key ");
        out.quoted(key);
    }
    out.push(b' ');
}

/// A number, big-endian. A loop: `from_be_bytes` is many instructions in Wasm.
#[inline(never)]
fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// As text; bytes that are none become U+FFFD.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes().utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}
