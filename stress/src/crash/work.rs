//! What writers store, and what must be there: both from one function, so that
//! every byte of the store is checked.
//!
//! A writer's commit number `n` reads its counter, `n - 1`, and writes `n` there,
//! `n` into some further keys with contents of mixed sizes, a new key of its own, and
//! deletes the one of an earlier commit. So what a writer has is a function of seed,
//! writer and `n` ([`Work::state`]); anything else is a part of a commit. In the same
//! commit it does something to entries that all share ([`Effect`]).
//!
//! An invocation is one commit; some are several, each a part of it
//! ([`Work::commits`]).

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use wasm_storage_engine::{
    Error, KeyRange, Kind, NamespaceId, OpError, Order, PageHint, Session, SessionOptions, Store,
};

use super::shared::{self, Effect, Expected, Namespaces, Wrong, wide};

/// Keys of a writer that each commit writes anew.
const PARTS: u64 = 4;
/// Keys that commits leave until so many later ones are done.
const WINDOW: u64 = 8;
/// One invocation of so many has several parts; at most so many.
const LONG_ONES: u64 = 10;
const MOST_COMMITS: u64 = 6;

type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a store holds.
#[derive(Debug)]
pub(crate) struct Found {
    /// Of each writer: its counter, and whether its entries are those of that number.
    pub(crate) writers: Vec<(u64, Result<(), String>)>,
    /// What the counters do not explain.
    pub(crate) shared: Vec<Wrong>,
}

impl Found {
    /// A writer's counter.
    pub(crate) fn number(&self, writer: usize) -> u64 {
        self.writers.get(writer).map_or(0, |(number, _)| *number)
    }

    /// Everything that is wrong in it, in words.
    pub(crate) fn wrong(&self) -> Option<String> {
        let own = self
            .writers
            .iter()
            .filter_map(|(_, whole)| whole.as_ref().err());
        let shared = self.shared.iter().map(|wrong| format!("{wrong:?}"));
        own.cloned()
            .chain(shared)
            .reduce(|one, two| format!("{one}; {two}"))
    }
}

/// The contents of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) seed: u64,
}

impl Work {
    /// The next commit of a writer; returns its number.
    pub(crate) fn commit(
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
        self.share(session, namespaces, writer, number)?;
        Ok(number)
    }

    /// What commit `number` of a writer does to entries that are shared.
    pub(crate) fn share(
        &self,
        session: &mut Session,
        namespaces: Namespaces,
        writer: usize,
        number: u64,
    ) -> Result<(), OpError> {
        let effect = self.effect(writer, number);
        effect.act(session, namespaces, wide(writer), number)
    }

    /// Commits of an invocation that begins with commit `number` of a writer.
    pub(crate) fn commits(&self, writer: usize, number: u64) -> u64 {
        let mut random = self.random(writer, number, PARTS + 2);
        match random.u64(..LONG_ONES) {
            0 => random.u64(2..=MOST_COMMITS),
            _ => 1,
        }
    }

    /// The last commit of each writer.
    pub(crate) fn last(&self, store: &Store, writers: usize) -> Result<Vec<u64>, Error> {
        let ns = store.default_namespace()?;
        let mut session = store.begin(SessionOptions::read_only());
        let numbers = (0..writers).map(|writer| number(&mut session, ns, &counter_key(writer)));
        numbers.collect::<Result<_, _>>().map_err(failed)
    }

    fn effect(&self, writer: usize, number: u64) -> Effect {
        Effect::random(self.random(writer, number, PARTS + 1))
    }

    fn random(&self, writer: usize, number: u64, part: u64) -> fastrand::Rng {
        let mut seed = self.seed;
        for word in [wide(writer), number, part] {
            seed = fastrand::Rng::with_seed(seed ^ word).u64(..);
        }
        fastrand::Rng::with_seed(seed)
    }

    /// All entries of a writer after `number` commits.
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

    /// What commit `number` of a writer puts.
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
        let mut random = self.random(writer, number, part);
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
        let namespaces = Namespaces::find(store)?;
        let mut session = store.begin(SessionOptions::read_only());
        let mut found = Vec::new();
        let mut expected = Expected::default();
        for writer in 0..writers {
            let entries = entries(&mut session, ns, writer).map_err(failed)?;
            let number = entries.get(&counter_key(writer));
            let number = number.map_or(Some(0), |bytes| decode(bytes)).unwrap_or(0);
            for number in 1..=number {
                expected.happened(self.effect(writer, number), wide(writer), number);
            }
            let whole = difference(&self.state(writer, number), &entries);
            found.push((number, whole));
        }
        let shared = match namespaces {
            None => shared::Entries::default(),
            Some(all) => shared::Entries::read(&mut session, all).map_err(failed)?,
        };
        Ok(Found {
            writers: found,
            shared: expected.compare(&shared),
        })
    }
}

fn prefix(writer: usize) -> String {
    format!("writer/{writer:04}/")
}

fn counter_key(writer: usize) -> Vec<u8> {
    format!("{}counter", prefix(writer)).into_bytes()
}

/// Whose counter an entry is, and what it holds.
pub(super) fn counter(key: &[u8], value: &[u8]) -> Option<(usize, u64)> {
    let key = std::str::from_utf8(key).ok()?;
    let writer = key.strip_prefix("writer/")?.strip_suffix("/counter")?;
    Some((writer.parse().ok()?, decode(value)?))
}

fn own_key(writer: usize, number: u64) -> Vec<u8> {
    format!("{}own/{number:020}", prefix(writer)).into_bytes()
}

fn decode(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// The number under a key; 0 if there is none.
pub(super) fn number(session: &mut Session, ns: NamespaceId, key: &[u8]) -> Result<u64, OpError> {
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
