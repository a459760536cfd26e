//! Keys of the `_at` functions: `00 04`, then a kind byte, then the key.
//!
//! Invariant: two keys have the same bytes exactly if they are the same kind
//! and value. Integers are widened, so `1u32` and `1u64` are one key; `1u32` and
//! `1i32` are two (kinds U64 and I64). Text and bytes are two kinds as well.
//!
//! In a tuple (kind TUPLE) each part is written like a key of its own, kind
//! byte included: without it, `("a", 1i64)` and `("a", (1u64 << 63) + 1)` would
//! be one key, and so would `("a", "b")` and `("a", b"b")`. So a tool can read
//! these keys back without knowing their type. Tuples in tuples are not keys.
//! Parts of one kind keep their order: a scan over such keys is sorted.

use alloc::string::String;
use alloc::vec::Vec;

use wasm_storage_abi::keyspace::{AT, at};

use super::text::encode_bytes;
use super::{AsKey, KeyBuf};

mod sealed {
    /// Closed: the kinds are those of `wasm_storage_abi::keyspace::at`.
    pub trait Sealed {}
}

/// A key of the caller's choosing, for the `_at` functions.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key for the `_at` functions",
    label = "not a key",
    note = "keys are str, String, [u8], Vec<u8>, u8..u64, i8..i64, tuples of 2 to 6 of them, and references to them",
    note = "floats are not keys: they have no total order; use a scaled integer instead"
)]
pub trait AtKey {
    /// Writes the whole key: the bytes of the key space, the kind, the key.
    fn encode_at(&self, out: &mut KeyBuf<'_>);
}

/// A part of a tuple that is an [`AtKey`]. Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a part of a key for the `_at` functions",
    label = "not a part of a key",
    note = "parts are str, String, [u8], Vec<u8>, u8..u64, i8..i64, and references to them; tuples in tuples are not keys",
    note = "floats are not keys: they have no total order; use a scaled integer instead"
)]
pub trait AtPart: sealed::Sealed {
    /// Writes the kind and the key.
    fn encode_part(&self, out: &mut KeyBuf<'_>);
}

macro_rules! part {
    ($([$($generics:tt)*] $t:ty: |$value:ident, $out:ident| $encode:block)*) => {$(
        impl<$($generics)*> sealed::Sealed for $t {}

        impl<$($generics)*> AtPart for $t {
            #[inline]
            fn encode_part(&self, $out: &mut KeyBuf<'_>) {
                let $value = self;
                $encode
            }
        }

        impl<$($generics)*> AtKey for $t {
            #[inline]
            fn encode_at(&self, out: &mut KeyBuf<'_>) {
                out.extend(&AT);
                self.encode_part(out);
            }
        }
    )*};
}

macro_rules! integer {
    ($kind:expr, $wide:ty: $($t:ty)*) => {
        part! {$([] $t: |value, out| {
            out.push($kind);
            <$wide>::from(*value).encode(out);
        })*}
    };
}
integer!(at::U64, u64: u8 u16 u32 u64);
integer!(at::I64, i64: i8 i16 i32 i64);

part! {
    [] str: |text, out| {
        out.push(at::STR);
        encode_bytes(text.as_bytes(), out);
    }
    [] String: |text, out| { text.as_str().encode_part(out); }
    [] [u8]: |bytes, out| {
        out.push(at::BYTES);
        encode_bytes(bytes, out);
    }
    [] Vec<u8>: |bytes, out| { bytes.as_slice().encode_part(out); }
    [const N: usize] [u8; N]: |bytes, out| { bytes.as_slice().encode_part(out); }
}

impl<T: AtPart + ?Sized> sealed::Sealed for &T {}

impl<T: AtPart + ?Sized> AtPart for &T {
    #[inline]
    fn encode_part(&self, out: &mut KeyBuf<'_>) {
        (**self).encode_part(out);
    }
}

impl<T: AtKey + ?Sized> AtKey for &T {
    #[inline]
    fn encode_at(&self, out: &mut KeyBuf<'_>) {
        (**self).encode_at(out);
    }
}

macro_rules! tuple {
    ($($part:ident $index:tt),*) => {
        impl<$($part: AtPart),*> AtKey for ($($part,)*) {
            #[inline]
            fn encode_at(&self, out: &mut KeyBuf<'_>) {
                out.extend(&AT);
                out.push(at::TUPLE);
                $(self.$index.encode_part(out);)*
            }
        }
    };
}
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
