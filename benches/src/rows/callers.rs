//! P8 and E3: durable invocations of many callers at once, each with a key of its
//! own (P8), all on one key (E3).
//!
//! A sample is the time that one of a burst takes: all callers go on for a while,
//! and what they have done until the last of them is back is divided by the time.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{Attempt, Coordinator, Durability, NamespaceId, RunOptions, Store};
use wasm_storage_fjall::Fjall;
use wasm_storage_redb::Redb;
use wasm_storage_wasmtime::{Answer, Call, CallError, Val};

use crate::disk::Raw;
use crate::harness::{ROUNDS, Random, Samples, interleaved};
use crate::invocations::Invocations;
use crate::spinners::Spinners;
use crate::stores::{Engine, Shared, VALUE_BYTES, apply_one, ascending, fill};
use crate::table::{Ratio, Row, Verdict, rate};
use crate::{Options, Result};

const CALLERS: u64 = 64;
/// One for each caller: nobody waits for an instance.
const INSTANCES: Option<NonZeroU32> = NonZeroU32::new(64);
/// Keys of one caller.
const OWN_KEYS: u64 = 1_000;
/// How long the callers go on for one sample.
const BURST: Duration = Duration::from_millis(60);

/// P8 on both engines.
pub(crate) fn durable(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let guest = &options.invocation;
    let fjall = Fjall::open(&wasm_storage_fjall::Config::new(folder.join("p8.fjall")))?;
    let mut rows = durable_on(guest, folder, fjall)?;
    let redb = Redb::open(&wasm_storage_redb::Config::new(folder.join("p8.redb")))?;
    rows.extend(durable_on(guest, folder, redb)?);
    Ok(rows)
}

fn durable_on<K: OrderedKv>(guest: &Path, folder: &Path, kv: K) -> Result<Vec<Row>> {
    let kv = Shared(Arc::new(kv));
    let name = kv.capabilities().name;
    let store = Store::new(Coordinator::open(kv.clone(), None)?);
    let ns = store.default_namespace()?;
    fill(&store, 0..CALLERS * OWN_KEYS, ascending, VALUE_BYTES)?;
    let wasm = Invocations::new(guest, &store, INSTANCES)?;
    let call = wasm.prepare("get_and_put")?;
    let native = Native { store: &store, ns };
    let alone = Alone {
        kv: &*kv.0,
        ns,
        one_at_a_time: Mutex::new(()),
    };
    let mut raw = Raw::new(folder)?;
    let _busy = Spinners::nice()?;
    let [wasm, native, alone, raw] = interleaved(
        ROUNDS,
        [
            &mut |round| {
                burst(3 * round, |work| {
                    wasm.run(&mut call.clone(), &[work.key, work.seed])?;
                    Ok(())
                })
            },
            &mut |round| burst(3 * round + 1, |work| native.get_and_put(work)),
            &mut |round| burst(3 * round + 2, |work| alone.put(work)),
            &mut |_| syncs(&mut raw),
        ],
    )?;
    let row = |beside: &str, reference: &Samples, goal: f64| {
        let ratio = Ratio::new(reference, &wasm);
        Row {
            id: "P8",
            what: format!("durable invocations of {CALLERS} callers, {name}"),
            measured: rate(wasm.median()),
            reference: format!("{beside} {}", rate(reference.median())),
            ratio: ratio.to_string(),
            goal: format!(">= {goal}"),
            met: ratio.at_least(goal),
        }
    };
    Ok(vec![
        row("the same without Wasm", &native, 0.8),
        row("one commit of the engine for each", &alone, 8.0),
        row(RAW, &raw, 5.0),
    ])
}

/// E3.
pub(crate) fn one_key(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let store = Engine::Fjall.open(&Engine::Fjall.path(folder, "e3"))?;
    let wasm = Invocations::new(&options.invocation, &store, INSTANCES)?;
    let (add, increment) = (wasm.prepare("add")?, wasm.prepare("increment")?);
    let run = |call: &Call| wasm.run(&mut call.clone(), &[]);
    let (adds, increments) = (Tally::default(), Tally::default());
    let mut raw = Raw::new(folder)?;
    let busy = Spinners::nice()?;
    let [add, increment, raw] = interleaved(
        ROUNDS,
        [
            &mut |round| burst(round, |_| adds.count(run(&add))),
            &mut |round| burst(round, |_| increments.count(run(&increment))),
            &mut |_| syncs(&mut raw),
        ],
    )?;
    drop(busy);
    let total = run(&wasm.prepare("total")?)?;
    let expected = adds.successes() + increments.successes();
    if !matches!(total.values[..], [Val::I64(total)] if u64::try_from(total)? == expected) {
        return Err(format!("{expected} calls succeeded, but the counter is {total:?}").into());
    }
    let row = |what: &str, samples: &Samples, tally: &Tally| Row {
        id: "E3",
        what: format!("{CALLERS} callers on one key, {what}, fjall"),
        measured: format!("{}, {tally}", rate(samples.median())),
        reference: format!("{RAW} {}", rate(raw.median())),
        ratio: Ratio::new(&raw, samples).to_string(),
        goal: "none fails".into(),
        met: Verdict::of(tally.failures() == 0),
    };
    Ok(vec![
        row("`Counter::add` (reads)", &add, &adds),
        row("`Counter::increment` (does not)", &increment, &increments),
    ])
}

