//! What writers store, and what must be there: both from one function, so that
//! every byte of the store is checked.
//!
//! A writer's invocation number `n` reads its counter, `n - 1`, and writes `n` there,
//! `n` into some further keys with contents of mixed sizes, a new key of its own, and
//! deletes the one of an earlier invocation. So what a writer has is a function of
//! seed, writer and `n` ([`Work::state`]); anything else is a part of a commit. The
//! shared total, in another namespace, goes up by one in the same commit.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use wasm_storage_engine::{
    Error, KeyRange, Kind, NamespaceId, OpError, Order, PageHint, Session, SessionOptions, Store,
};

/// Keys of a writer that each invocation writes anew.
const PARTS: u64 = 6;
/// Keys that invocations leave until so many later ones are done.
const WINDOW: u64 = 8;
const TOTALS: &str = "totals";
const TOTAL: &[u8] = b"total";

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The namespaces that are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Namespaces {
    writers: NamespaceId,
    totals: NamespaceId,
}

impl Namespaces {
    /// Makes what is missing.
    pub(crate) fn make(store: &Store) -> Result<Self, Error> {
        Ok(Namespaces {
            writers: store.default_namespace()?,
            totals: store.namespace(TOTALS, true)?,
        })
    }
}

/// What a store holds.
#[derive(Debug)]
pub(crate) struct Found {
    /// Of each writer: its counter, and whether its entries are those of that number.
    pub(crate) writers: Vec<(u64, Result<(), String>)>,
    pub(crate) total: u64,
}

/// The contents of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) seed: u64,
}

impl Work {
    /// One invocation of a writer; returns its number.
    pub(crate) fn invoke(
        &self,
        session: &mut Session,
        namespaces: Namespaces,
        writer: usize,
    ) -> Result<u64, OpError> {
        let ns = namespaces.writers;
        let number = number(session, ns, &counter_key(writer))? + 1;
        for (key, value) in self.written(writer, number) {
            session.put(ns, &key, &value)?;
        }
        if let Some(old) = number.checked_sub(WINDOW) {
            session.delete(ns, &own_key(writer, old))?;
        }
        let total = self::number(session, namespaces.totals, TOTAL)? + 1;
        session.put(namespaces.totals, TOTAL, &total.to_le_bytes())?;
        Ok(number)
    }

    /// All entries of a writer after `number` invocations.
    fn state(&self, writer: usize, number: u64) -> Entries {
        if number == 0 {
            return Entries::new();
        }
        let mut entries: Entries = self.written(writer, number).collect();
        let oldest = (number + 1).saturating_sub(WINDOW).max(1);
        for own in oldest..number {
            let key = own_key(writer, own);
            let value = self.value(writer, own, PARTS);
            entries.insert(key, value);
        }
        entries
    }

    /// What invocation `number` of a writer puts.
    fn written(
        &self,
        writer: usize,
        number: u64,
    ) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + use<'_> {
        let counter = (counter_key(writer), number.to_le_bytes().to_vec());
        let parts = (0..PARTS).map(move |part| {
            let key = format!("{}part/{part}", prefix(writer)).into_bytes();
            (key, self.value(writer, number, part))
        });
        let own = (own_key(writer, number), self.value(writer, number, PARTS));
        [counter].into_iter().chain(parts).chain([own])
    }

    /// The number, then contents that no other number has, a few bytes to 100 KiB.
    fn value(&self, writer: usize, number: u64, part: u64) -> Vec<u8> {
        let mut seed = self.seed;
        for word in [writer as u64, number, part] {
            seed = fastrand::Rng::with_seed(seed ^ word).u64(..);
        }
        let mut random = fastrand::Rng::with_seed(seed);
        let length = match random.u8(..100) {
            0..50 => random.usize(..64),
            50..88 => random.usize(64..2_048),
            88..99 => random.usize(2_048..16_384),
            _ => random.usize(16_384..100_000),
        };
        let mut value = vec![0; 8 + length];
        random.fill(&mut value);
        for (byte, digit) in value.iter_mut().zip(number.to_le_bytes()) {
            *byte = digit;
        }
        value
    }

    /// Reads everything and compares it, in one session.
    ///
    /// Errors: of the store alone; what is wrong with the contents is in the answer.
    pub(crate) fn read(&self, store: &Store, writers: usize) -> Result<Found, Error> {
        let ns = store.default_namespace()?;
        let totals = match store.namespace(TOTALS, false) {
            Err(missing) if missing.kind() == Kind::NoSuchNamespace => None,
            found => Some(found?),
        };
        let mut session = store.begin(SessionOptions::read_only());
        let mut found = Vec::new();
        for writer in 0..writers {
            let entries = entries(&mut session, ns, writer).map_err(failed)?;
            let number = entries.get(&counter_key(writer));
            let number = number.map_or(Some(0), |bytes| decode(bytes)).unwrap_or(0);
            let whole = difference(&self.state(writer, number), &entries);
            found.push((number, whole));
        }
        let total = match totals {
            None => 0,
            Some(totals) => number(&mut session, totals, TOTAL).map_err(failed)?,
        };
        Ok(Found {
            writers: found,
            total,
        })
    }
}

fn prefix(writer: usize) -> String {
    format!("writer/{writer:04}/")
}

fn counter_key(writer: usize) -> Vec<u8> {
    format!("{}counter", prefix(writer)).into_bytes()
}

fn own_key(writer: usize, number: u64) -> Vec<u8> {
    format!("{}own/{number:020}", prefix(writer)).into_bytes()
}

fn decode(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The number under a key; 0 if there is none.
fn number(session: &mut Session, ns: NamespaceId, key: &[u8]) -> Result<u64, OpError> {
    let mut number = Some(0);
    session.get(ns, key, |bytes| number = decode(bytes))?;
    number.ok_or_else(|| {
        let text = format!("{} holds no number", key.escape_ascii());
        OpError::Failed(Error::new(Kind::Corrupt, text))
    })
}

/// All entries of a writer.
fn entries(session: &mut Session, ns: NamespaceId, writer: usize) -> Result<Entries, OpError> {
    let (lo, hi) = (prefix(writer), prefix(writer + 1));
    let range = KeyRange {
        lo: Bound::Included(lo.as_bytes()),
        hi: Bound::Excluded(hi.as_bytes()),
    };
    let mut entries = Entries::new();
    session.scan(
        ns,
        &range,
        Order::Forward,
        PageHint::default(),
        &mut |key, value| {
            entries.insert(key.to_vec(), value.to_vec());
            ControlFlow::Continue(())
        },
    )?;
    Ok(entries)
}

/// Says which keys are wrong.
fn difference(expected: &Entries, found: &Entries) -> Result<(), String> {
    let shown = |key: &[u8]| key.escape_ascii().to_string();
    let mut wrong = Vec::new();
    for (key, value) in expected {
        match found.get(key) {
            Some(there) if there == value => {}
            Some(there) => {
                let of = there.first_chunk().map(|first| u64::from_le_bytes(*first));
                wrong.push(format!("{} is of {of:?}", shown(key)));
            }
            None => wrong.push(format!("{} is missing", shown(key))),
        }
    }
    let surplus = found.keys().filter(|key| !expected.contains_key(*key));
    wrong.extend(surplus.map(|key| format!("{} should not be there", shown(key))));
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join(", "))
    }
}

/// A read-only session cannot be doomed, and has no deadline.
pub(crate) fn failed(error: OpError) -> Error {
    match error {
        OpError::Failed(error) => error,
        other => Error::new(Kind::Internal, format!("{other:?}")),
    }
}
