//! Sessions of random operations, with savepoints, one after the other, compared with
//! a model.

use wasm_storage_engine::{KeyRange, Order, Store};

use crate::model::{self, Model, Random};
use crate::sessions::{all, commit, get, ns, read, scan, write};

/// Runs `count` sessions of random operations, of which most commit.
pub(crate) fn sessions(store: &Store, seed: u64, count: usize) {
    let mut random = Random::new(seed);
    let ns = ns(store);
    let mut committed = Model::new();
    for number in 0..count {
        let at = format!("seed {seed}, session {number}");
        let mut session = write(store);
        let mut model = committed.clone();
        let mut open = Vec::new();
        for _ in 0..random.below(40) {
            let key = random.key();
            match random.below(10) {
                0..3 => {
                    let value = random.value();
                    session.put(ns, &key, &value).unwrap();
                    model.insert(key, value);
                }
                3 => {
                    session.delete(ns, &key).unwrap();
                    model.remove(&key);
                }
                4 | 5 => assert_eq!(
                    get(&mut session, ns, &key).as_ref(),
                    model.get(&key),
                    "{at}"
                ),
                6 => open.push((session.savepoint().unwrap(), model.clone())),
                7 if !open.is_empty() => {
                    open.truncate(1 + random.below(open.len()));
                    let (savepoint, then) = &open[open.len() - 1];
                    session.rollback_to(*savepoint).unwrap();
                    model.clone_from(then);
                }
                8 if !open.is_empty() => {
                    let released = random.below(open.len());
                    session.release(open[released].0).unwrap();
                    open.truncate(released);
                }
                _ => {
                    let (lo, hi) = (random.key(), random.key());
                    let range = KeyRange {
                        lo: random.bound(&lo),
                        hi: random.bound(&hi),
                    };
                    let order = [Order::Forward, Order::Reverse][random.below(2)];
                    let mut expected = model::range(&model, &range, order);
                    let most = [1, 3, usize::MAX][random.below(3)];
                    expected.truncate(most);
                    let seen = scan(&mut session, ns, &range, order, most);
                    assert_eq!(seen, expected, "{at}: {range:?} {order:?}");
                }
            }
        }
        if random.below(4) > 0 {
            commit(session);
            committed = model;
        }
        assert!(
            all(&mut read(store), ns).into_iter().eq(committed.clone()),
            "{at}"
        );
    }
}
