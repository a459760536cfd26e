//! Stores built through the [`Coordinator`], torn, and opened again.
//!
//! A case is a store with acknowledged commits and one more batch; a trial is one
//! way to tear that batch. After it, the store must open, have every acknowledged
//! commit, and all of the batch or nothing of it; then it takes one more commit and
//! opens again with that.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{
    Coordinator, Error, KeyRange, Kind, Order, PageHint, SessionOptions, Store,
};

use super::{Growth, Image, Tail};
use crate::model::{Model, Random};

/// Trials of one case, at most: building a case costs as much as many of them.
const TRIALS: usize = 150;
/// Failures that are told in full.
const TOLD: usize = 10;

/// An engine that keeps its store in files.
pub struct Engine<'a, K> {
    /// Opens the store at a path, or makes it there.
    pub open: &'a dyn Fn(&Path) -> Result<K, Error>,
    /// Whether opening it has thrown something away.
    pub repaired: &'a dyn Fn(&K) -> bool,
    /// How its files become longer.
    pub growth: Growth,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Trials.
    pub tails: u64,
    /// Stores in which an acknowledged write was missing.
    pub lost: u64,
    /// Stores that had a part of the batch that was not acknowledged.
    pub partial: u64,
    /// Stores that did not open, or not after a further commit.
    pub not_opened: u64,
    /// Stores of which a part of the batch was thrown away when they were opened.
    pub repaired: u64,
    /// The first of the failures, each with what makes it again.
    pub told: Vec<String>,
}

impl Counts {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        (self.lost, self.partial, self.not_opened) == (0, 0, 0)
    }
}

/// `10000 tails, acknowledged lost 0, partial 0, not opened 0, repaired 7`
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} tails, acknowledged lost {}, partial {}, not opened {}, repaired {}",
            self.tails, self.lost, self.partial, self.not_opened, self.repaired
        )
    }
}

/// Tears `count` tails in `folder`, which is empty; the same `seed` makes the same
/// stores and tears. `told` hears of the counts after every case.
pub fn run<K: OrderedKv>(
    engine: &Engine<'_, K>,
    folder: &Path,
    count: u64,
    seed: u64,
    told: &mut dyn FnMut(&Counts),
) -> Counts {
    let mut counts = Counts::default();
    let (source, torn) = (folder.join("source"), folder.join("torn"));
    for case in 0_u64.. {
        if counts.tails >= count {
            break;
        }
        let random = &mut Random::new(seed.wrapping_mul(0x1_0000_0001).wrapping_add(case));
        remove(&source);
        let Some(case_of) = Case::build(engine, &source, random) else {
            continue;
        };
        let left = usize::try_from(count - counts.tails).unwrap();
        for variant in case_of.tail.variants(random, TRIALS.min(left)) {
            let image = case_of.tail.image(&variant, engine.growth);
            remove(&torn);
            image.lay_down(&torn).unwrap();
            counts.tails += 1;
            let tried = || trial(engine, &torn, &case_of, &mut counts);
            let failed = match catch_unwind(AssertUnwindSafe(tried)) {
                Ok(Ok(())) => continue,
                Ok(Err(failed)) => failed,
                Err(_) => Failure::NotOpened("a panic".to_string()),
            };
            let (number, text) = match failed {
                Failure::Lost(text) => (&mut counts.lost, text),
                Failure::Partial(text) => (&mut counts.partial, text),
                Failure::NotOpened(text) => (&mut counts.not_opened, text),
            };
            *number += 1;
            if counts.told.len() < TOLD {
                let missing = variant.written.iter().filter(|written| !**written).count();
                counts.told.push(format!(
                    "seed {seed}, case {case}, {missing} of {} sectors missing, length {:?}: {text}",
                    variant.written.len(),
                    variant.length
                ));
            }
        }
        told(&counts);
    }
    remove(&source);
    remove(&torn);
    counts
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
}

/// A store, what it has acknowledged, and what it would have with the last batch.
struct Case {
    tail: Tail,
    acknowledged: Model,
    with_last: Model,
}

/// Writes of one batch; `None` deletes.
type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Case {
    /// `None` if the engine did other work while the last batch was written.
    fn build<K: OrderedKv>(
        engine: &Engine<'_, K>,
        path: &Path,
        random: &mut Random,
    ) -> Option<Self> {
        let open = || Store::new(Coordinator::open((engine.open)(path).unwrap(), None).unwrap());
        let mut acknowledged = Model::new();
        let mut store = open();
        for _ in 0..=random.below(12) {
            let group = if random.below(4) == 0 {
                1 + random.below(16)
            } else {
                1
            };
            let writes = batch(random, group, &acknowledged);
            commit(&store, &writes).unwrap();
            change(&mut acknowledged, writes);
        }
        // A journal that is opened again has nothing set aside behind its end.
        if random.below(2) == 0 {
            drop(store);
            store = open();
        }
        let before = Image::read(path).unwrap();
        let group = match random.below(3) {
            0 => 1,
            1 => 1 + random.below(16),
            _ => 1 + random.below(256),
        };
        let writes = batch(random, group, &acknowledged);
        commit(&store, &writes).unwrap();
        let tail = Tail::between(before, Image::read(path).unwrap())?;
        let mut with_last = acknowledged.clone();
        change(&mut with_last, writes);
        Some(Case {
            tail,
            acknowledged,
            with_last,
        })
    }
}

