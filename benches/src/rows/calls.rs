//! P1, P2, P4: what single storage calls of a guest cost, by loops within one
//! invocation. (P3 has the same guest: `legacy`.) The guest is `benches/guests`, the imports those of the Wasmtime
//! adapter, the engine's settings those of its `Runtime` (epochs on).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wasm_storage_engine::kv::{OrderedKv, Snapshot};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Coordinator, Key, KeyRange, NamespaceId, Order, OwnedKey, RunOptions, Session, SessionOptions,
    Store,
};
use wasm_storage_fjall::Fjall;
use wasm_storage_host::{GuestEnd, Invocation, InvocationOptions};
use wasm_storage_redb::Redb;
use wasm_storage_wasmtime::{StorageState, add_to_linker};
use wasmtime::{Config, InstancePre, Linker, WasmParams, WasmResults};

use crate::harness::{Random, Samples, interleaved, timed};
use crate::spinners::Spinners;
use crate::stores::{Shared, VALUE_BYTES};
use crate::table::{Ratio, Row, Verdict, time};
use crate::{Options, Result};

const ROUNDS: usize = 61;
/// Calls in one sample.
const CALLS: u32 = 5_000;
/// Entries that the guest stores in one invocation.
const FILL: u64 = 50_000;
const MIB: usize = 1 << 20;

/// P1: on the three engines, hot and random, through the guest crate and bare.
pub(crate) fn get(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let guest = Guest::load(&options.guest)?;
    let fjall = Fjall::open(&wasm_storage_fjall::Config::new(folder.join("p1.fjall")))?;
    let redb = Redb::open(&wasm_storage_redb::Config::new(folder.join("p1.redb")))?;
    let mut rows = get_on(&guest, fjall, options.keys, 1.15)?;
    rows.extend(get_on(&guest, redb, options.keys, 1.15)?);
    rows.extend(get_on(&guest, MemoryKv::new(), options.keys, 1.6)?);
    Ok(rows)
}

fn get_on<K: OrderedKv>(guest: &Guest, kv: K, keys: u64, goal: f64) -> Result<Vec<Row>> {
    let kv = Shared(Arc::new(kv));
    let name = kv.capabilities().name;
    let store = Store::new(Coordinator::open(kv.clone(), None)?);
    let ns = store.default_namespace()?;
    for from in (0..keys).step_by(usize::try_from(FILL)?) {
        guest.commit(&store, ns, "fill", (from, keys.min(from + FILL)))?;
    }
    // Background work of the engine that filling has left.
    std::thread::sleep(Duration::from_secs(3));
    let snapshot = kv.snapshot()?;
    check_keys(&snapshot, ns, keys)?;

    let _busy = Spinners::nice()?;
    let session = || store.begin(SessionOptions::read_only());
    let hot = keys / 2;
    let mut native = Native::new(&snapshot, ns);
    let mut guest_typed = guest.start(session(), ns)?;
    let mut guest_bare = guest.start(session(), ns)?;
    let [engine, typed, bare] = interleaved(
        ROUNDS,
        [
            &mut |_| timed(|| native.get_hot(hot)),
            &mut |_| guest_typed.time::<_, u64>("get_hot", (CALLS, hot)),
            &mut |_| guest_bare.time::<_, u64>("raw_get_hot", (CALLS, hot)),
        ],
    )?;
    let mut rows = get_rows(name, "hot", &engine, &typed, &bare, goal);
    let seed = |round: usize, of: u64| u64::try_from(3 * round).unwrap_or(0) + of + 0x5eed_0001;
    let [engine, typed, bare] = interleaved(
        ROUNDS,
        [
            &mut |round| timed(|| native.get_random(keys, seed(round, 0))),
            &mut |round| guest_typed.time::<_, u64>("get_random", (CALLS, keys, seed(round, 1))),
            &mut |round| guest_bare.time::<_, u64>("raw_get_random", (CALLS, keys, seed(round, 2))),
        ],
    )?;
    let random = format!("random in {keys}");
    rows.extend(get_rows(name, &random, &engine, &typed, &bare, goal));
    Ok(rows)
}

fn get_rows(
    name: &str,
    which: &str,
    engine: &Samples,
    typed: &Samples,
    bare: &Samples,
    goal: f64,
) -> Vec<Row> {
    let engine = engine.each(CALLS);
    let row = |how: &str, samples: &Samples, has_goal: bool| {
        let samples = samples.each(CALLS);
        let ratio = Ratio::new(&samples, &engine);
        Row {
            id: "P1",
            what: format!("get of {VALUE_BYTES} B, {which}, {name}, {how}"),
            measured: time(samples.median()),
            reference: format!("the engine's snapshot {}", time(engine.median())),
            ratio: ratio.to_string(),
            goal: if has_goal {
                format!("<= {goal}")
            } else {
                String::new()
            },
            met: if has_goal {
                ratio.at_most(goal)
            } else {
                Verdict::NoGoal
            },
        }
    };
    vec![
        row("by the guest crate", typed, true),
        row("(bare import calls)", bare, false),
    ]
}

