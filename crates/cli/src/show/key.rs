//! A key as text, by who wrote it (`wasm_storage_abi::keyspace`).
//!
//! | form | key |
//! |---|---|
//! | `name` | an `Item`, a `Counter` |
//! | `name/"text"`, `name/"a", "b"` | an entry of a `Map` whose key is text |
//! | `name/00000007` | an entry of another `Map`: the key's type is not stored |
//! | `minted 7` | made by the host |
//! | `at "text"`, `at (7u64, -1i64)` | the `_at` functions, as Rust literals |
//! | `2020 "0123…"` | the imports of 2020 |
//! | `hex 0003ff` | any other |
//!
//! Invariant: what is not quoted has no space, quote or slash, so no name can be
//! taken for another form. Whether a `Map` key is text is a guess: bytes that read
//! as text are shown as text.

use std::fmt;

use wasm_storage_abi::{keyspace, limits};
use wasm_storage_codec::key::Key as _;

use super::Hex;

/// A key, shown readably.
pub(crate) struct Key<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.0.strip_prefix(&keyspace::MINTED)
            && let Ok(number) = number.try_into()
        {
            return write!(f, "minted {}", i64::from_be_bytes(number));
        }
        if let Some(key) = self.0.strip_prefix(&keyspace::AT)
            && let Some(key) = at(key)
        {
            return write!(f, "at {key}");
        }
        if let Some(key) = self.0.strip_prefix(&keyspace::LEGACY)
            && let Ok(key) = std::str::from_utf8(key)
        {
            return write!(f, "2020 {key:?}");
        }
        if self.0.is_empty() {
            return f.write_str("\"\"");
        }
        let (name, key) = split(self.0);
        let Some(name) = collection(name) else {
            return write!(f, "hex {}", Hex(self.0));
        };
        write_name(f, name)?;
        match key.map(|key| (key, text(key))) {
            None => Ok(()),
            Some((_, Some(text))) => write!(f, "/{text}"),
            Some((key, None)) => write!(f, "/{}", Hex(key)),
        }
    }
}

/// Name and, behind a 00, the key in a collection.
fn split(key: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = key.splitn(2, |byte| *byte == keyspace::COLLECTION);
    (parts.next().unwrap_or_default(), parts.next())
}

