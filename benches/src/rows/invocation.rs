//! P6: one invocation that is not durable, as a whole: a fresh instance, three
//! gets, one put, the commit.
//!
//! Beside it the two things that it cannot do without: a bare instance of the same
//! module in Wasmtime, which runs the same code with imports that do nothing, and
//! the four operations on the engine itself. Both instances come from a pool, with
//! memory that is copied on write: the bare one once from a pool like that of the
//! runtime, and once from Wasmtime's own idea of a pool.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use wasm_storage_engine::kv::{OrderedKv, Snapshot as _};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Durability, Key, NamespaceId, OwnedKey, Store};
use wasm_storage_fjall::Fjall;
use wasm_storage_wasmtime::Call;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, InstancePre, Linker, PoolingAllocationConfig,
};

use crate::harness::{Random, Samples, interleaved, timed};
use crate::invocations::Invocations;
use crate::spinners::Spinners;
use crate::stores::{Shared, VALUE_BYTES, apply_one, ascending, fill};
use crate::table::{Ratio, Row, Verdict, time};
use crate::{Options, Result};

const ROUNDS: usize = 241;
/// Invocations in one sample: few, so that most samples are not interrupted.
const CALLS: u32 = 50;
const KEYS: u64 = 10_000;
const MIB: usize = 1 << 20;
const GOAL: f64 = 1.3;

/// P6 on fjall, without its sync, and in memory.
pub(crate) fn measure(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let guest = &options.invocation;
    let fjall = Fjall::open(&wasm_storage_fjall::Config::new(folder.join("p6.fjall")))?;
    let mut rows = measure_on(guest, fjall, Durability::OsBuffer)?;
    rows.extend(measure_on(guest, MemoryKv::new(), Durability::Memory)?);
    Ok(rows)
}

fn measure_on<K: OrderedKv>(guest: &Path, kv: K, durability: Durability) -> Result<Vec<Row>> {
    let kv = Shared(Arc::new(kv));
    let store = Store::new(Coordinator::open(kv.clone(), Some(durability))?);
    let ns = store.default_namespace()?;
    fill(&store, 0..KEYS, ascending, VALUE_BYTES)?;

    let mut pooled = Guest::new(guest, &store, NonZeroU32::new(1))?;
    let mut on_demand = Guest::new(guest, &store, None)?;
    let mut bare = Bare::new(guest, like_the_runtimes())?;
    let mut bare_by_default = Bare::new(guest, PoolingAllocationConfig::new())?;
    let mut engine = Engine {
        kv: &*kv.0,
        ns,
        durability,
    };
    let _busy = Spinners::nice()?;
    let [pooled, on_demand, bare, bare_by_default, engine] = interleaved(
        ROUNDS,
        [
            &mut |round| timed(|| each(5 * round, |work| pooled.run(work))),
            &mut |round| timed(|| each(5 * round + 1, |work| on_demand.run(work))),
            &mut |round| timed(|| each(5 * round + 2, |work| bare.run(work))),
            &mut |round| timed(|| each(5 * round + 3, |work| bare_by_default.run(work))),
            &mut |round| timed(|| each(5 * round + 4, |work| engine.run(work))),
        ],
    )?;
    let mut name = kv.capabilities().name.to_owned();
    if durability != Durability::Memory {
        name = format!("{name}, {durability}");
    }
    let row = |samples: &Samples, how: &str, bare: &Samples, pool: &str, has_goal: bool| {
        let [samples, bare, engine] = [samples, bare, &engine].map(|all| all.each(CALLS));
        let ratio = Ratio::new(&samples, &bare.plus(&engine));
        Row {
            id: "P6",
            what: format!("an invocation of 3 gets and 1 put, {name}{how}"),
            measured: time(samples.median()),
            reference: format!(
                "a bare instance{pool} {} + the engine {}",
                time(bare.median()),
                time(engine.median())
            ),
            ratio: ratio.to_string(),
            goal: if has_goal {
                format!("<= {GOAL}")
            } else {
                String::new()
            },
            met: if has_goal {
                ratio.at_most(GOAL)
            } else {
                Verdict::NoGoal
            },
        }
    };
    Ok(vec![
        row(&pooled, "", &bare, "", true),
        row(
            &pooled,
            "",
            &bare_by_default,
            " of Wasmtime's default pool",
            false,
        ),
        row(&on_demand, " (instances on demand)", &bare, "", false),
    ])
}