/// Gets of the engine itself, in one snapshot, of the keys that the guest stores.
struct Native<'a, S> {
    snapshot: &'a S,
    key: OwnedKey,
    value: [u8; 2 * VALUE_BYTES],
}

impl<'a, S: Snapshot> Native<'a, S> {
    fn new(snapshot: &'a S, ns: NamespaceId) -> Self {
        Native {
            snapshot,
            key: entry(ns, 0),
            value: [0; 2 * VALUE_BYTES],
        }
    }

    fn get_hot(&mut self, key: u64) -> Result<u64> {
        let mut sum = 0;
        for _ in 0..CALLS {
            sum += self.get(std::hint::black_box(key))?;
        }
        Ok(sum)
    }

    fn get_random(&mut self, keys: u64, seed: u64) -> Result<u64> {
        let mut random = Random(seed);
        let mut sum = 0;
        for _ in 0..CALLS {
            sum += self.get(random.below(keys))?;
        }
        Ok(sum)
    }

    fn get(&mut self, number: u64) -> Result<u64> {
        let mut key = [0; 20];
        for (to, from) in key.iter_mut().zip(self.key.physical()) {
            *to = *from;
        }
        if let Some(last) = key.last_chunk_mut() {
            *last = number.to_be_bytes();
        }
        let mut last = 0;
        let found = self.snapshot.get(&key, &mut |value| {
            if let Some(out) = self.value.get_mut(..value.len()) {
                out.copy_from_slice(value);
                last = out.last().copied().unwrap_or(0).into();
            }
        })?;
        if found {
            Ok(last)
        } else {
            Err("a key is missing".into())
        }
    }
}

/// Where the guest's map `bench-e` has its entries.
fn entry(ns: NamespaceId, number: u64) -> OwnedKey {
    let mut bytes = b"bench-e\0".to_vec();
    bytes.extend_from_slice(&number.to_be_bytes());
    OwnedKey::new(Key { ns, bytes: &bytes })
}

/// All keys are stored, and where the host's side looks for them.
fn check_keys(snapshot: &impl Snapshot, ns: NamespaceId, keys: u64) -> Result<()> {
    let (lo, hi) = KeyRange::ALL.within(ns);
    let range = KeyRange {
        lo: lo.as_ref().map(OwnedKey::physical),
        hi: hi.as_ref().map(OwnedKey::physical),
    };
    let (mut number, mut wrong) = (0, None);
    snapshot.scan(&range, Order::Forward, &mut |key, _| {
        if key != entry(ns, number).physical() {
            wrong = Some(key.to_vec());
            return std::ops::ControlFlow::Break(());
        }
        number += 1;
        std::ops::ControlFlow::Continue(())
    })?;
    match wrong {
        None if number == keys => Ok(()),
        other => Err(format!("stored: {number} keys as expected, then {other:?}").into()),
    }
}

/// P2.
pub(crate) fn own_writes(options: &Options) -> Result<Vec<Row>> {
    let guest = Guest::load(&options.guest)?;
    let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
    let ns = store.default_namespace()?;
    let _busy = Spinners::nice()?;
    let mut running = guest.start(store.begin(SessionOptions::read_write()), ns)?;
    running.call::<_, ()>("own_fill", ())?;
    let calls = i32::try_from(CALLS)?;
    let running = std::cell::RefCell::new(running);
    let [trivial, get, put] = interleaved(
        ROUNDS,
        [
            &mut |_| running.borrow_mut().time::<_, i32>("trivial", (calls,)),
            &mut |_| running.borrow_mut().time::<_, u64>("own_get", (CALLS,)),
            &mut |_| running.borrow_mut().time::<_, ()>("own_put", (CALLS,)),
        ],
    )?;
    let trivial = trivial.each(CALLS);
    let row = |what: &str, samples: &Samples, goal: f64| {
        let samples = samples.each(CALLS);
        let ratio = Ratio::new(&samples, &trivial);
        Row {
            id: "P2",
            what: what.into(),
            measured: time(samples.median()),
            reference: format!("a trivial import call {}", time(trivial.median())),
            ratio: ratio.to_string(),
            goal: format!("<= {goal}"),
            met: ratio.at_most(goal),
        }
    };
    Ok(vec![
        row(
            "read of an own write of 100 B, 64 in the write set",
            &get,
            15.0,
        ),
        row("put of 100 B into the write set", &put, 20.0),
    ])
}

