//! Any entry, decoded and printed, for tools.
//!
//! Invariant: [`Entry::parse`] takes any bytes; what it accepts prints on one
//! line, free of control characters (stored text must not drive a terminal),
//! and long ones are shortened with their length named.

use core::fmt::{self, Write as _};

use wasm_storage_abi::tag;

use super::{RecordError, ScalarValue, TYPE_ID_BYTES, split};
use crate::bytes::take_array;

/// Characters of text that are printed.
const SHOWN_CHARS: usize = 200;
/// Bytes that are printed as hex.
const SHOWN_BYTES: usize = 32;
/// Elements of an array that are printed.
const SHOWN_ELEMENTS: usize = 16;

/// A stored entry of any type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry<'a> {
    /// A scalar.
    Scalar(ScalarValue),
    /// Text.
    Str(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Numbers; see [`Entry::elements`].
    Array {
        /// Tag of the elements' type.
        element: u8,
        /// How many.
        count: usize,
        /// The elements, one after the other.
        payload: &'a [u8],
    },
    /// A record of a user's type.
    Postcard {
        /// First bytes of the SHA-256 of the type's shape; 0 without a shape.
        type_id: [u8; 4],
        /// Schema version of the type.
        version: u32,
        /// The postcard bytes. They do not describe themselves.
        body: &'a [u8],
    },
    /// JSON text. Not parsed here.
    Json(&'a str),
    /// Bytes that the program alone knows.
    Raw(&'a [u8]),
}

impl<'a> Entry<'a> {
    /// Decodes an entry.
    ///
    /// ```
    /// use wasm_storage_codec::record::{Entry, i64_entry};
    ///
    /// assert_eq!(Entry::parse(&i64_entry(3)).unwrap().to_string(), "i64 3");
    /// assert_eq!(Entry::parse(b"\x0f\0hello").unwrap().to_string(), "string \"hello\"");
    /// ```
    pub fn parse(record: &'a [u8]) -> Result<Entry<'a>, RecordError> {
        let (header, mut payload) = split(record)?;
        let tag = header.tag;
        if header.version != 0 && tag != tag::POSTCARD {
            return Err(RecordError::BadVersion);
        }
        let actual = payload.len();
        let text = || core::str::from_utf8(payload).map_err(|_| RecordError::BadUtf8 { tag });
        match tag {
            tag::STRING => text().map(Entry::Str),
            tag::JSON => text().map(Entry::Json),
            tag::BYTES => Ok(Entry::Bytes(payload)),
            tag::RAW => Ok(Entry::Raw(payload)),
            tag::POSTCARD => {
                let type_id = take_array::<TYPE_ID_BYTES>(&mut payload)
                    .ok_or(RecordError::BadLength { tag, actual })?;
                Ok(Entry::Postcard {
                    type_id,
                    version: header.version,
                    body: payload,
                })
            }
            tag::ARRAY => {
                let (&element, payload) = payload
                    .split_first()
                    .ok_or(RecordError::BadLength { tag, actual })?;
                let width = element_bytes(element).ok_or(RecordError::BadValue { tag })?;
                match (
                    payload.len().checked_div(width),
                    payload.len().checked_rem(width),
                ) {
                    (Some(count), Some(0)) => Ok(Entry::Array {
                        element,
                        count,
                        payload,
                    }),
                    _ => Err(RecordError::BadLength { tag, actual }),
                }
            }
            _ if tag::scalar_bytes(tag) != Some(actual) => {
                Err(RecordError::BadLength { tag, actual })
            }
            _ => ScalarValue::read(tag, payload)
                .map(Entry::Scalar)
                .ok_or(RecordError::BadValue { tag }),
        }
    }

    /// The elements of an array; nothing for other entries.
    pub fn elements(&self) -> Elements<'a> {
        match *self {
            Entry::Array {
                element, payload, ..
            } => Elements { element, payload },
            _ => Elements {
                element: tag::U8,
                payload: &[],
            },
        }
    }

    /// The tag of the entry.
    pub fn tag(&self) -> u8 {
        match self {
            Entry::Scalar(value) => value.tag(),
            Entry::Str(_) => tag::STRING,
            Entry::Bytes(_) => tag::BYTES,
            Entry::Array { .. } => tag::ARRAY,
            Entry::Postcard { .. } => tag::POSTCARD,
            Entry::Json(_) => tag::JSON,
            Entry::Raw(_) => tag::RAW,
        }
    }
}

fn element_bytes(element: u8) -> Option<usize> {
    tag::scalar_bytes(element).filter(|_| tag::is_numeric(element))
}

/// The elements of an array, in order.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    element: u8,
    payload: &'a [u8],
}

impl Iterator for Elements<'_> {
    type Item = ScalarValue;

    fn next(&mut self) -> Option<ScalarValue> {
        let width = element_bytes(self.element)?;
        let (head, rest) = self.payload.split_at_checked(width)?;
        self.payload = rest;
        ScalarValue::read(self.element, head)
    }
}

/// One line: the type, then the value. `wasm-storage scan` prints this.
impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Entry::Scalar(value) => {
                write!(f, "{} {value}", tag::name(value.tag()).unwrap_or("scalar"))
            }
            Entry::Str(text) => {
                f.write_str("string \"")?;
                let rest = write_text(f, text, |c| c.is_ascii_graphic() && c != '"' && c != '\\')?;
                f.write_str("\"")?;
                write_rest(f, rest, text.len())
            }
            Entry::Json(text) => {
                f.write_str("json ")?;
                let rest = write_text(f, text, |c| c.is_ascii_graphic())?;
                write_rest(f, rest, text.len())
            }
            Entry::Bytes(bytes) => write_hex(f, "bytes", bytes),
            Entry::Raw(bytes) => write_hex(f, "raw", bytes),
            Entry::Postcard {
                type_id,
                version,
                body,
            } => {
                f.write_str("record ")?;
                for byte in type_id {
                    write!(f, "{byte:02x}")?;
                }
                write!(f, " v{version}")?;
                write_hex(f, "", body)
            }
            Entry::Array { element, count, .. } => {
                write!(f, "{}[{count}]", tag::name(element).unwrap_or("unknown"))?;
                for value in self.elements().take(SHOWN_ELEMENTS) {
                    write!(f, " {value}")?;
                }
                if count > SHOWN_ELEMENTS {
                    f.write_str(" …")?;
                }
                Ok(())
            }
        }
    }
}

/// Writes the start of a text, characters that are not `plain` as escapes
/// (printable ones beyond ASCII stay). Whether something is left.
fn write_text(
    f: &mut fmt::Formatter<'_>,
    text: &str,
    plain: impl Fn(char) -> bool,
) -> Result<bool, fmt::Error> {
    let mut chars = text.chars();
    for c in chars.by_ref().take(SHOWN_CHARS) {
        if plain(c) {
            f.write_char(c)?;
        } else {
            write!(f, "{}", c.escape_debug())?;
        }
    }
    Ok(chars.next().is_some())
}

fn write_hex(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    f.write_str(name)?;
    if !bytes.is_empty() {
        f.write_str(" ")?;
    }
    for byte in bytes.iter().take(SHOWN_BYTES) {
        write!(f, "{byte:02x}")?;
    }
    write_rest(f, bytes.len() > SHOWN_BYTES, bytes.len())
}

fn write_rest(f: &mut fmt::Formatter<'_>, rest: bool, len: usize) -> fmt::Result {
    if rest {
        write!(f, "… ({len} bytes)")?;
    }
    Ok(())
}
