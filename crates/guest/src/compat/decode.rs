//! The way back of `encode`: the type that is wanted says what the bytes are.
//!
//! Invariant: the bytes are used up, or it is a [`Fault`]. Nothing panics, and no
//! count that is read takes memory before there are bytes for it (serde's own
//! containers take at most 1 MiB beforehand).

use serde::de::value::U32Deserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};

use super::encode::Fault;

const SHORT: Fault = Fault("it ends too early");
const UNKNOWN: Fault = Fault("its type asks what is there, and the bytes do not say");

/// The value whose bytes these are.
pub(in crate::compat) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let mut left = Decoder(bytes);
    let value = T::deserialize(&mut left)?;
    match left.0 {
        [] => Ok(value),
        _ => Err(Fault("there are bytes behind it")),
    }
}

struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, left) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = left;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (bytes, left) = self.0.split_at_checked(length).ok_or(SHORT)?;
        self.0 = left;
        Ok(bytes)
    }

    fn count(&mut self) -> Result<usize, Fault> {
        usize::try_from(u64::from_le_bytes(self.array()?)).map_err(|_| SHORT)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.count()?;
        self.take(length)
    }

    fn text(bytes: &[u8]) -> Result<&str, Fault> {
        core::str::from_utf8(bytes).map_err(|_| Fault("its text is not UTF-8"))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// Elements without a count before them.
    fn parts<V: Visitor<'a>>(&mut self, count: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Parts {
            decoder: self,
            left: count,
        })
    }
}

macro_rules! numbers {
    ($($name:ident($t:ty) $visit:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(<$t>::from_le_bytes(self.array()?))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Fault;

    numbers! {
        deserialize_i8(i8) visit_i8
        deserialize_i16(i16) visit_i16
        deserialize_i32(i32) visit_i32
        deserialize_i64(i64) visit_i64
        deserialize_i128(i128) visit_i128
        deserialize_u8(u8) visit_u8
        deserialize_u16(u16) visit_u16
        deserialize_u32(u32) visit_u32
        deserialize_u64(u64) visit_u64
        deserialize_u128(u128) visit_u128
        deserialize_f32(f32) visit_f32
        deserialize_f64(f64) visit_f64
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(UNKNOWN)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(UNKNOWN)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fault> {
        Err(UNKNOWN)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.byte()? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            _ => Err(Fault("its bool is neither 0 nor 1")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // RFC 3629: the first byte says how many there are.
        let length = match self.0.first().ok_or(SHORT)? {
            0x00..0xc0 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        let text = Decoder::text(self.take(length)?)?;
        visitor.visit_char(text.chars().next().ok_or(SHORT)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_str(Decoder::text(self.bytes()?)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.byte()? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            _ => Err(Fault("its Option is neither 0 nor 1")),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let count = self.count()?;
        self.parts(count, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.parts(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.parts(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let left = self.count()?;
        visitor.visit_map(Parts {
            decoder: self,
            left,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.parts(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(self)
    }
}

/// Elements, or pairs, of which so many are left.
struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
}

impl Parts<'_, '_> {
    /// Whether there is one more.
    fn next(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.next()
            .map(|()| seed.deserialize(&mut *self.decoder))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(&mut *self.decoder)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> EnumAccess<'de> for &mut Decoder<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let index: U32Deserializer<Fault> = u32::from_le_bytes(self.array()?).into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Decoder<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.parts(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.parts(fields.len(), visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn fault<T: DeserializeOwned + core::fmt::Debug>(bytes: &[u8]) -> &'static str {
        decode::<T>(bytes).unwrap_err().0
    }

    #[test]
    fn bytes_that_are_no_value_of_the_type_are_refused_and_said_why() {
        assert_eq!(fault::<i64>(&[0; 7]), "it ends too early");
        assert_eq!(fault::<i32>(&[0; 8]), "there are bytes behind it");
        assert_eq!(fault::<bool>(&[2]), "its bool is neither 0 nor 1");
        assert_eq!(
            fault::<Option<u8>>(&[2, 0]),
            "its Option is neither 0 nor 1"
        );
        assert_eq!(fault::<char>(&[0x80]), "its text is not UTF-8");
        assert_eq!(fault::<char>(&[0xe2, 0x82]), "it ends too early");
        assert_eq!(fault::<char>(&[]), "it ends too early");
        let text = [1, 0, 0, 0, 0, 0, 0, 0, 0xff];
        assert_eq!(fault::<String>(&text), "its text is not UTF-8");
        assert_eq!(fault::<String>(&[0xff; 8]), "it ends too early");
        assert_eq!(fault::<Vec<u64>>(&[0xff; 16]), "it ends too early");
        let variant = [7, 0, 0, 0];
        assert_eq!(
            fault::<Result<(), ()>>(&variant),
            "its type refuses what is there"
        );
    }
}
