//! Types of the user's own: one line makes a serde type a value.
//!
//! Entry: `[POSTCARD tag][version varint][type id, 4 bytes][postcard]`. The type
//! id is 0 until a derive gives the type a shape; it is for tools only and not
//! looked at here.
//!
//! Invariant: a record of another version than the type's goes to
//! [`Record::upgrade`], never to the decoder of the present type; bytes behind
//! the value are an error.
//!
//! Postcard: <https://postcard.jamesmunns.com/wire-format>.

use alloc::vec::Vec;
use core::cell::Cell;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_storage_abi::tag;
use wasm_storage_codec::KeyBuf;
use wasm_storage_codec::record::{TYPE_ID_BYTES, split, write_header};

use crate::unreadable::{TypeName, Unreadable};
use crate::value::{Value, unlike, with_entry};

/// A serde type that can be stored.
///
/// ```
/// use rust_storage_interface_library as storage;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Order { sku: String, count: u32 }
/// impl storage::Record for Order {}
///
/// let order = Order { sku: "sku-1".into(), count: 3 };
/// let key = storage::store::store_struct(&order);
/// assert_eq!(storage::load::load_struct::<Order>(key), order);
/// ```
///
/// When the fields change, raise [`VERSION`](Record::VERSION) and read the old
/// ones in [`upgrade`](Record::upgrade). Records are rewritten when you next put them.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Item, Record, Unreadable, record};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ConfigV0 { limit: u8 }
/// impl Record for ConfigV0 {}
///
/// #[derive(Serialize, Deserialize)]
/// struct Config { limit: u32, name: String }
/// impl Record for Config {
///     const VERSION: u32 = 1;
///     fn upgrade(from: u32, body: &[u8]) -> Result<Self, Unreadable> {
///         match from {
///             0 => {
///                 let old: ConfigV0 = record::decode(body)?;
///                 Ok(Config { limit: old.limit.into(), name: "unnamed".into() })
///             }
///             _ => Err(record::unknown_version::<Self>(from)),
///         }
///     }
/// }
///
/// static OLD: Item<ConfigV0> = Item::new("config");
/// static CONFIG: Item<Config> = Item::new("config");
/// OLD.put(&ConfigV0 { limit: 7 })?;
/// assert_eq!(CONFIG.require()?.limit, 7);
/// # Ok::<(), storage::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record",
    label = "not a record",
    note = "derive serde's Serialize and Deserialize for it and add `impl storage::Record for {Self} {{}}`"
)]
pub trait Record: Serialize + DeserializeOwned {
    /// Schema version of the type as it stands here. Raise it when the fields change.
    const VERSION: u32 = 0;

    /// First bytes of the SHA-256 of the type's shape; 0 without one. For tools.
    #[doc(hidden)]
    const TYPE_ID: [u8; TYPE_ID_BYTES] = [0; TYPE_ID_BYTES];

    /// Reads a value that version `from` of the type has written; `body` is
    /// its postcard, for [`decode`].
    ///
    /// The default refuses: [`Kind::Unsupported`](crate::Kind::Unsupported).
    fn upgrade(from: u32, body: &[u8]) -> Result<Self, Unreadable> {
        let _ = body;
        Err(unknown_version::<Self>(from))
    }

    /// [`upgrade`](Record::upgrade) for a `Vec` of records, which is one entry.
    fn upgrade_vec(from: u32, body: &[u8]) -> Result<Vec<Self>, Unreadable> {
        let _ = body;
        Err(unknown_version::<Self>(from))
    }
}

/// The answer of [`Record::upgrade`] to a version that it does not know.
pub fn unknown_version<T: Record>(from: u32) -> Unreadable {
    Unreadable::Version {
        found: from,
        known: T::VERSION,
    }
}

/// Decodes postcard that fills `body` to the end.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        _ => Err(Unreadable::Corrupt),
    }
}

/// Postcard goes straight to the entry's bytes.
struct Entry<'a, 'b>(&'a mut KeyBuf<'b>);

impl Flavor for Entry<'_, '_> {
    type Output = ();

    #[inline(never)]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline(never)]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

fn encode<R>(
    version: u32,
    type_id: [u8; TYPE_ID_BYTES],
    value: &impl Serialize,
    then: impl FnOnce(&[u8]) -> R,
) -> R {
    let refused = Cell::new(false);
    let write = |out: &mut KeyBuf<'_>| {
        write_header(tag::POSTCARD, version, out);
        out.extend(&type_id);
        if postcard::serialize_with_flavor(value, Entry(out)).is_err() {
            refused.set(true);
        }
    };
    with_entry(None, write, |entry| {
        // No bytes say that the value cannot be written.
        then(if refused.get() { &[] } else { entry })
    })
}

/// Version and postcard of a record.
fn parts(record: &[u8]) -> Result<(u32, &[u8]), Unreadable> {
    let expected = TypeName::of(tag::POSTCARD);
    match split(record) {
        Ok((header, payload)) if header.tag == tag::POSTCARD => payload
            .get(TYPE_ID_BYTES..)
            .map(|body| (header.version, body))
            .ok_or(Unreadable::Corrupt),
        _ => Err(unlike(record, expected)),
    }
}

impl<T: Record> Value for T {
    const TYPE: TypeName = TypeName::of(tag::POSTCARD);

    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        encode(T::VERSION, T::TYPE_ID, self, then)
    }

    fn read(record: &[u8]) -> Result<Self, Unreadable> {
        let (version, body) = parts(record)?;
        if version == T::VERSION {
            decode(body)
        } else {
            T::upgrade(version, body)
        }
    }
}

impl<T: Record> Value for Vec<T> {
    const TYPE: TypeName = TypeName::of(tag::POSTCARD);

    fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
        encode(T::VERSION, T::TYPE_ID, self, then)
    }

    fn read(record: &[u8]) -> Result<Self, Unreadable> {
        let (version, body) = parts(record)?;
        if version == T::VERSION {
            decode(body)
        } else {
            T::upgrade_vec(version, body)
        }
    }
}