/// The bytes as the name of a collection, if they can be one.
fn collection(name: &[u8]) -> Option<&str> {
    let fits = (1..=limits::COLLECTION_NAME_BYTES).contains(&name.len())
        && name
            .iter()
            .all(|byte| *byte >= keyspace::COLLECTION_NAME_MIN_BYTE);
    std::str::from_utf8(name).ok().filter(|_| fits)
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let bare = name
        .chars()
        .all(|c| c.is_alphanumeric() || (c.is_ascii_punctuation() && !r#""'/\"#.contains(c)));
    if bare {
        f.write_str(name)
    } else {
        write!(f, "{name:?}")
    }
}

/// A key in a `Map` as quoted text, if it reads as strings. An integer can have
/// the bytes of a string, but hardly those of one that is not empty and printable.
fn text(mut key: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !key.is_empty() {
        let part = String::decode(&mut key).ok()?;
        if part.is_empty() || part.chars().any(char::is_control) {
            return None;
        }
        parts.push(format!("{part:?}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A key of the `_at` functions, behind its first two bytes.
fn at(key: &[u8]) -> Option<String> {
    let (kind, mut rest) = key.split_first()?;
    if *kind != keyspace::at::TUPLE {
        let mut rest = key;
        let part = at_part(&mut rest)?;
        return rest.is_empty().then_some(part);
    }
    let mut parts = Vec::new();
    while !rest.is_empty() {
        parts.push(at_part(&mut rest)?);
    }
    (parts.len() >= 2).then(|| format!("({})", parts.join(", ")))
}

/// One part, which names its kind itself.
fn at_part(bytes: &mut &[u8]) -> Option<String> {
    let (kind, rest) = bytes.split_first()?;
    *bytes = rest;
    match *kind {
        keyspace::at::STR => Some(format!("{:?}", String::decode(bytes).ok()?)),
        keyspace::at::BYTES => {
            let bytes = Vec::<u8>::decode(bytes).ok()?;
            Some(format!("b\"{}\"", bytes.escape_ascii()))
        }
        keyspace::at::U64 => Some(format!("{}u64", u64::decode(bytes).ok()?)),
        keyspace::at::I64 => Some(format!("{}i64", i64::decode(bytes).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_storage_codec::{AsKey, AtKey, KeyBuf};

    fn shown(key: &[u8]) -> String {
        Key(key).to_string()
    }

    fn in_map<K: wasm_storage_codec::Key>(key: impl AsKey<K>) -> String {
        let mut memory = [0; 100];
        let mut out = KeyBuf::new(&mut memory);
        out.extend(b"map\0");
        key.encode(&mut out);
        shown(out.written().unwrap())
    }

    fn chosen(key: impl AtKey) -> String {
        let mut memory = [0; 100];
        let mut out = KeyBuf::new(&mut memory);
        key.encode_at(&mut out);
        shown(out.written().unwrap())
    }

    #[test]
    fn names_are_bare_where_nothing_else_looks_like_them() {
        assert_eq!(shown(b"visits"), "visits");
        assert_eq!(shown("größe.v2-a".as_bytes()), "größe.v2-a");
        assert_eq!(shown(b"minted 7"), "\"minted 7\"");
        assert_eq!(shown(b"a/b"), "\"a/b\"");
        assert_eq!(shown(b"\"a\""), r#""\"a\"""#);
        assert_eq!(shown(b"esc\x7f"), "\"esc\\u{7f}\"");
        assert_eq!(shown("\u{202e}abc".as_bytes()), "\"\\u{202e}abc\"");
    }

    #[test]
    fn map_keys_that_read_as_text_are_text() {
        assert_eq!(in_map::<&'static str>("the"), "map/\"the\"");
        assert_eq!(
            in_map::<(&'static str, &'static str)>(("a\"", "ü")),
            r#"map/"a\"", "ü""#
        );
        assert_eq!(in_map::<u32>(7_u32), "map/00000007");
        assert_eq!(in_map::<u64>(0_u64), "map/0000000000000000");
        assert_eq!(in_map::<&'static str>(""), "map/0000");
        assert_eq!(in_map::<(u8, &'static str)>((7_u8, "a")), "map/07610000");
        assert_eq!(in_map::<&'static str>("a\nb"), "map/610a620000");
        assert_eq!(shown(b"map\0"), "map/");
    }

    #[test]
    fn minted_and_chosen_keys_are_shown_as_literals() {
        assert_eq!(shown(b"\0\x01\0\0\0\0\0\0\0\x07"), "minted 7");
        assert_eq!(chosen("a\nb"), r#"at "a\nb""#);
        assert_eq!(chosen(b"a\xff"), r#"at b"a\xff""#);
        assert_eq!(chosen(7_u8), "at 7u64");
        assert_eq!(chosen(-7_i32), "at -7i64");
        assert_eq!(chosen(("a", 7_u32)), "at (\"a\", 7u64)");
    }

    #[test]
    fn all_other_keys_are_hex() {
        assert_eq!(shown(b""), "\"\"");
        assert_eq!(shown(b"\0\x01\x07"), "hex 000107");
        assert_eq!(shown(b"\0\x02k"), "2020 \"k\"");
        assert_eq!(shown(b"\0\x02\xff"), "hex 0002ff");
        assert_eq!(shown(b"\0\x03k"), "hex 00036b");
        assert_eq!(shown(b"\0\x04\x09k"), "hex 0004096b");
        assert_eq!(shown(b"\0\x04\x05\x03"), "hex 00040503");
        assert_eq!(shown(b"a\tb"), "hex 610962");
        assert_eq!(shown(b"\xff"), "hex ff");
        assert_eq!(shown(&[b'n'; 65]), format!("hex {}", "6e".repeat(65)));
    }
}
