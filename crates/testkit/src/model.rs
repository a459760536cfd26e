//! Random operations on an [`OrderedKv`], each answer compared with what a
//! `BTreeMap` says. The same seed makes the same operations on every machine.

use std::collections::BTreeMap;
use std::ops::Bound;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{KeyRange, Order};

use crate::support::{Entry, all, apply, get, key, scan};

/// A state as the model sees it.
pub type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Most snapshots that one run holds at a time.
const HELD: usize = 5;

/// A sequence of numbers that looks random: xorshift64* (Vigna 2016, "An
/// experimental exploration of Marsaglia's xorshift generators, scrambled").
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        // The state must not be 0, and small seeds must not begin alike.
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    #[expect(
        clippy::should_implement_trait,
        reason = "it has no end, so it is no iterator"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The high bits are the good ones. Below n, so it fits.
        usize::try_from((self.next() >> 16) % u64::try_from(n).unwrap()).unwrap()
    }

    /// Up to `most` bytes.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        (0..len).map(|_| self.next().to_be_bytes()[0]).collect()
    }

    /// A short physical key from few bytes, so that keys meet, are prefixes of each
    /// other and hold 00 and FF.
    pub fn key(&mut self) -> Vec<u8> {
        let len = self.below(4);
        let user: Vec<u8> = (0..len)
            .map(|_| [0x00, 0x01, b'a', 0xfe, 0xff][self.below(5)])
            .collect();
        key(&user)
    }

    /// A value: mostly short, at times over a page of any engine.
    pub fn value(&mut self) -> Vec<u8> {
        match self.below(20) {
            0 => Vec::new(),
            1 => self.bytes(20_000),
            _ => self.bytes(60),
        }
    }

    /// A writer's batch: keys ascending, each once, `None` deletes.
    pub fn batch(&mut self) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
        (0..self.below(12))
            .map(|_| {
                let value = (self.below(3) > 0).then(|| self.value());
                (self.key(), value)
            })
            .collect()
    }

    pub(crate) fn bound<'k>(&mut self, key: &'k [u8]) -> Bound<&'k [u8]> {
        match self.below(5) {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(key),
            _ => Bound::Excluded(key),
        }
    }
}

/// What a scan must show.
pub fn range(model: &Model, range: &KeyRange<'_>, order: Order) -> Vec<Entry> {
    let mut entries: Vec<_> = model
        .iter()
        .filter(|(key, _)| {
            let above = match range.lo {
                Bound::Included(lo) => &key[..] >= lo,
                Bound::Excluded(lo) => &key[..] > lo,
                Bound::Unbounded => true,
            };
            let below = match range.hi {
                Bound::Included(hi) => &key[..] <= hi,
                Bound::Excluded(hi) => &key[..] < hi,
                Bound::Unbounded => true,
            };
            above && below
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if order == Order::Reverse {
        entries.reverse();
    }
    entries
}

/// Runs `steps` random operations on an empty store: batches, snapshots taken and
/// dropped, and reads of all snapshots that are held.
///
/// # Panics
///
/// When the engine and the model disagree, with seed and step.
pub fn compare<K: OrderedKv>(kv: &K, seed: u64, steps: usize) {
    let mut random = Random::new(seed);
    let mut present = Model::new();
    let mut held = vec![(kv.snapshot().unwrap(), present.clone())];
    for step in 0..steps {
        let at = format!("seed {seed}, step {step}");
        match random.below(10) {
            0..4 => {
                let batch = random.batch();
                let writes = batch.iter().map(|(k, v)| (&k[..], v.as_deref()));
                apply(kv, writes.collect()).unwrap_or_else(|error| panic!("{at}: {error:?}"));
                for (key, value) in batch {
                    match value {
                        Some(value) => present.insert(key, value),
                        None => present.remove(&key),
                    };
                }
            }
            4 => {
                if held.len() == HELD {
                    held.swap_remove(random.below(HELD));
                }
                held.push((kv.snapshot().unwrap(), present.clone()));
            }
            5 | 6 => {
                let (snapshot, model) = &held[random.below(held.len())];
                let key = random.key();
                assert_eq!(get(snapshot, &key), model.get(&key).cloned(), "{at}");
            }
            _ => {
                let (snapshot, model) = &held[random.below(held.len())];
                let (lo, hi) = (random.key(), random.key());
                let wanted = KeyRange {
                    lo: random.bound(&lo),
                    hi: random.bound(&hi),
                };
                let order = [Order::Forward, Order::Reverse][random.below(2)];
                let most = [1, 2, 7, usize::MAX][random.below(4)];
                let mut expected = range(model, &wanted, order);
                expected.truncate(most);
                let seen = scan(snapshot, &wanted, order, most);
                assert_eq!(seen, expected, "{at}: {wanted:?} {order:?}");
            }
        }
    }
    held.push((kv.snapshot().unwrap(), present));
    for (snapshot, model) in held {
        assert!(
            all(&snapshot).into_iter().eq(model),
            "seed {seed}, at the end"
        );
    }
}
