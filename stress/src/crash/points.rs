//! Points at which a child ends itself, as a kill would: [`Points`] says where,
//! [`Mortal`] passes the ones in and around `apply`.
//!
//! The end is `abort`: no destructor runs and nothing is flushed.

use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Capabilities, Durability, Error};

/// A place in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Point {
    /// Nothing is written.
    BeforeApply,
    /// A while after the engine has begun to write.
    InApply,
    /// The engine says that it is durable; nobody can see it.
    AfterApply,
    /// It is visible, and its caller has not been told.
    BeforeAcknowledgement,
}

/// Where and when a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) point: Point,
    /// At the how manieth time there, from 1.
    pub(crate) time: u64,
    /// [`Point::InApply`]: how long after the beginning.
    pub(crate) delay: Duration,
}

/// Counts how often a process comes to where it ends.
#[derive(Debug, Default)]
pub(crate) struct Points {
    death: Option<Death>,
    times: AtomicU64,
}

impl Points {
    pub(crate) fn new(death: Option<Death>) -> Arc<Self> {
        Arc::new(Points {
            death,
            times: AtomicU64::new(0),
        })
    }

    /// Does not return if this is the place and the time.
    pub(crate) fn pass(&self, point: Point) {
        let Some(death) = self.death.filter(|death| death.point == point) else {
            return;
        };
        if self.times.fetch_add(1, Ordering::SeqCst) + 1 != death.time {
            return;
        }
        match point {
            Point::InApply => drop(thread::spawn(move || {
                thread::sleep(death.delay);
                abort()
            })),
            _ => abort(),
        }
    }
}

/// An engine that passes [`Points`] at every apply, that of the store's creation
/// included.
#[derive(Debug)]
pub(crate) struct Mortal<K> {
    kv: K,
    points: Arc<Points>,
}

impl<K: OrderedKv> Mortal<K> {
    pub(crate) fn new(kv: K, points: Arc<Points>) -> Self {
        Mortal { kv, points }
    }
}

impl<K: OrderedKv> OrderedKv for Mortal<K> {
    type Snapshot = K::Snapshot;

    fn capabilities(&self) -> &Capabilities {
        self.kv.capabilities()
    }

    fn snapshot(&self) -> Result<K::Snapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        self.points.pass(Point::BeforeApply);
        self.points.pass(Point::InApply);
        let applied = self.kv.apply(batch, durability);
        self.points.pass(Point::AfterApply);
        applied
    }

    fn close(&self) -> Result<(), Error> {
        self.kv.close()
    }
}
