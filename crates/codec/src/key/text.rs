//! Keys of varying length: strings and bytes, escaped; and byte arrays, which
//! have a fixed length and need no escape.

use alloc::string::String;
use alloc::vec::Vec;

use super::{AsKey, Key, KeyBuf, Malformed};
use crate::bytes::take_array;

/// Behind a `00` that belongs to the text. Greater than the second byte of the
/// end mark, so text that goes on comes after text that ends.
const ESCAPED: u8 = 0xFF;

/// Writes the start of a string, without the end mark: every string key that
/// starts with `text` starts with these bytes, and no other does.
#[inline]
pub fn encode_str_prefix(text: &str, out: &mut KeyBuf<'_>) {
    encode_bytes_prefix(text.as_bytes(), out);
}

/// Like [`encode_str_prefix`], for keys that are bytes.
#[inline]
pub fn encode_bytes_prefix(bytes: &[u8], out: &mut KeyBuf<'_>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == 0 {
            out.push(ESCAPED);
        }
    }
}

#[inline]
pub(super) fn encode_bytes(bytes: &[u8], out: &mut KeyBuf<'_>) {
    encode_bytes_prefix(bytes, out);
    out.extend(&[0, 0]);
}

fn decode_bytes(r: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::new();
    loop {
        let zero = r.iter().position(|b| *b == 0).ok_or(Malformed)?;
        let (head, tail) = r.split_at_checked(zero).ok_or(Malformed)?;
        bytes.extend_from_slice(head);
        match tail {
            [0, 0, rest @ ..] => {
                *r = rest;
                return Ok(bytes);
            }
            [0, ESCAPED, rest @ ..] => {
                bytes.push(0);
                *r = rest;
            }
            _ => return Err(Malformed),
        }
    }
}

fn decode_string(r: &mut &[u8]) -> Result<String, Malformed> {
    String::from_utf8(decode_bytes(r)?).map_err(|_| Malformed)
}

macro_rules! text {
    ($($key:ty, $owned:ty, $decode:ident: $($held:ty),*;)*) => {$(
        impl Key for $key {
            type Owned = $owned;

            #[inline]
            fn decode(r: &mut &[u8]) -> Result<$owned, Malformed> {
                $decode(r)
            }
        }

        $(impl AsKey<$key> for $held {
            #[inline]
            fn encode(&self, out: &mut KeyBuf<'_>) {
                encode_bytes(AsRef::<[u8]>::as_ref(self), out);
            }
        })*
    )*};
}
text! {
    &'static str, String, decode_string: str, String;
    String, String, decode_string: str, String;
    &'static [u8], Vec<u8>, decode_bytes: [u8], Vec<u8>;
    Vec<u8>, Vec<u8>, decode_bytes: [u8], Vec<u8>;
}

// Byte string literals (`b"abc"`) are references to arrays.
impl<const N: usize> AsKey<&'static [u8]> for [u8; N] {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        encode_bytes(self, out);
    }
}

impl<const N: usize> AsKey<Vec<u8>> for [u8; N] {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        encode_bytes(self, out);
    }
}

impl<const N: usize> Key for [u8; N] {
    type Owned = [u8; N];

    #[inline]
    fn decode(r: &mut &[u8]) -> Result<[u8; N], Malformed> {
        take_array(r).ok_or(Malformed)
    }
}

impl<const N: usize> AsKey<[u8; N]> for [u8; N] {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        out.extend(self);
    }
}
