//! The bytes that the engine itself writes into an embedded store.
//!
//! A physical key is the namespace id (u32 big-endian) and the guest's key; a
//! physical value is a flags byte and the guest's bytes. Namespace 0 is the
//! system's:
//!
//! | key | value |
//! |---|---|
//! | `00` | `"WSTORE"`, format u16: written at creation, read before anything else |
//! | `01` | group u64, id high-water u64, clock ms u64: in every batch |
//! | `02` name | catalog entry: id u32, state u8 |
//! | `04` | the next namespace id, u32 |
//! | `05` | the last 64 openings that committed: random number u64, first group u64 |
//!
//! (`03` is kept for the shapes of record types.) Integers in values are
//! little-endian. `docs/data-format.md` says the same in prose.

use wasm_storage_abi::{Kind, keyspace};
use wasm_storage_codec::record;

use crate::backend::{Key, NamespaceId, NamespaceName, OwnedKey};
use crate::error::{Error, show_key};

/// The system's own namespace.
pub const SYSTEM: NamespaceId = NamespaceId(0);
/// The namespace `default`, made with the store.
pub const DEFAULT: NamespaceId = NamespaceId(1);
/// The format that this program writes and reads.
pub const FORMAT: u16 = 1;
/// Bytes before the guest's bytes in a physical value.
pub const VALUE_HEADER_BYTES: usize = 1;
/// Bytes before the guest's bytes in a physical key.
pub const KEY_PREFIX_BYTES: usize = 4;

/// The store's own records in a batch, keys included, at most.
pub const RECORDS_BYTES: usize = 2 * (KEY_PREFIX_BYTES + 1) + 24 + Openings::KEPT * 16;
/// A stored i64 entry, in bytes.
pub const I64_VALUE_BYTES: usize = VALUE_HEADER_BYTES + record::I64_ENTRY_BYTES;

/// The flags byte of a value without expiry.
const PLAIN: u8 = 0;
const MAGIC: &[u8; 6] = b"WSTORE";

/// A guest's bytes as they are stored.
pub fn physical_value(bytes: &[u8]) -> Box<[u8]> {
    let mut value = Vec::with_capacity(VALUE_HEADER_BYTES + bytes.len());
    value.push(PLAIN);
    value.extend_from_slice(bytes);
    value.into_boxed_slice()
}

/// The guest's bytes of a stored value.
///
/// Errors: `Corrupt` for an empty value or flags that this program does not know.
pub fn guest_value(physical: &[u8]) -> Result<&[u8], Error> {
    match physical.split_first() {
        Some((&PLAIN, bytes)) => Ok(bytes),
        Some((flags, _)) => Err(Error::new(
            Kind::Corrupt,
            format!("a stored value has unknown flags {flags:#04x}"),
        )),
        None => Err(Error::new(Kind::Corrupt, "a stored value has no header")),
    }
}

/// The key of a minted number, as guests see it.
pub fn minted_key(number: i64) -> [u8; 10] {
    let [a, b] = keyspace::MINTED;
    let [c, d, e, f, g, h, i, j] = number.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j]
}

/// Adds to an i64 entry, as guests see it; none counts as 0.
///
/// Errors: `TypeMismatch` for another entry, `Overflow`; `key` is named.
pub fn add(entry: Option<&[u8]>, delta: i64, key: &[u8]) -> Result<i64, Error> {
    let old = entry
        .map_or(Some(0), record::read_i64_entry)
        .ok_or_else(|| {
            let message = format!("the entry under {} is not an i64", show_key(key));
            Error::new(Kind::TypeMismatch, message)
        })?;
    old.checked_add(delta).ok_or_else(|| {
        let message = format!("{old} + {delta} under {} leaves i64", show_key(key));
        Error::new(Kind::Overflow, message)
    })
}

fn system_key(bytes: &[u8]) -> OwnedKey {
    OwnedKey::new(Key { ns: SYSTEM, bytes })
}

/// Where the format record is.
pub fn format_key() -> OwnedKey {
    system_key(&[0x00])
}

/// The format record of [`FORMAT`].
pub fn format_record() -> [u8; 8] {
    let [lo, hi] = FORMAT.to_le_bytes();
    let [a, b, c, d, e, f] = *MAGIC;
    [a, b, c, d, e, f, lo, hi]
}

