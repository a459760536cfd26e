//! What can be stored: values, and their entries `[tag][version][payload]`.
//!
//! Invariant: an entry is read as the type that it was written as, or not at
//! all. A scalar's entry is made and read on the stack.
//!
//! | type | entry |
//! |---|---|
//! | `i8`…`u128`, `f32`, `f64`, `bool`, `char` | a tag each, fixed length |
//! | `String`, `str` | text |
//! | `Vec<u8>`, `[u8]`, `[u8; N]` | bytes |
//! | `Vec<T>`, `[T]`, `[T; N]` of other numbers | packed array |
//! | `T`, `Vec<T>` with `T: Record` | postcard (`record.rs`) |

use alloc::string::String;

use wasm_storage_abi::tag;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::record::{Scalar, write_header};

use crate::host::SMALL;
use crate::keys::written;
use crate::unreadable::{TypeName, Unreadable};

/// A type that can be stored and loaded.
///
/// For your own types implement [`Record`](crate::Record), in one line; they are
/// values then. This trait is for types that want an entry of their own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored",
    label = "not a value",
    note = "for a type of your own, derive serde's Serialize and Deserialize and add `impl storage::Record for {Self} {{}}`",
    note = "values are numbers, bool, char, String, Vec and arrays of numbers, and records and Vecs of records; wrap tuples, Options and maps in a struct"
)]
pub trait Value: Sized {
    /// What an entry of this type is called when another was found.
    const TYPE: TypeName;

    /// Bytes of an entry, if all have as many. Entries of at most 32 bytes are
    /// then read without an allocator.
    const FIXED: Option<usize> = None;

    /// Calls `then` with the entry of this value. No bytes at all say that the value
    /// cannot be written; every entry has some.
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R;

    /// Reads an entry.
    fn read(record: &[u8]) -> Result<Self, Unreadable>;

    /// Whether [`read_scalar`](Value::read_scalar) does what `read` does.
    #[doc(hidden)]
    const SCALAR: bool = false;

    /// Reads an entry of `len` bytes at the start of `room`: [`read`](Value::read)
    /// without a reason, for scalars.
    #[doc(hidden)]
    #[inline]
    fn read_scalar(room: &[u8; FIXED], len: i32) -> Option<Self> {
        let _ = (room, len);
        None
    }
}

/// A value, or the borrowed form of one (`str`, `[T]`), as it is written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored",
    label = "not a value",
    note = "for a type of your own, derive serde's Serialize and Deserialize and add `impl storage::Record for {Self} {{}}`",
    note = "give a reference to the value itself: `&3`, `\"text\"`, `&[1, 2][..]`"
)]
pub trait Encode {
    /// Calls `then` with the entry of this value; see [`Value::with_record`].
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R;
}

/// Something that may be written where a `V` is stored: a `V`, or its borrowed
/// form. So a `Map<_, String>` takes a `&str`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as `{V}`",
    label = "expected a `{V}`",
    note = "str stands for String, slices and arrays for Vecs; numbers are not converted"
)]
pub trait StoreAs<V: Value>: Encode {}

impl<V: Value> Encode for V {
    #[inline]
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        Value::with_record(self, then)
    }
}

impl<V: Value> StoreAs<V> for V {}

/// Bytes on the stack for a value of fixed length: more than any scalar has, so
/// that a short text is recognised.
pub(crate) const FIXED: usize = 32;

/// A length as the host answers it.
const fn len_of(bytes: usize) -> i32 {
    assert!(bytes <= FIXED);
    i32::from_le_bytes([bytes.to_le_bytes()[0], 0, 0, 0])
}