/// P4.
pub(crate) fn large(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let guest = Guest::load(&options.guest)?;
    let fjall = Fjall::open(&wasm_storage_fjall::Config::new(folder.join("p4.fjall")))?;
    let fjall = Store::new(Coordinator::open(fjall, None)?);
    let memory = Store::new(Coordinator::open(MemoryKv::new(), None)?);
    let ns = fjall.default_namespace()?;
    guest.commit(&fjall, ns, "large_put", (1u32,))?;
    guest.commit(&memory, ns, "large_put", (1u32,))?;
    let _busy = Spinners::nice()?;
    let mut on_fjall = guest.start(fjall.begin(SessionOptions::read_only()), ns)?;
    let mut on_memory = guest.start(memory.begin(SessionOptions::read_only()), ns)?;
    let mut writing = guest.start(memory.begin(SessionOptions::read_write()), ns)?;
    let mut copies = Copies::new();
    const TIMES: u32 = 8;
    let [copy, get_memory, get_fjall, put] = interleaved(
        ROUNDS,
        [
            &mut |round| timed(|| copies.copy(round, TIMES)),
            &mut |_| on_memory.time::<_, u64>("large_get", (TIMES,)),
            &mut |_| on_fjall.time::<_, u64>("large_get", (TIMES,)),
            &mut |_| writing.time::<_, ()>("large_put", (TIMES,)),
        ],
    )?;
    let copy = copy.each(TIMES);
    let row = |what: &str, samples: &Samples| {
        let samples = samples.each(TIMES);
        let ratio = Ratio::new(&samples, &copy);
        Row {
            id: "P4",
            what: what.into(),
            measured: time(samples.median()),
            reference: format!("a copy of 1 MiB {}", time(copy.median())),
            ratio: ratio.to_string(),
            goal: "<= 1.3".into(),
            met: ratio.at_most(1.3),
        }
    };
    Ok(vec![
        row("get of 1 MiB, memory", &get_memory),
        row("get of 1 MiB, fjall", &get_fjall),
        row("put of 1 MiB into the write set", &put),
    ])
}

/// Buffers to copy between: several pairs, since some pairs copy slower (trap 3).
struct Copies(Vec<(Vec<u8>, Vec<u8>)>);

impl Copies {
    fn new() -> Self {
        let pair = |n: usize| (vec![1; MIB + 64 * n], vec![2; MIB + 320 * n]);
        Copies((0..8).map(pair).collect())
    }

    fn copy(&mut self, round: usize, times: u32) -> Result<u8> {
        let pair = round % self.0.len();
        let (from, to) = self.0.get_mut(pair).ok_or("no buffers")?;
        for _ in 0..times {
            let from = std::hint::black_box(&*from);
            for (to, from) in to.chunks_exact_mut(MIB).zip(from.chunks_exact(MIB)) {
                to.copy_from_slice(from);
            }
            std::hint::black_box(&*to);
        }
        Ok(to.first().copied().unwrap_or(0))
    }
}

/// The guest, compiled, with the storage imports and the trivial one.
pub(crate) struct Guest(InstancePre<StorageState>);

/// An instance of it, within an invocation.
pub(crate) struct Running {
    store: wasmtime::Store<StorageState>,
    instance: wasmtime::Instance,
}

impl Guest {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        let engine = wasmtime::Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, |state| state)?;
        linker.func_wrap("bench", "same", |number: i32| number)?;
        let module = wasmtime::Module::from_file(&engine, path)?;
        Ok(Guest(linker.instantiate_pre(&module)?))
    }

    pub(crate) fn start(&self, session: Session, namespace: NamespaceId) -> Result<Running> {
        let options = InvocationOptions::new(namespace);
        let invocation = Invocation::new(session, options).map_err(|(_, error)| error)?;
        let state = StorageState::new(invocation);
        let mut store = wasmtime::Store::new(self.0.module().engine(), state);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.0.instantiate(&mut store)?;
        Ok(Running { store, instance })
    }

    /// One invocation that commits.
    fn commit<P: WasmParams + Clone>(
        &self,
        store: &Store,
        ns: NamespaceId,
        function: &str,
        arguments: P,
    ) -> Result<()> {
        let done = store.run(RunOptions::default(), |session| {
            // A session that is lost here leaves nothing; the error ends the program.
            let mut running = self.start(session, ns).expect("the guest starts");
            let called = running.call::<P, ()>(function, arguments.clone());
            let invocation = running.store.into_data().invocation;
            let end = match called {
                Ok(()) => GuestEnd::Returned,
                Err(error) => GuestEnd::Trapped(error.to_string()),
            };
            invocation.expect("it was put there").end(end)
        })?;
        done.value.map_err(|failure| failure.to_string())?;
        Ok(())
    }
}

impl Running {
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, arguments: P) -> Result<R> {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)?;
        Ok(function.call(&mut self.store, arguments)?)
    }

    pub(crate) fn time<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &str,
        arguments: P,
    ) -> Result<Duration> {
        let function = self
            .instance
            .get_typed_func::<P, R>(&mut self.store, name)?;
        timed(|| function.call(&mut self.store, arguments))
    }
}