/// The writes of so many commits: new keys, and at times old ones.
fn batch(random: &mut Random, commits: usize, there: &Model) -> Writes {
    let mut writes = Writes::new();
    for _ in 0..commits {
        for _ in 0..2 + random.below(4) {
            let old = there.keys().nth(random.below(there.len() + 1));
            let key = match old {
                Some(old) if random.below(4) == 0 => old.clone(),
                _ => random.next().to_be_bytes().to_vec(),
            };
            let value = (random.below(8) > 0).then(|| value(random, commits));
            writes.insert(key, value);
        }
    }
    writes
}

/// From 8 bytes to 64 KiB, seldom large, and more seldom so in a large group.
fn value(random: &mut Random, commits: usize) -> Vec<u8> {
    let size = match random.below(40 + 4 * commits) {
        0 => 64 << 10,
        1..4 => 4096,
        4..12 => 600,
        _ => 8 + random.below(100),
    };
    // Of zeros, whole sectors are as if they were missing.
    if random.below(10) == 0 {
        return vec![0; size];
    }
    let mut value = Vec::with_capacity(size + 8);
    while value.len() < size {
        value.extend_from_slice(&random.next().to_be_bytes());
    }
    value.truncate(size);
    value
}

fn change(model: &mut Model, writes: Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => model.insert(key, value),
            None => model.remove(&key),
        };
    }
}

fn commit(store: &Store, writes: &Writes) -> Result<(), Error> {
    let ns = store.default_namespace()?;
    let mut session = store.begin(SessionOptions::read_write());
    for (key, value) in writes {
        match value {
            Some(value) => session.put(ns, key, value),
            None => session.delete(ns, key),
        }
        .unwrap();
    }
    session.commit().into_result().map(|_| ())
}

enum Failure {
    Lost(String),
    Partial(String),
    NotOpened(String),
}

fn trial<K: OrderedKv>(
    engine: &Engine<'_, K>,
    path: &Path,
    case: &Case,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let kv = (engine.open)(path).map_err(not_opened)?;
    counts.repaired += u64::from((engine.repaired)(&kv));
    let store = Store::new(Coordinator::open(kv, None).map_err(not_opened)?);
    let found = contents(&store).map_err(not_opened)?;
    let mut expected = judge(&found, case)?.clone();

    let later = Writes::from([
        (b"after the failure".to_vec(), Some(b"value".to_vec())),
        (b"and more".to_vec(), Some(vec![7; 3000])),
    ]);
    commit(&store, &later).map_err(not_opened)?;
    change(&mut expected, later);
    drop(store);

    let kv = (engine.open)(path).map_err(not_opened)?;
    let store = Store::new(Coordinator::open(kv, None).map_err(not_opened)?);
    if contents(&store).map_err(not_opened)? != expected {
        let text = "another state after a further commit and reopening";
        return Err(Failure::Lost(text.to_string()));
    }
    Ok(())
}

fn not_opened(error: Error) -> Failure {
    Failure::NotOpened(error.to_string())
}

/// Which of the two states it is, or what is wrong with it.
fn judge<'a>(found: &Model, case: &'a Case) -> Result<&'a Model, Failure> {
    for state in [&case.acknowledged, &case.with_last] {
        if found == state {
            return Ok(state);
        }
    }
    let keys = case.acknowledged.keys().chain(case.with_last.keys());
    for key in keys.chain(found.keys()) {
        let (before, after) = (case.acknowledged.get(key), case.with_last.get(key));
        let is = found.get(key);
        if is != before && is != after {
            let size = |value: Option<&Vec<u8>>| value.map(Vec::len);
            return Err(Failure::Lost(format!(
                "{} has {:?} bytes, acknowledged were {:?}",
                key.escape_ascii(),
                size(is),
                size(before)
            )));
        }
    }
    Err(Failure::Partial("a part of the last batch".to_string()))
}

fn contents(store: &Store) -> Result<Model, Error> {
    let ns = store.default_namespace()?;
    let mut found = Model::new();
    let mut session = store.begin(SessionOptions::read_only());
    let all = &KeyRange::ALL;
    session
        .scan(
            ns,
            all,
            Order::Forward,
            PageHint::default(),
            &mut |key, value| {
                found.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            },
        )
        .map_err(|error| Error::new(Kind::Internal, format!("a scan failed: {error:?}")))?;
    Ok(found)
}