macro_rules! scalars {
    ($($t:ty: |$value:ident| $bytes:expr;)*) => {$(
        impl Value for $t {
            const TYPE: TypeName = TypeName::of(<$t as Scalar>::TAG);
            const FIXED: Option<usize> = Some(<$t as Scalar>::BYTES + 2);

            #[inline]
            fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
                let $value = *self;
                let mut record = [0; <$t as Scalar>::BYTES + 2];
                // Arrays of known length: a store each, no loop.
                if let Some((header, payload)) = record.split_first_chunk_mut() {
                    *header = [<$t as Scalar>::TAG, 0];
                    if let Some(payload) = payload.first_chunk_mut() {
                        *payload = $bytes;
                    }
                }
                then(&record)
            }

            #[inline]
            fn read(record: &[u8]) -> Result<Self, Unreadable> {
                match record {
                    [<$t as Scalar>::TAG, 0, payload @ ..] => {
                        Scalar::read(payload).ok_or(Unreadable::Corrupt)
                    }
                    _ => Err(unlike(record, Self::TYPE)),
                }
            }

            const SCALAR: bool = true;

            #[inline]
            fn read_scalar(room: &[u8; FIXED], len: i32) -> Option<Self> {
                // Of known lengths: no bounds are checked.
                const BYTES: usize = <$t as Scalar>::BYTES;
                let (header, payload) = room.split_first_chunk()?;
                let same = u16::from_le_bytes(*header) == u16::from(<$t as Scalar>::TAG);
                if same && len == const { len_of(BYTES + 2) } {
                    Scalar::read(payload.first_chunk::<BYTES>()?)
                } else {
                    None
                }
            }
        }
    )*};
}
scalars! {
    i8: |v| v.to_le_bytes();
    i16: |v| v.to_le_bytes();
    i32: |v| v.to_le_bytes();
    i64: |v| v.to_le_bytes();
    i128: |v| v.to_le_bytes();
    u8: |v| v.to_le_bytes();
    u16: |v| v.to_le_bytes();
    u32: |v| v.to_le_bytes();
    u64: |v| v.to_le_bytes();
    u128: |v| v.to_le_bytes();
    f32: |v| v.to_le_bytes();
    f64: |v| v.to_le_bytes();
    bool: |v| [u8::from(v)];
    char: |v| u32::from(v).to_le_bytes();
}

/// The payload of an entry that must be of type `expected` and has no version.
#[inline]
pub(crate) fn payload(record: &[u8], expected: TypeName) -> Result<&[u8], Unreadable> {
    match record {
        [tag, 0, payload @ ..] if *tag == expected.tag() => {
            if expected.element() == 0 {
                return Ok(payload);
            }
            match payload {
                [element, payload @ ..] if *element == expected.element() => Ok(payload),
                _ => Err(unlike(record, expected)),
            }
        }
        _ => Err(unlike(record, expected)),
    }
}

/// Why a record is not of type `expected`.
#[cold]
#[inline(never)]
pub(crate) fn unlike(record: &[u8], expected: TypeName) -> Unreadable {
    let found = TypeName::found(record);
    if found == expected || record.is_empty() {
        Unreadable::Corrupt
    } else {
        Unreadable::Type { found, expected }
    }
}

impl TypeName {
    /// The type that an entry's header names.
    pub(crate) fn found(record: &[u8]) -> TypeName {
        match record {
            [tag::ARRAY, _, element, ..] => TypeName::array_of(*element),
            [tag, ..] => TypeName::of(*tag),
            [] => TypeName::of(0),
        }
    }
}

/// Calls `then` with the entry that `write` writes: on the stack if it is small,
/// else in a `Vec` of its length. Without `len`, writing it once shows the length.
pub(crate) fn with_entry<R>(
    len: Option<usize>,
    write: impl Fn(&mut KeyBuf<'_>),
    then: impl FnOnce(&[u8]) -> R,
) -> R {
    let mut small = [0; SMALL];
    let mut large;
    let len = match len {
        Some(len) if len > SMALL => len,
        _ => written(&write, &mut small),
    };
    let entry = match small.get(..len) {
        Some(entry) => entry,
        None => {
            large = alloc::vec![0; len];
            written(&write, &mut large);
            &large[..]
        }
    };
    then(entry)
}

impl Encode for str {
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        let write = |out: &mut KeyBuf<'_>| {
            write_header(tag::STRING, 0, out);
            out.extend(self.as_bytes());
        };
        with_entry(Some(self.len().saturating_add(2)), write, then)
    }
}

impl Value for String {
    const TYPE: TypeName = TypeName::of(tag::STRING);

    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        self.as_str().with_record(then)
    }

    fn read(record: &[u8]) -> Result<Self, Unreadable> {
        let text = payload(record, Self::TYPE)?;
        match core::str::from_utf8(text) {
            Ok(text) => Ok(String::from(text)),
            Err(_) => Err(Unreadable::Corrupt),
        }
    }
}

impl StoreAs<String> for str {}
impl StoreAs<String> for &str {}

impl Encode for &str {
    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        (**self).with_record(then)
    }
}