/// Refuses a store of another program or another format, by name.
pub fn check_format(record: &[u8]) -> Result<(), Error> {
    let format = record
        .strip_prefix(MAGIC)
        .and_then(|rest| <[u8; 2]>::try_from(rest).ok())
        .map(u16::from_le_bytes);
    match format {
        Some(FORMAT) => Ok(()),
        Some(other) => Err(Error::new(
            Kind::Unsupported,
            format!("the store has format {other}; this program reads and writes format {FORMAT}"),
        )),
        None => Err(Error::new(
            Kind::Corrupt,
            "the store's format record is not one of ours",
        )),
    }
}

/// The record that every batch carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemRecord {
    /// Number of the last commit.
    pub group: u64,
    /// Last key minted.
    pub id_high_water: u64,
    /// The store's clock, in milliseconds since 1970.
    pub clock_ms: u64,
}

impl SystemRecord {
    /// Where it is, as an engine has it.
    pub const PHYSICAL_KEY: [u8; 5] = [0, 0, 0, 0, 1];

    /// Where it is.
    pub fn key() -> OwnedKey {
        system_key(&[0x01])
    }

    /// Its 24 bytes.
    pub fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let fields = [self.group, self.id_high_water, self.clock_ms];
        for (chunk, field) in bytes.chunks_exact_mut(8).zip(fields) {
            chunk.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// Reads it; `Corrupt` unless it is exactly 24 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let bytes: &[u8; 24] = bytes.try_into().map_err(|_| {
            Error::new(
                Kind::Corrupt,
                format!("the system record has {} bytes, not 24", bytes.len()),
            )
        })?;
        let mut fields = bytes.chunks_exact(8).map(|chunk| {
            let mut field = [0; 8];
            field.copy_from_slice(chunk);
            u64::from_le_bytes(field)
        });
        let mut next = || fields.next().unwrap_or_default();
        Ok(SystemRecord {
            group: next(),
            id_high_water: next(),
            clock_ms: next(),
        })
    }
}

/// Who made which groups: the last openings of the store that committed anything.
/// By it, the outcome of a commit can be told after reopening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings(Vec<(u64, u64)>);

impl Openings {
    /// As many are kept.
    const KEPT: usize = 64;

    /// Where they are.
    pub fn key() -> OwnedKey {
        system_key(&[0x05])
    }

    /// The same, and one more: its random number and its first group.
    pub fn and(&self, opening: u64, first_group: u64) -> Self {
        let mut openings = self.0.clone();
        openings.push((opening, first_group));
        let old = openings.len().saturating_sub(Self::KEPT);
        Openings(openings.split_off(old))
    }

    /// Whether `opening` has made `group`, in a store whose last group is `last`.
    /// `None`: it is too long ago to tell.
    pub fn made(&self, opening: u64, group: u64, last: u64) -> Option<bool> {
        if group > last {
            return Some(false);
        }
        let maker = self.0.iter().rev().find(|(_, first)| *first <= group)?;
        Some(maker.0 == opening)
    }

    /// 16 bytes for each, the oldest first.
    pub fn encode(&self) -> Vec<u8> {
        let numbers = self.0.iter().flat_map(|(opening, first)| [opening, first]);
        numbers.flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Reads them; `Corrupt` if they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let (pairs, rest) = bytes.as_chunks::<16>();
        if !rest.is_empty() {
            let message = format!("the openings have {} bytes", bytes.len());
            return Err(Error::new(Kind::Corrupt, message));
        }
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let pair = |pair: &[u8; 16]| {
            let (opening, first) = pair.split_at(8);
            (number(opening), number(first))
        };
        Ok(Openings(pairs.iter().map(pair).collect()))
    }
}

/// What the catalog says of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its id.
    pub id: NamespaceId,
    /// Whether it was dropped; its data is being deleted and its id is not used again.
    pub dropped: bool,
}

impl CatalogEntry {
    /// The first byte of their keys.
    const FIRST: u8 = 0x02;

    /// Where the entry of `name` is.
    pub fn key(name: &NamespaceName) -> OwnedKey {
        let mut key = vec![Self::FIRST];
        key.extend_from_slice(name.as_str().as_bytes());
        system_key(&key)
    }

    /// The entry that a write to a physical key makes, if the key is one of the catalog's.
    pub fn written(key: &OwnedKey, value: &[u8]) -> Option<Self> {
        let Key { ns, bytes } = key.key();
        let is_entry = ns == SYSTEM && bytes.first() == Some(&Self::FIRST);
        is_entry.then(|| Self::decode(value).ok()).flatten()
    }

