//! P7 and P9: one durable invocation of one caller, in time and in bytes.
//!
//! An invocation here is the host's: `Store::run`, one put of 100 random bytes over
//! a key of 100,000 scattered ones, so the value always changes. Another line has one
//! of a guest, which also reads the entry that it puts.

use std::num::NonZeroU32;
use std::path::Path;

use wasm_storage_engine::{NamespaceId, Store};

use crate::disk::{Counters, Raw, Written};
use crate::harness::{Random, Samples, interleaved, timed};
use crate::invocations::Invocations;
use crate::spinners::Spinners;
use crate::stores::{Engine, VALUE_BYTES, ascending, commit, fill, scattered};
use crate::table::{Ratio, Row, Verdict, time as shown};
use crate::{Options, Result};

const KEYS: u64 = 100_000;
const ROUNDS: usize = 301;
const GOAL_RATIO: f64 = 1.5;
const GOAL_BYTES: f64 = 8192.0;

/// A filled store, and what is written to it.
struct Writer {
    store: Store,
    ns: NamespaceId,
    random: Random,
}

impl Writer {
    fn new(engine: Engine, folder: &Path) -> Result<Self> {
        let store = engine.open(&engine.path(folder, "durable"))?;
        fill(&store, 0..KEYS, scattered, VALUE_BYTES)?;
        Ok(Writer {
            ns: store.default_namespace()?,
            store,
            random: Random(7),
        })
    }

    fn one_put(&mut self) -> Result<()> {
        let key = scattered(self.random.below(KEYS));
        let mut value = [0; VALUE_BYTES];
        self.random.fill(&mut value);
        commit(&self.store, |put| put(self.ns, &key, &value))
    }
}

/// P7.
pub(crate) fn time(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let mut fjall = Writer::new(Engine::Fjall, folder)?;
    let store = Engine::Fjall.open(&Engine::Fjall.path(folder, "durable-guest"))?;
    fill(&store, 0..KEYS, ascending, VALUE_BYTES)?;
    let guest = Invocations::new(&options.invocation, &store, NonZeroU32::new(1))?;
    let mut call = guest.prepare("get_and_put")?;
    let mut random = Random(8);
    let mut redb = Writer::new(Engine::Redb, folder)?;
    let (mut raw, mut raw2, mut raw3, mut raw4) = (
        Raw::new(folder)?,
        Raw::new(folder)?,
        Raw::new(folder)?,
        Raw::new(folder)?,
    );
    let _busy = Spinners::nice()?;
    let [
        append,
        append_fsync,
        overwrite,
        overwrite_fsync,
        fjall,
        guest,
        redb,
    ] = interleaved(
        ROUNDS,
        [
            &mut |_| raw.append(),
            &mut |_| raw2.append_fsync(),
            &mut |_| raw3.overwrite(),
            &mut |_| raw4.overwrite_fsync(),
            &mut |_| timed(|| fjall.one_put()),
            &mut |_| {
                let numbers = [random.below(KEYS), random.next() | 1];
                timed(|| guest.run(&mut call, &numbers))
            },
            &mut |_| timed(|| redb.one_put()),
        ],
    )?;
    let row = |what: &str, samples: &Samples, goal: bool| {
        let ratio = Ratio::new(samples, &append);
        Row {
            id: "P7",
            what: what.into(),
            measured: shown(samples.median()),
            reference: format!("append 128 B + fdatasync {}", shown(append.median())),
            ratio: ratio.to_string(),
            goal: if goal { "<= 1.5".into() } else { String::new() },
            met: if goal {
                ratio.at_most(GOAL_RATIO)
            } else {
                Verdict::NoGoal
            },
        }
    };
    Ok(vec![
        row("one durable invocation, fjall", &fjall, true),
        row("one durable invocation of a guest, fjall", &guest, true),
        row("one durable invocation, redb", &redb, true),
        row(
            "(for comparison: append 128 B + fsync)",
            &append_fsync,
            false,
        ),
        row(
            "(for comparison: overwrite 4 KiB + fdatasync)",
            &overwrite,
            false,
        ),
        row(
            "(for comparison: overwrite 4 KiB + fsync)",
            &overwrite_fsync,
            false,
        ),
    ])
}

/// P9.
pub(crate) fn bytes(folder: &Path) -> Result<Vec<Row>> {
    let counters = Counters::of(folder)?;
    let mut raw = Raw::new(folder)?;
    let mut fjall = Writer::new(Engine::Fjall, folder)?;
    let mut redb = Writer::new(Engine::Redb, folder)?;
    let _busy = Spinners::nice()?;
    // What filling has left to be done in the background is no part of it.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let mut seen: [Counted; 3] = Default::default();
    for _ in 0..ROUNDS {
        let [of_raw, of_fjall, of_redb] = &mut seen;
        of_raw.count(&counters, || raw.append().map(drop))?;
        of_fjall.count(&counters, || fjall.one_put())?;
        of_redb.count(&counters, || redb.one_put())?;
    }
    let [raw, fjall, redb] = seen;
    let row = |engine: Engine, counted: &Counted| {
        let bytes = counted.disk.median();
        Row {
            id: "P9",
            what: format!("disk bytes of one durable invocation, {}", engine.name()),
            measured: format!(
                "{bytes:.0} B (in dirtied pages {:.0} B, in write calls {:.0} B)",
                counted.pages.median(),
                counted.calls.median()
            ),
            reference: format!(
                "append 128 B + fdatasync {:.0} B (pages {:.0} B)",
                raw.disk.median(),
                raw.pages.median()
            ),
            ratio: format!("{:.2}", bytes / raw.disk.median()),
            goal: "<= 8192 B".into(),
            met: Verdict::of(bytes <= GOAL_BYTES),
        }
    };
    Ok(vec![row(Engine::Fjall, &fjall), row(Engine::Redb, &redb)])
}

#[derive(Default)]
struct Counted {
    disk: Samples,
    pages: Samples,
    calls: Samples,
}

impl Counted {
    fn count(&mut self, counters: &Counters, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = counters.read()?;
        work()?;
        let Written { disk, pages, calls } = counters.read()?.since(before);
        for (samples, bytes) in [
            (&mut self.disk, disk),
            (&mut self.pages, pages),
            (&mut self.calls, calls),
        ] {
            samples.push(f64::from(u32::try_from(bytes)?));
        }
        Ok(())
    }
}
