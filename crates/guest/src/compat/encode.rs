//! Serde's data model as bytes, as bincode 1 writes it by default: numbers
//! little-endian and of fixed width, no types, no names.
//!
//! | what | bytes |
//! |---|---|
//! | bool | 0 or 1 |
//! | char | its UTF-8, 1 to 4 bytes |
//! | text, bytes, sequence, map | number of bytes or elements (u64), then they |
//! | Option | 0, or 1 and the value |
//! | enum | number of the variant (u32), then its fields |
//! | struct, tuple, array | their parts, one after the other; () is nothing |

use alloc::vec::Vec;
use core::fmt;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Why a value cannot be written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compat) struct Fault(pub(super) &'static str);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Fault {}

/// The type's own objection is not kept: its text would link `core::fmt`.
impl serde::ser::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Fault("its type refuses to be written")
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Fault("its type refuses what is there")
    }
}

/// The bytes of a value.
pub(in crate::compat) fn encode(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    value.serialize(Encoder(&mut bytes))?;
    Ok(bytes)
}

struct Encoder<'a>(&'a mut Vec<u8>);

impl Encoder<'_> {
    fn count(&mut self, count: usize) -> Result<(), Fault> {
        let count = u64::try_from(count).map_err(|_| Fault("it has too many elements"))?;
        self.0.extend(count.to_le_bytes());
        Ok(())
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Fault> {
        value.serialize(Encoder(self.0))
    }
}

macro_rules! numbers {
    ($($name:ident($t:ty))*) => {$(
        fn $name(self, value: $t) -> Result<(), Fault> {
            self.0.extend(value.to_le_bytes());
            Ok(())
        }
    )*};
}

impl Serializer for Encoder<'_> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    numbers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.serialize_u8(value.into())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.0
            .extend_from_slice(value.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Fault> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Fault> {
        self.count(value.len())?;
        self.0.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(mut self, value: &T) -> Result<(), Fault> {
        self.0.push(1);
        self.value(value)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), Fault> {
        self.serialize_u32(index)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.value(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.0.extend(index.to_le_bytes());
        self.value(value)
    }

    fn serialize_seq(mut self, count: Option<usize>) -> Result<Self, Fault> {
        self.count(count.ok_or(Fault("it has a sequence of unknown length"))?)?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Fault> {
        self.0.extend(index.to_le_bytes());
        Ok(self)
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Self, Fault> {
        self.serialize_seq(count)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Fault> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self, Fault> {
        self.serialize_tuple_variant(name, index, variant, len)
    }
}

/// The parts of something, one after the other.
macro_rules! parts {
    ($($trait:ident: $($name:ident($($field:ty)?))+;)*) => {$(
        impl $trait for Encoder<'_> {
            type Ok = ();
            type Error = Fault;

            $(fn $name<T: Serialize + ?Sized>(
                &mut self,
                $(_: $field,)?
                value: &T,
            ) -> Result<(), Fault> {
                self.value(value)
            })+

            fn end(self) -> Result<(), Fault> {
                Ok(())
            }
        }
    )*};
}
parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    SerializeMap: serialize_key() serialize_value();
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;

    #[derive(serde::Serialize)]
    enum Choice {
        Nothing,
        One(u8),
        Two(u8, u8),
        Named { a: u8 },
    }

    #[derive(serde::Serialize)]
    struct Unit;

    /// The bytes of bincode 1.3.3, seen through the crate of 2020 (`guests/cross-2020`) and
    /// written down here.
    #[test]
    fn golden_bytes() {
        let bytes = |value: &dyn Fn() -> Result<Vec<u8>, Fault>| value().unwrap();
        assert_eq!(bytes(&|| encode(&true)), [1]);
        assert_eq!(bytes(&|| encode(&'€')), "€".as_bytes());
        assert_eq!(bytes(&|| encode(&-2_i16)), [0xfe, 0xff]);
        assert_eq!(bytes(&|| encode(&1.5_f32)), [0, 0, 0xc0, 0x3f]);
        assert_eq!(
            bytes(&|| encode("ab")),
            [2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']
        );
        assert_eq!(bytes(&|| encode(&[7_u8, 8])), [7, 8]);
        assert_eq!(bytes(&|| encode(&vec![7_u8])), [1, 0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(
            bytes(&|| encode(&(1_u8, Some(2_u8), None::<u8>, ()))),
            [1, 1, 2, 0]
        );
        assert_eq!(bytes(&|| encode(&Unit)), [0; 0]);
        let map = BTreeMap::from([(3_u8, true)]);
        assert_eq!(bytes(&|| encode(&map)), [1, 0, 0, 0, 0, 0, 0, 0, 3, 1]);
        assert_eq!(bytes(&|| encode(&Choice::Nothing)), [0; 4]);
        assert_eq!(bytes(&|| encode(&Choice::One(9))), [1, 0, 0, 0, 9]);
        assert_eq!(bytes(&|| encode(&Choice::Two(9, 8))), [2, 0, 0, 0, 9, 8]);
        assert_eq!(bytes(&|| encode(&Choice::Named { a: 5 })), [3, 0, 0, 0, 5]);
    }

    #[test]
    fn a_sequence_of_unknown_length_is_refused() {
        struct Endless;
        impl Serialize for Endless {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_seq(None)?.end()
            }
        }
        assert!(encode(&Endless).unwrap_err().0.contains("unknown length"));
    }
}
