//! A few hot keys, and a range of slots that are filled, emptied and scanned.
//!
//! Every so often all threads go on to new keys. An LSM engine may keep every version
//! of a key until it next writes a table, and a scan walks over all of them: on the
//! same few keys for ever, a run would take time that is quadratic in its length.

use std::thread::yield_now;

use wasm_storage_engine::{OpError, Order};

use super::Worker;
use crate::history::record::Key;
use crate::history::recorder::End;
use crate::history::session::Recorded;
use crate::model::Random;

/// Keys that are never deleted.
const POINTS: Key = 8;
/// Keys that come and go.
const SLOTS: (Key, Key) = (100, 116);
/// Invocations of all threads together on the same keys.
const ERA: u64 = 512;
/// From a key to the same one of the next era.
const NEXT_ERA: Key = 1_000;

/// One operation. What it stores does not matter: its version does.
#[derive(Clone, Copy, Debug)]
enum Op {
    Get(Key),
    /// Read, then write.
    Update(Key),
    /// Write without reading.
    Put(Key),
    /// Read, then delete.
    Remove(Key),
    /// Delete without reading.
    Delete(Key),
    Scan {
        lo: Key,
        hi: Key,
        order: Order,
        most: usize,
    },
    /// Give others a turn.
    Yield,
}

impl Op {
    fn random(random: &mut Random, base: Key) -> Self {
        let mut key = |from: Key, to: Key| base + from + number(random, to - from);
        let point = key(0, POINTS);
        let slot = key(SLOTS.0, SLOTS.1);
        let other = key(SLOTS.0, SLOTS.1 + 1);
        match random.below(20) {
            0..3 => Op::Get(point),
            3 => Op::Get(slot),
            4..8 => Op::Update(point),
            8..11 => Op::Update(slot),
            11 => Op::Put(point),
            12 => Op::Put(slot),
            13 | 14 => Op::Remove(slot),
            15 => Op::Delete(slot),
            16..19 => Op::Scan {
                lo: slot.min(other),
                hi: slot.max(other) + 1,
                order: [Order::Forward, Order::Reverse][random.below(2)],
                most: [2, usize::MAX, usize::MAX][random.below(3)],
            },
            _ => Op::Yield,
        }
    }

    fn run(self, session: &mut Recorded) -> Result<(), OpError> {
        match self {
            Op::Get(key) => session.get(key).map(drop),
            Op::Update(key) => {
                session.get(key)?;
                session.put(key, 0)
            }
            Op::Put(key) => session.put(key, 0),
            Op::Remove(key) => {
                // Deleting nothing would say nothing.
                if session.get(key)?.is_some() {
                    session.delete(key)?;
                }
                Ok(())
            }
            Op::Delete(key) => session.delete(key),
            Op::Scan {
                lo,
                hi,
                order,
                most,
            } => session.scan(lo, hi, order, most).map(drop),
            Op::Yield => {
                yield_now();
                Ok(())
            }
        }
    }

    fn only_reads(self) -> bool {
        matches!(self, Op::Get(_) | Op::Scan { .. } | Op::Yield)
    }
}

fn number(random: &mut Random, below: Key) -> Key {
    Key::try_from(random.below(usize::try_from(below).unwrap())).unwrap()
}

pub(super) fn step(worker: &mut Worker<'_>) {
    let base = era(worker) * NEXT_ERA;
    let random = &mut worker.random;
    let mut ops: Vec<Op> = (0..1 + random.below(5))
        .map(|_| Op::random(random, base))
        .collect();
    let end = match random.below(30) {
        0 => End::Rollback,
        _ => End::Commit,
    };
    if random.below(6) == 0 {
        ops.retain(|op| op.only_reads());
    }
    if ops.iter().all(|op| op.only_reads()) && random.below(2) == 0 {
        worker.log.read(worker.store, |session| {
            ops.iter().try_for_each(|op| op.run(session))
        });
    } else {
        worker.log.invoke(worker.store, |session| {
            ops.iter().try_for_each(|op| op.run(session))?;
            Ok(end)
        });
    }
}

pub(super) fn last(worker: &mut Worker<'_>) {
    for base in (0..=era(worker)).map(|era| era * NEXT_ERA) {
        worker.log.invoke(worker.store, |session| {
            for key in 0..POINTS {
                session.get(base + key)?;
            }
            let (lo, hi) = (base + SLOTS.0, base + SLOTS.1);
            session.scan(lo, hi, Order::Forward, usize::MAX)?;
            Ok(End::Commit)
        });
    }
}

/// Which keys it is the turn of.
fn era(worker: &Worker<'_>) -> Key {
    Key::try_from(worker.log.invocations() / ERA).unwrap()
}