/// What one invocation does.
struct Work {
    reads: [u64; 3],
    writes: u64,
    seed: u64,
}

/// One sample, whose number no other sample has: nobody writes what is there already.
fn each(sample: usize, mut run: impl FnMut(&Work) -> Result<()>) -> Result<()> {
    let mut random = Random(u64::try_from(sample)? + 0x5eed_0001);
    for _ in 0..CALLS {
        run(&Work {
            reads: std::array::from_fn(|_| random.below(KEYS)),
            writes: random.below(KEYS),
            seed: random.next() | 1,
        })?;
    }
    Ok(())
}

/// Through the Wasmtime runtime.
struct Guest {
    invocations: Invocations,
    call: Call,
}

impl Guest {
    fn new(guest: &Path, store: &Store, instances: Option<NonZeroU32>) -> Result<Self> {
        let invocations = Invocations::new(guest, store, instances)?;
        let call = invocations.prepare(FUNCTION)?;
        Ok(Guest { invocations, call })
    }

    fn run(&mut self, work: &Work) -> Result<()> {
        let [a, b, c] = work.reads;
        let numbers = [a, b, c, work.writes, work.seed];
        self.invocations.run(&mut self.call, &numbers)?;
        Ok(())
    }
}

const FUNCTION: &str = "three_gets_one_put";

/// Wasmtime and nothing else.
struct Bare(InstancePre<()>);

/// The settings of `wasm_storage_wasmtime`'s pool that change times.
fn like_the_runtimes() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.linear_memory_keep_resident(MIB)
        .table_keep_resident(MIB)
        .pagemap_scan(Enabled::Auto);
    pool
}

impl Bare {
    fn new(guest: &Path, pool: PoolingAllocationConfig) -> Result<Self> {
        let mut config = Config::new();
        config.epoch_interruption(true);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = wasmtime::Engine::new(&config)?;
        let module = wasmtime::Module::from_file(&engine, guest)?;
        let mut linker = Linker::new(&engine);
        let found = i32::try_from(VALUE_BYTES)?;
        let storage = "wasm_storage_v1";
        linker.func_wrap(
            storage,
            "get",
            move |_: i32, _: i32, _: i32, _: i32, _: i32| found,
        )?;
        linker.func_wrap(storage, "put", |_: i32, _: i32, _: i32, _: i32, _: i32| 0)?;
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(Bare(linker.instantiate_pre(&module)?))
    }

    fn run(&mut self, work: &Work) -> Result<()> {
        let mut store = wasmtime::Store::new(self.0.module().engine(), ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.0.instantiate(&mut store)?;
        let function =
            instance.get_typed_func::<(u64, u64, u64, u64, u64), ()>(&mut store, FUNCTION)?;
        let [a, b, c] = work.reads;
        Ok(function.call(&mut store, (a, b, c, work.writes, work.seed))?)
    }
}

/// The engine and nothing else: one snapshot, three gets of it, one batch.
struct Engine<'a, K> {
    kv: &'a K,
    ns: NamespaceId,
    durability: Durability,
}

impl<K: OrderedKv> Engine<'_, K> {
    fn run(&mut self, work: &Work) -> Result<()> {
        let snapshot = self.kv.snapshot()?;
        for number in work.reads {
            let mut read = [0; VALUE_BYTES];
            let mut copy = |value: &[u8]| read = value.first_chunk().copied().unwrap_or(read);
            let found = snapshot.get(self.key(number).physical(), &mut copy)?;
            if !found {
                return Err("a key is missing".into());
            }
            std::hint::black_box(read);
        }
        let mut value = [0; VALUE_BYTES];
        Random(work.seed).fill(&mut value);
        apply_one(self.kv, self.ns, work.writes, &value, self.durability)
    }

    fn key(&self, number: u64) -> OwnedKey {
        let bytes = &ascending(number);
        OwnedKey::new(Key { ns: self.ns, bytes })
    }
}
