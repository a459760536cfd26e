//! Looking at everything in a store: [`verify`]; [`accept`] for a store that a failed
//! write has marked; [`discard_damaged`] for one whose newest journal is damaged.
//!
//! Every entry is read, so that every checksum of the engine is made, and every
//! stored value must have the form that the engine's layout gives it. What guests
//! mean by their bytes is not looked at.

use std::ops::ControlFlow;

use wasm_storage_engine::kv::{OrderedKv, Snapshot};
use wasm_storage_engine::layout::{self, CatalogEntry, KEY_PREFIX_BYTES, SystemRecord};
use wasm_storage_engine::{Error, KeyRange, Kind, Order};

use crate::Options;
use crate::embedded::{self, Embedded, Purpose, With};
use crate::holder::Held;
use crate::url;

/// What was found in a store that is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Entries, those of the system included.
    pub entries: u64,
    /// Their keys and values, in bytes.
    pub bytes: u64,
    /// The number of the last commit; 0 before the first.
    pub commits: u64,
    /// Why the store is marked for a check, as the failed write left it; `None` if
    /// it is not. After [`accept`], why it was.
    pub mark: Option<String>,
    /// What happened while it was opened, each a sentence.
    pub notes: Vec<String>,
}

/// Opens the store that `url` names, marked or not, and reads everything in it. A
/// mark stays. Of `options`, `wait` counts; nothing is made.
///
/// Errors: `Corrupt` for damage, named; `Unsupported` for a store in memory or of
/// another format; those of [`open`](crate::open).
pub fn verify(url: &str, options: &Options) -> Result<Report, Error> {
    run(url, options, Purpose::Check, false)
}

/// The same as [`verify`], and takes the mark from a store that is in order, so that
/// it can be opened again. Does no harm where there is no mark.
///
/// Errors: those of [`verify`]; the mark is still there then.
pub fn accept(url: &str, options: &Options) -> Result<Report, Error> {
    run(url, options, Purpose::Check, true)
}

/// The same as [`verify`], and gives up what is behind damage in the newest journal of
/// fjall, acknowledged or not; a copy is kept, the report's notes say where. In redb
/// there is nothing to give up. A mark stays.
///
/// Errors: those of [`verify`], for other damage.
pub fn discard_damaged(url: &str, options: &Options) -> Result<Report, Error> {
    run(url, options, Purpose::Mend, false)
}

fn run(url: &str, options: &Options, purpose: Purpose, accept: bool) -> Result<Report, Error> {
    embedded::open(url::parse(url)?, options, purpose, Verify { accept })
}

struct Verify {
    accept: bool,
}

impl With for Verify {
    type Output = Report;

    fn with<K: Embedded>(self, kv: Held<K>) -> Result<Report, Error> {
        let engine = kv.engine();
        let mut report = Report {
            entries: 0,
            bytes: 0,
            commits: 0,
            mark: engine.mark().map(str::to_string),
            notes: engine.notes(),
        };
        read(engine, &mut report)?;
        if self.accept {
            engine.accept()?;
        }
        Ok(report)
    }
}

fn read(kv: &impl OrderedKv, report: &mut Report) -> Result<(), Error> {
    let mut format = None;
    let mut bad = None;
    let all = &KeyRange::ALL;
    kv.snapshot()?
        .scan(all, Order::Forward, &mut |key, value| {
            report.entries += 1;
            report.bytes += (key.len() + value.len()) as u64;
            let checked = if key == layout::format_key().physical() {
                format = Some(value.to_vec());
                layout::check_format(value)
            } else {
                check(key, value, &mut report.commits)
            };
            match checked {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    bad = Some(named(key, &error));
                    ControlFlow::Break(())
                }
            }
        })?;
    match bad {
        Some(bad) => Err(bad),
        // Before its first commit a store is empty.
        None if format.is_none() && report.entries > 0 => Err(Error::new(
            Kind::Corrupt,
            "the place holds data of another program: it has entries but no format record",
        )),
        None => Ok(()),
    }
}

/// Whether an entry has the form that the layout gives it.
fn check(key: &[u8], value: &[u8], commits: &mut u64) -> Result<(), Error> {
    let too_short = || Error::new(Kind::Corrupt, "the key has no namespace");
    let (namespace, user) = key
        .split_first_chunk::<KEY_PREFIX_BYTES>()
        .ok_or_else(too_short)?;
    if u32::from_be_bytes(*namespace) != layout::SYSTEM.0 {
        return layout::guest_value(value).map(drop);
    }
    if key == SystemRecord::key().physical() {
        *commits = SystemRecord::decode(value)?.group;
    } else if key == layout::next_namespace_key().physical() {
        layout::decode_next_namespace(value)?;
    } else if user.first() == Some(&0x02) {
        CatalogEntry::decode(value)?;
    }
    Ok(())
}

fn named(key: &[u8], error: &Error) -> Error {
    let key = wasm_storage_engine::error::show_key(key);
    Error::new(error.kind(), format!("the entry {key}: {error}"))
}
