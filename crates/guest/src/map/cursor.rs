//! Where a page ended, so that a later call goes on there.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use wasm_storage_abi::Kind;

use crate::error::Error;
use crate::text::hex_digit;

/// The end of a page; [`Scan::after`](crate::Scan::after) goes on behind it.
///
/// It may leave the program, as text (`to_string`, `parse`) or by serde, and come
/// back in a later call: the host keeps nothing for it. A cursor of another scan,
/// or of the other direction, is [`Kind::InvalidArgument`] there.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Cursor, Map};
///
/// static STOCK: Map<&str, u32> = Map::new("stock");
/// STOCK.put("a", &1)?;
/// STOCK.put("b", &2)?;
///
/// let page = STOCK.iter().page(1)?;
/// assert_eq!(page.items, [("a".into(), 1)]);
///
/// let text = page.next.unwrap().to_string();
/// let cursor: Cursor = text.parse()?;
/// assert_eq!(STOCK.iter().after(cursor).page(1)?.items, [("b".into(), 2)]);
/// # Ok::<(), storage::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cursor {
    pub(super) reverse: bool,
    pub(super) key: Vec<u8>,
}

/// Text of letters and digits.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.key.len().saturating_mul(2).saturating_add(1));
        text.push(if self.reverse { 'r' } else { 'f' });
        for byte in &self.key {
            text.push(char::from(hex_digit(byte >> 4)));
            text.push(char::from(hex_digit(byte & 15)));
        }
        f.write_str(&text)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Cursor, Error> {
        parse(text).ok_or_else(|| {
            let operation = "Cursor::from_str";
            Error::other(
                operation,
                &[],
                Kind::InvalidArgument,
                "the text is no cursor",
            )
        })
    }
}

fn parse(text: &str) -> Option<Cursor> {
    let (direction, hex) = text.split_at_checked(1)?;
    let reverse = match direction {
        "f" => false,
        "r" => true,
        _ => return None,
    };
    let pairs = hex.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    let key = pairs.map(|pair| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    });
    Some(Cursor {
        reverse,
        key: key.collect::<Option<_>>()?,
    })
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        _ => None,
    }
}
