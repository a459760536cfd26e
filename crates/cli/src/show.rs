//! Keys, values and messages as text.
//!
//! Invariant: whatever the bytes, what is shown is on one line and free of
//! control characters.

mod key;

use std::fmt;

use wasm_storage_abi::{keyspace, limits};
use wasm_storage_codec::record::{Entry, ScalarValue};
use wasm_storage_wasmtime::Val;

pub(crate) use key::Key;

/// Bytes of a value that are shown in hex.
const SHOWN_BYTES: usize = 32;

/// Bytes of a message that are shown: a guest's text and what we say around it.
const MESSAGE_BYTES: usize = 2 * limits::ERROR_TEXT_BYTES;

/// Bytes in hex, all of them.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What is stored under a key: the entry by its tag, else hex, shortened.
pub(crate) struct Value<'a> {
    /// Some key spaces have values without a tag.
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let raw = self.key.starts_with(&keyspace::LEGACY) || self.key.starts_with(&keyspace::WASI);
        if !raw && let Ok(entry) = Entry::parse(self.value) {
            return entry.fmt(f);
        }
        let shown = self.value.get(..SHOWN_BYTES).unwrap_or(self.value);
        f.write_str("hex")?;
        if !shown.is_empty() {
            write!(f, " {}", Hex(shown))?;
        }
        if shown.len() < self.value.len() {
            f.write_str("…")?;
        }
        match self.value.len() {
            1 => f.write_str(" (1 byte)"),
            bytes => write!(f, " ({bytes} bytes)"),
        }
    }
}

/// A result of a function: integers signed, floats as `scan` shows them.
pub(crate) fn number(value: &Val) -> String {
    let scalar = match value {
        Val::I32(v) => ScalarValue::I32(*v),
        Val::I64(v) => ScalarValue::I64(*v),
        Val::F32(bits) => ScalarValue::F32(f32::from_bits(*bits)),
        Val::F64(bits) => ScalarValue::F64(f64::from_bits(*bits)),
        Val::V128(v) => ScalarValue::U128(v.as_u128()),
        _ => return "a reference".into(),
    };
    scalar.to_string()
}

/// A message on one line: line breaks become spaces, other control characters
/// are escaped, and what is far too long is cut.
pub(crate) fn one_line(text: &str) -> String {
    let cut = text.floor_char_boundary(MESSAGE_BYTES);
    let (text, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut shown = String::with_capacity(text.len());
    for c in lines.join(" ").trim().chars() {
        // `escape_debug` would escape quotes and backslashes too.
        if c == ' ' || c == '\\' || c == '"' || c == '\'' {
            shown.push(c);
        } else {
            shown.extend(c.escape_debug());
        }
    }
    if !rest.is_empty() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(key: &[u8], value: &[u8]) -> String {
        Value { key, value }.to_string()
    }

    #[test]
    fn a_value_is_shown_by_its_tag_and_otherwise_in_hex() {
        assert_eq!(value(b"k", &[4, 0, 3, 0, 0, 0, 0, 0, 0, 0]), "i64 3");
        assert_eq!(value(b"k", b"\x0f\0hi"), "string \"hi\"");
        assert_eq!(value(b"k", b""), "hex (0 bytes)");
        assert_eq!(value(b"k", b"\xff"), "hex ff (1 byte)");
        let long = value(b"k", &[0xee; 33]);
        assert_eq!(long, format!("hex {}… (33 bytes)", "ee".repeat(32)));
        // The same bytes as above, in a key space without tags.
        assert_eq!(value(b"\0\x02k", b"\x0f\0hi"), "hex 0f006869 (4 bytes)");
        assert_eq!(value(b"\0\x03k", b"\x0f\0hi"), "hex 0f006869 (4 bytes)");
    }

    #[test]
    fn results_are_shown_signed_and_floats_stay_floats() {
        assert_eq!(number(&Val::I32(-1)), "-1");
        assert_eq!(number(&Val::I64(i64::MIN)), "-9223372036854775808");
        assert_eq!(number(&Val::F32(1.0_f32.to_bits())), "1.0");
        assert_eq!(number(&Val::F64(f64::NAN.to_bits())), "NaN");
    }

    #[test]
    fn a_message_cannot_drive_a_terminal() {
        assert_eq!(
            one_line("panicked at a.rs:1:2:\n  \"no\" \u{1b}[31m\r\nc:\\x\n"),
            "panicked at a.rs:1:2: \"no\" \\u{1b}[31m c:\\x"
        );
    }

    #[test]
    fn a_message_is_cut_where_nobody_reads_on() {
        assert_eq!(one_line(&"x".repeat(8192)), "x".repeat(8192));
        assert_eq!(
            one_line(&"ü".repeat(5000)),
            format!("{}…", "ü".repeat(4096))
        );
    }
}
