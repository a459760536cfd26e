//! P3: bytes stored and loaded in one host call each, against the protocol of 2020,
//! which has a call for every number of three bytes.
//!
//! Both are guests' loops in one invocation over a store in memory, by the same session and
//! the same kind of linker. The old protocol is measured at its best: its imports, its
//! packing, and none of what the old crates did beside (serde, printing every value).
//! A line without goal has the published crate itself.

use std::time::Duration;

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, NamespaceId, SessionOptions, Store};

use super::calls::Guest;
use crate::harness::{Samples, interleaved};
use crate::spinners::Spinners;
use crate::table::{Ratio, Row, Verdict, time};
use crate::{Options, Result};

const ROUNDS: usize = 61;
/// Larger than anything here (mallopt(3): M_MMAP_THRESHOLD is dynamic).
const KEPT: usize = 16 << 20;

/// A size of values.
struct Size {
    name: &'static str,
    bytes: u32,
    /// Values in one sample: few, since a call keeps all that it has stored, and memory
    /// that is touched for the first time costs more than what is measured.
    new: u32,
    old: u32,
    goal: f64,
}

const SIZES: [Size; 3] = [
    Size {
        name: "100 B",
        bytes: 100,
        new: 500,
        old: 100,
        goal: 10.0,
    },
    Size {
        name: "4 KiB",
        bytes: 4 << 10,
        new: 32,
        old: 8,
        goal: 100.0,
    },
    Size {
        name: "1 MiB",
        bytes: 1 << 20,
        new: 1,
        old: 1,
        goal: 50.0,
    },
];

/// P3.
pub(crate) fn bytes(options: &Options) -> Result<Vec<Row>> {
    let guest = Guest::load(&options.guest)?;
    let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
    let ns = store.default_namespace()?;
    let _busy = Spinners::nice()?;
    // The allocator keeps freed blocks of up to this size, as it does in a process that runs on.
    drop(std::hint::black_box(vec![1_u8; KEPT]));
    let mut rows = Vec::new();
    for size in &SIZES {
        rows.extend(of_size(&guest, &store, ns, size)?);
    }
    Ok(rows)
}

fn of_size(guest: &Guest, store: &Store, ns: NamespaceId, size: &Size) -> Result<[Row; 2]> {
    // A fresh invocation for each sample: what it has stored is dropped with it. The first
    // time, the guest gets its memory from the system.
    let sample = |function: &str, times: u32| -> Result<Duration> {
        let mut running = guest.start(store.begin(SessionOptions::read_write()), ns)?;
        running.time::<_, u64>(function, (1u32, size.bytes))?;
        running.time::<_, u64>(function, (times, size.bytes))
    };
    let [new, protocol, published] = interleaved(
        ROUNDS,
        [
            &mut |_| sample("store_and_load_bytes", size.new),
            &mut |_| sample("store_and_load_2020", size.old),
            &mut |_| sample("store_and_load_by_crate_of_2020", size.old),
        ],
    )?;
    let new = new.each(size.new);
    let row = |beside: &str, old: &Samples, has_goal: bool| {
        let old = old.each(size.old);
        let ratio = Ratio::new(&old, &new);
        Row {
            id: "P3",
            what: format!("`store_bytes` + `load_bytes` of {}", size.name),
            measured: time(new.median()),
            reference: format!("{beside} {}", time(old.median())),
            ratio: format!("{ratio} times faster"),
            goal: if has_goal {
                format!(">= {}", size.goal)
            } else {
                String::new()
            },
            met: if has_goal {
                ratio.at_least(size.goal)
            } else {
                Verdict::NoGoal
            },
        }
    };
    Ok([
        row("the imports of 2020", &protocol, true),
        row("the crate of 2020, as published", &published, false),
    ])
}
