//! What is done once, when a store is opened: the durability word, the format, the
//! first records of a new store.

use std::ops::ControlFlow;

use wasm_storage_abi::Kind;

use crate::backend::{Capabilities, Durability, KeyRange, NamespaceName, Order, OwnedKey};
use crate::error::Error;
use crate::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use crate::layout::{self, CatalogEntry, Openings, SystemRecord};

/// What an opened store says of itself.
#[derive(Debug)]
pub(super) struct Opened<S> {
    pub(super) durability: Durability,
    pub(super) snapshot: S,
    pub(super) record: SystemRecord,
    pub(super) openings: Openings,
}

/// Opens the store in `kv`; makes one if it is empty.
pub(super) fn open<K: OrderedKv>(
    kv: &K,
    durability: Option<Durability>,
) -> Result<Opened<K::Snapshot>, Error> {
    let durability = choose_durability(kv.capabilities(), durability)?;
    let mut snapshot = kv.snapshot()?;
    if read(&snapshot, &layout::format_key())?.is_none() {
        create(kv, &snapshot, durability)?;
        snapshot = kv.snapshot()?;
    }
    let format = read(&snapshot, &layout::format_key())?.unwrap_or_default();
    layout::check_format(&format)?;
    let record = read(&snapshot, &SystemRecord::key())?.unwrap_or_default();
    let openings = read(&snapshot, &Openings::key())?.unwrap_or_default();
    Ok(Opened {
        durability,
        record: SystemRecord::decode(&record)?,
        openings: Openings::decode(&openings)?,
        snapshot,
    })
}

fn choose_durability(
    capabilities: &Capabilities,
    asked: Option<Durability>,
) -> Result<Durability, Error> {
    let words = capabilities.durability;
    match asked {
        Some(word) if words.contains(&word) => Ok(word),
        None if !words.is_empty() => Ok(words.first().copied().unwrap_or(Durability::Memory)),
        _ => Err(Error::new(
            Kind::Unsupported,
            format!(
                "{} cannot make durability {} true; it offers {}",
                capabilities.name,
                asked.map_or("by default".to_string(), |word| word.to_string()),
                words
                    .iter()
                    .map(Durability::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        )),
    }
}

pub(super) fn read(snapshot: &impl Snapshot, key: &OwnedKey) -> Result<Option<Vec<u8>>, Error> {
    let mut value = None;
    snapshot.get(key.physical(), &mut |bytes| value = Some(bytes.to_vec()))?;
    Ok(value)
}

/// Writes the first records of an empty store, in one batch.
fn create(kv: &impl OrderedKv, snapshot: &impl Snapshot, word: Durability) -> Result<(), Error> {
    let mut foreign = false;
    snapshot.scan(&KeyRange::ALL, Order::Forward, &mut |_, _| {
        foreign = true;
        ControlFlow::Break(())
    })?;
    if foreign {
        return Err(Error::new(
            Kind::Corrupt,
            "the place holds data of another program: it has entries but no format record",
        ));
    }
    let default = NamespaceName::new(NamespaceName::DEFAULT)?;
    let entry = CatalogEntry {
        id: layout::DEFAULT,
        dropped: false,
    };
    let records = [
        (layout::format_key(), layout::format_record().to_vec()),
        (
            SystemRecord::key(),
            SystemRecord::default().encode().to_vec(),
        ),
        (CatalogEntry::key(&default), entry.encode().to_vec()),
        (
            layout::next_namespace_key(),
            (layout::DEFAULT.0 + 1).to_le_bytes().to_vec(),
        ),
    ];
    let batch = records
        .iter()
        .map(|(key, value)| (key.physical(), Some(value.as_slice())))
        .collect();
    kv.apply(&Batch::from_sorted(batch), word)
        .map_err(|failed| match failed {
            ApplyError::Rejected(error) | ApplyError::Unknown(error) => error,
        })
}