    /// Its 5 bytes.
    pub fn encode(&self) -> [u8; 5] {
        let [a, b, c, d] = self.id.0.to_le_bytes();
        [a, b, c, d, u8::from(self.dropped)]
    }

    /// Reads it; `Corrupt` if it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        match *bytes {
            [a, b, c, d, state @ (0 | 1)] => Ok(CatalogEntry {
                id: NamespaceId(u32::from_le_bytes([a, b, c, d])),
                dropped: state == 1,
            }),
            _ => Err(Error::new(
                Kind::Corrupt,
                "a catalog entry is not one of ours",
            )),
        }
    }
}

/// Where the next namespace id is.
pub fn next_namespace_key() -> OwnedKey {
    system_key(&[0x04])
}

/// Reads the next namespace id.
pub fn decode_next_namespace(bytes: &[u8]) -> Result<u32, Error> {
    bytes
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Error::new(Kind::Corrupt, "the next namespace id is not 4 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        assert_eq!(&format_record(), b"WSTORE\x01\x00");
        assert_eq!(format_key().physical(), [0, 0, 0, 0, 0]);
        assert_eq!(SystemRecord::key().physical(), SystemRecord::PHYSICAL_KEY);
        let record = SystemRecord {
            group: 1,
            id_high_water: 2,
            clock_ms: 3,
        };
        assert_eq!(
            record.encode(),
            *b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"
        );
        assert_eq!(SystemRecord::decode(&record.encode()).unwrap(), record);
        let entry = CatalogEntry {
            id: NamespaceId(7),
            dropped: false,
        };
        assert_eq!(entry.encode(), [7, 0, 0, 0, 0]);
        assert_eq!(CatalogEntry::decode(&entry.encode()).unwrap(), entry);
        let name = NamespaceName::new("shop").unwrap();
        assert_eq!(CatalogEntry::key(&name).physical(), b"\0\0\0\0\x02shop");
        assert_eq!(*physical_value(b"v"), [0, b'v']);
        assert_eq!(guest_value(&[0, b'v']).unwrap(), b"v");
    }

    #[test]
    fn openings_tell_who_made_a_group() {
        let openings = Openings::default().and(70, 1).and(80, 5);
        assert_eq!(Openings::decode(&openings.encode()).unwrap(), openings);
        assert_eq!(
            openings.encode().get(..9),
            Some(&b"\x46\0\0\0\0\0\0\0\x01"[..])
        );
        assert_eq!(openings.made(70, 4, 9), Some(true));
        assert_eq!(openings.made(70, 5, 9), Some(false), "it did not happen");
        assert_eq!(openings.made(80, 5, 9), Some(true));
        assert_eq!(openings.made(80, 10, 9), Some(false), "not yet");
        assert_eq!(openings.made(60, 1, 9), Some(false));
        assert_eq!(
            Openings::decode(&[0; 15]).unwrap_err().kind(),
            Kind::Corrupt
        );
    }

    #[test]
    fn as_many_openings_are_known_as_are_kept_and_older_ones_not() {
        let mut openings = Openings::default();
        for n in 1..=64 {
            openings = openings.and(n, n);
        }
        assert_eq!(openings.made(1, 1, 64), Some(true));
        openings = openings.and(65, 65);
        assert_eq!(openings.made(1, 1, 65), None);
        assert_eq!(openings.made(2, 2, 65), Some(true));
        assert_eq!(openings.encode().len(), 1024);
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let newer = check_format(b"WSTORE\x02\x00").unwrap_err();
        assert_eq!(newer.kind(), Kind::Unsupported);
        assert!(newer.to_string().contains("format 2"), "{newer}");
        for foreign in [&b""[..], b"SQLite", b"WSTORE", b"WSTORE\x01\x00\x00"] {
            assert_eq!(check_format(foreign).unwrap_err().kind(), Kind::Corrupt);
        }
        assert_eq!(SystemRecord::decode(b"").unwrap_err().kind(), Kind::Corrupt);
        assert_eq!(
            CatalogEntry::decode(&[1, 0, 0, 0, 9]).unwrap_err().kind(),
            Kind::Corrupt
        );
        assert_eq!(guest_value(&[]).unwrap_err().kind(), Kind::Corrupt);
        assert_eq!(guest_value(&[8, 1]).unwrap_err().kind(), Kind::Corrupt);
    }
}
