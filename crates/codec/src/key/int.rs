//! Keys of fixed length: integers, `bool`, `char`.

use super::{AsKey, Key, KeyBuf, Malformed};
use crate::bytes::take_array;

macro_rules! unsigned {
    ($($t:ty)*) => {$(
        impl Key for $t {
            type Owned = $t;

            #[inline]
            fn decode(r: &mut &[u8]) -> Result<$t, Malformed> {
                take_array(r).map(<$t>::from_be_bytes).ok_or(Malformed)
            }
        }

        impl AsKey<$t> for $t {
            #[inline]
            fn encode(&self, out: &mut KeyBuf<'_>) {
                out.extend(&self.to_be_bytes());
            }
        }
    )*};
}
unsigned!(u8 u16 u32 u64 u128);

macro_rules! signed {
    ($($t:ty)*) => {$(
        impl Key for $t {
            type Owned = $t;

            #[inline]
            fn decode(r: &mut &[u8]) -> Result<$t, Malformed> {
                // `^ MIN` flips the sign bit: negative numbers come first.
                take_array(r).map(|b| <$t>::from_be_bytes(b) ^ <$t>::MIN).ok_or(Malformed)
            }
        }

        impl AsKey<$t> for $t {
            #[inline]
            fn encode(&self, out: &mut KeyBuf<'_>) {
                out.extend(&(*self ^ <$t>::MIN).to_be_bytes());
            }
        }
    )*};
}
signed!(i8 i16 i32 i64 i128);

impl Key for bool {
    type Owned = bool;

    #[inline]
    fn decode(r: &mut &[u8]) -> Result<bool, Malformed> {
        match u8::decode(r)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

impl AsKey<bool> for bool {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        out.push(u8::from(*self));
    }
}

impl Key for char {
    type Owned = char;

    #[inline]
    fn decode(r: &mut &[u8]) -> Result<char, Malformed> {
        char::from_u32(u32::decode(r)?).ok_or(Malformed)
    }
}

impl AsKey<char> for char {
    #[inline]
    fn encode(&self, out: &mut KeyBuf<'_>) {
        u32::from(*self).encode(out);
    }
}
