//! Physical keys, reads into vectors, and one-write batches.

use std::ops::ControlFlow;

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Durability, KeyRange, Order};

/// Key and value.
pub(crate) type Entry = (Vec<u8>, Vec<u8>);

/// The physical key of `user` in a namespace of tests: never empty, never the system's.
pub(crate) fn key(user: &[u8]) -> Vec<u8> {
    [&7u32.to_be_bytes()[..], user].concat()
}

/// The engine's default word.
pub(crate) fn word<K: OrderedKv>(kv: &K) -> Durability {
    kv.capabilities().durability[0]
}

pub(crate) fn apply<K: OrderedKv>(
    kv: &K,
    mut writes: Vec<(&[u8], Option<&[u8]>)>,
) -> Result<(), ApplyError> {
    writes.sort_unstable_by_key(|(key, _)| *key);
    kv.apply(&Batch::from_sorted(writes), word(kv))
}

pub(crate) fn put<K: OrderedKv>(kv: &K, key: &[u8], value: &[u8]) {
    apply(kv, vec![(key, Some(value))]).unwrap();
}

pub(crate) fn delete<K: OrderedKv>(kv: &K, key: &[u8]) {
    apply(kv, vec![(key, None)]).unwrap();
}

/// The value under `key`; checks that `out` is called exactly when it is there.
pub(crate) fn get(snapshot: &impl Snapshot, key: &[u8]) -> Option<Vec<u8>> {
    let mut values = Vec::new();
    let found = snapshot
        .get(key, &mut |value| values.push(value.to_vec()))
        .unwrap();
    assert_eq!(
        values.len(),
        usize::from(found),
        "`out` is called once for a value that is there, else not"
    );
    values.pop()
}

/// The value under `key` in the present state.
pub(crate) fn now<K: OrderedKv>(kv: &K, key: &[u8]) -> Option<Vec<u8>> {
    get(&kv.snapshot().unwrap(), key)
}

/// The first `most` entries of a range.
pub(crate) fn scan(
    snapshot: &impl Snapshot,
    range: &KeyRange<'_>,
    order: Order,
    most: usize,
) -> Vec<Entry> {
    let mut seen = Vec::new();
    let mut ended = most == 0;
    if !ended {
        snapshot
            .scan(range, order, &mut |key, value| {
                assert!(!ended, "the scan went on after the visitor broke off");
                seen.push((key.to_vec(), value.to_vec()));
                ended = seen.len() == most;
                if ended {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
    }
    seen
}

/// Everything, ascending.
pub(crate) fn all(snapshot: &impl Snapshot) -> Vec<Entry> {
    scan(snapshot, &KeyRange::ALL, Order::Forward, usize::MAX)
}