const RAW: &str = "append 128 B + fdatasync";

/// How the calls of a contestant ended, those of warming up included.
#[derive(Default)]
struct Tally {
    successes: AtomicU64,
    attempts: AtomicU64,
    failures: AtomicU64,
}

impl Tally {
    fn count(&self, ended: std::result::Result<Answer, CallError>) -> Result<()> {
        match ended {
            Ok(answer) => {
                self.successes.fetch_add(1, Ordering::Relaxed);
                let attempts = u64::from(answer.attempts);
                self.attempts.fetch_add(attempts, Ordering::Relaxed);
            }
            // The first one is shown: the row alone could not say why.
            Err(error) => {
                if self.failures.fetch_add(1, Ordering::Relaxed) == 0 {
                    eprintln!("failed: {error}");
                }
            }
        }
        Ok(())
    }
}

impl Tally {
    fn successes(&self) -> u64 {
        self.successes.load(Ordering::Relaxed)
    }

    fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attempts = self.attempts.load(Ordering::Relaxed);
        // In tenths, rounded.
        let tenths = (10 * attempts + self.successes() / 2) / self.successes().max(1);
        let (attempts, tenth) = (tenths / 10, tenths % 10);
        let failures = self.failures();
        write!(f, "{attempts}.{tenth} attempts each, {failures} failed")
    }
}

/// What one invocation does.
struct Work {
    /// A key of this caller's own.
    key: u64,
    seed: u64,
}

impl Work {
    fn value(&self) -> [u8; VALUE_BYTES] {
        let mut value = [0; VALUE_BYTES];
        Random(self.seed).fill(&mut value);
        value
    }
}

/// The same store, and the same operations without a guest.
struct Native<'a> {
    store: &'a Store,
    ns: NamespaceId,
}

impl Native<'_> {
    fn get_and_put(&self, work: &Work) -> Result<()> {
        let key = ascending(work.key);
        let value = work.value();
        let done = self.store.run(RunOptions::default(), |mut session| {
            let mut read = [0; VALUE_BYTES];
            let got = session.get(self.ns, &key, |value| read.copy_from_slice(value));
            std::hint::black_box(read);
            let ended = match got.and_then(|_| session.put(self.ns, &key, &value)) {
                Ok(()) => Ok(()),
                Err(error) => Err(format!("{error:?}")),
            };
            Attempt::Commit(session, ended)
        })?;
        Ok(done.value?)
    }
}

/// The engine alone, which commits for one caller at a time.
struct Alone<'a, K> {
    kv: &'a K,
    ns: NamespaceId,
    one_at_a_time: Mutex<()>,
}

impl<K: OrderedKv> Alone<'_, K> {
    fn put(&self, work: &Work) -> Result<()> {
        let value = work.value();
        let turn = self.one_at_a_time.lock();
        let _turn = turn.unwrap_or_else(PoisonError::into_inner);
        apply_one(self.kv, self.ns, work.key, &value, Durability::Synced)
    }
}

/// All callers at work for a while; the time divided by what they have done. The
/// number is this sample's alone: nobody writes what is there already.
fn burst(sample: usize, work: impl Fn(&Work) -> Result<()> + Sync) -> Result<Duration> {
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = OnceLock::new();
    let start = Barrier::new(usize::try_from(CALLERS)? + 1);
    let seed = u64::try_from(sample)? * CALLERS + 0x5eed_0001;
    std::thread::scope(|scope| {
        let caller = |caller: u64| -> Result<()> {
            let mut random = Random(seed + caller);
            start.wait();
            began.get_or_init(Instant::now);
            while !over.load(Ordering::Relaxed) {
                let key = caller * OWN_KEYS + random.below(OWN_KEYS);
                work(&Work {
                    key,
                    seed: random.next() | 1,
                })?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        };
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| scope.spawn(move || caller(number)))
            .collect();
        start.wait();
        std::thread::sleep(BURST);
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.join().map_err(|_| "a caller panicked")??;
        }
        let began = began.get().ok_or("no caller began")?;
        Ok(each(began.elapsed(), done.load(Ordering::Relaxed)))
    })
}

/// One writer that appends and syncs, for as long; the time of one.
fn syncs(raw: &mut Raw) -> Result<Duration> {
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < BURST {
        raw.append()?;
        done += 1;
    }
    Ok(each(began.elapsed(), done))
}

fn each(time: Duration, times: u64) -> Duration {
    time / u32::try_from(times).unwrap_or(u32::MAX).max(1)
}
