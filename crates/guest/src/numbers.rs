//! Numbers one after the other: `Vec<T>`, `[T]`, `[T; N]`.
//!
//! Entry: a packed array, little-endian; of `u8`, it is bytes.

use alloc::vec::Vec;

use wasm_storage_abi::tag;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::record::{Numeric, Scalar, write_header};

use crate::unreadable::{TypeName, Unreadable};
use crate::value::{Encode, StoreAs, Value, payload, with_entry};

/// A number that can be stored many at a time, packed: the integers and floats.
/// Sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number",
    label = "not a number",
    note = "arrays are of i8..i128, u8..u128, f32 or f64; for others store a Vec of a record"
)]
pub trait Number: Numeric {
    /// What an entry of many is called.
    #[doc(hidden)]
    const MANY: TypeName;

    #[doc(hidden)]
    fn write_all(numbers: &[Self], out: &mut KeyBuf<'_>) {
        for number in numbers {
            number.write(out);
        }
    }

    #[doc(hidden)]
    fn read_all(payload: &[u8]) -> Option<Vec<Self>> {
        let numbers = payload.chunks_exact(Self::BYTES);
        if !numbers.remainder().is_empty() {
            return None;
        }
        numbers.map(Self::read).collect()
    }
}

impl Number for u8 {
    const MANY: TypeName = TypeName::of(tag::BYTES);

    fn write_all(numbers: &[u8], out: &mut KeyBuf<'_>) {
        out.extend(numbers);
    }

    fn read_all(payload: &[u8]) -> Option<Vec<u8>> {
        Some(payload.to_vec())
    }
}

impl<T: Number> Encode for [T] {
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        let header = if T::MANY.element() == 0 { 2 } else { 3 };
        let len = size_of_val(self).saturating_add(header);
        let write = |out: &mut KeyBuf<'_>| {
            write_header(T::MANY.tag(), 0, out);
            if T::MANY.element() != 0 {
                out.push(T::MANY.element());
            }
            T::write_all(self, out);
        };
        with_entry(Some(len), write, then)
    }
}

/// Numbers of any type, as [`load_array`](crate::load::load_array) reads them.
/// (`Vec<T>` cannot be a value for every number `T`: it is one for every record.)
pub(crate) struct Numbers<T>(pub(crate) Vec<T>);

impl<T: Number> Value for Numbers<T> {
    const TYPE: TypeName = T::MANY;

    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        self.0.as_slice().with_record(then)
    }

    fn read(record: &[u8]) -> Result<Self, Unreadable> {
        let numbers = T::read_all(payload(record, T::MANY)?);
        numbers.map(Numbers).ok_or(Unreadable::Corrupt)
    }
}

macro_rules! packed {
    ($($t:ty)*) => {$(
        impl Number for $t {
            const MANY: TypeName = TypeName::array_of(<$t as Scalar>::TAG);
        }
    )*};
}
packed!(i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64);

macro_rules! values {
    ($($t:ty)*) => {$(
        impl Value for Vec<$t> {
            const TYPE: TypeName = <$t as Number>::MANY;

            fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
                self.as_slice().with_record(then)
            }

            fn read(record: &[u8]) -> Result<Self, Unreadable> {
                Numbers::read(record).map(|numbers| numbers.0)
            }
        }

        impl StoreAs<Vec<$t>> for [$t] {}
        impl<const N: usize> StoreAs<Vec<$t>> for [$t; N] {}

        impl<const N: usize> Value for [$t; N] {
            const TYPE: TypeName = <$t as Number>::MANY;

            fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
                self.as_slice().with_record(then)
            }

            fn read(record: &[u8]) -> Result<Self, Unreadable> {
                let numbers = Numbers::read(record)?.0;
                numbers.try_into().map_err(|_| Unreadable::Corrupt)
            }
        }
    )*};
}
values!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64);
