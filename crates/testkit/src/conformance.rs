//! What every [`OrderedKv`] must do, whoever implements it: [`ordered_kv`] for
//! all, [`reopen`] for those that keep their data. And what every
//! [`Store`](wasm_storage_engine::Store) must do: [`store`] (in `sessions.rs` and
//! `conflicts.rs`).
//!
//! Each case starts with a fresh, empty store from the maker. Limits and words
//! are taken from the engine's own capabilities. What takes a crash to prove
//! (that a synced batch survives, that a batch is never half there) is not here:
//! kill and power-loss tests are the backends' own.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use wasm_storage_abi::limits;
use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv};
use wasm_storage_engine::{Durability, KeyRange, Kind, Order};

use crate::model;
pub use crate::sessions::store;
use crate::support::{all, apply, delete, get, key, now, put, scan, word};

/// Engines with a larger limit (or none) are not driven to it.
const LARGEST_LIMIT_TRIED: usize = 1 << 30;

/// What it shows, and the case.
type Case<K> = (&'static str, fn(&K));

/// Runs every case against stores that `make` makes: each call a fresh, empty one.
///
/// # Panics
///
/// In the first case that fails; its name stands on stderr.
pub fn ordered_kv<K: OrderedKv>(make: &dyn Fn() -> K) {
    let cases: &[Case<K>] = &[
        ("capabilities are whole", capabilities_are_whole),
        ("a new store is empty", a_new_store_is_empty),
        ("put, overwrite, delete", put_overwrite_delete),
        ("an empty value is not an absent one", empty_value),
        ("an empty user key is a key", empty_user_key),
        ("keys are ordered as bytes", keys_are_ordered_as_bytes),
        ("every kind of range, both ways", every_kind_of_range),
        ("a scan ends when the visitor breaks off", early_break),
        ("a snapshot does not change", snapshot_isolation),
        ("an old snapshot survives many batches", old_snapshot),
        ("snapshots are read by several threads", threads),
        ("a batch is seen whole or not at all", batch_atomicity),
        ("an empty batch is nothing", empty_batch),
        ("deleting what is not there is nothing", delete_absent),
        ("every offered word can be asked for", offered_words),
        ("other words are rejected", other_words),
        ("a rejected batch leaves nothing", rejected_batch),
        ("the longest key, and one byte more", longest_key),
        ("the longest value, and one byte more", longest_value),
        ("a batch over the limit", largest_batch),
        ("many keys", many_keys),
        ("close is idempotent", close_is_idempotent),
    ];
    for (name, case) in cases {
        eprintln!("conformance: {name}");
        case(&make());
    }
    eprintln!("conformance: a snapshot outlives the engine's handle");
    snapshot_outlives_the_handle(make());
    for seed in 1..=8 {
        eprintln!("conformance: random operations, seed {seed}");
        model::compare(&make(), seed, 400);
    }
}

/// Runs the cases about what stays: `open` opens the same store each time, empty
/// at first.
///
/// # Panics
///
/// In the first case that fails; its name stands on stderr.
pub fn reopen<K: OrderedKv>(open: &dyn Fn() -> K) {
    eprintln!("reopen: after close, and without");
    let words = open().capabilities().durability.to_vec();
    let mut expected = BTreeMap::new();
    for (round, word) in words.iter().flat_map(|word| [word, word]).enumerate() {
        if *word == Durability::Memory {
            continue;
        }
        let kv = open();
        assert_eq!(
            all(&kv.snapshot().unwrap()),
            expected.clone().into_iter().collect::<Vec<_>>(),
            "all of it and nothing else is there after reopening, round {round}"
        );
        let kept = key(format!("kept {round}").as_bytes());
        let overwritten = key(b"overwritten");
        let (gone, empty) = (key(b"gone"), key(b"empty"));
        let value = round.to_string().into_bytes();
        let mut batch: Vec<(&[u8], Option<&[u8]>)> = vec![
            (&kept, Some(&value)),
            (&overwritten, Some(&value)),
            (&gone, Some(&value)),
            (&empty, Some(b"")),
        ];
        batch.sort_unstable_by_key(|(key, _)| *key);
        kv.apply(&Batch::from_sorted(batch), *word).unwrap();
        kv.apply(&Batch::from_sorted(vec![(&gone, None)]), *word)
            .unwrap();
        expected.insert(kept, value.clone());
        expected.insert(overwritten, value);
        expected.insert(empty, Vec::new());
        if round % 2 == 0 {
            kv.close().unwrap();
        }
    }
    eprintln!("reopen: many keys, overwritten and deleted");
    for round in 0..3u32 {
        let kv = open();
        for chunk in 0..10u32 {
            let keys: Vec<_> = (0..100u32)
                .map(|i| key(&(chunk * 100 + i).to_be_bytes()))
                .collect();
            let value = round.to_le_bytes();
            let writes = keys.iter().zip(0u32..).map(|(key, i)| {
                let value = (i % 3 != round).then_some(&value[..]);
                (&key[..], value)
            });
            apply(&kv, writes.collect()).unwrap();
            for (key, i) in keys.iter().zip(0u32..) {
                if i % 3 == round {
                    expected.remove(key);
                } else {
                    expected.insert(key.clone(), value.to_vec());
                }
            }
        }
    }
    let kv = open();
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(all(&kv.snapshot().unwrap()), expected);
}

fn capabilities_are_whole<K: OrderedKv>(kv: &K) {
    let can = kv.capabilities();
    assert!(!can.name.is_empty());
    assert!(!can.durability.is_empty(), "a default word");
    for (i, word) in can.durability.iter().enumerate() {
        assert!(!can.durability[..i].contains(word), "{word} stands twice");
    }
    assert!(can.snapshot_reads && can.multi_namespace);
    assert!(can.max_key_bytes >= 4 + limits::KEY_BYTES);
    assert!(can.max_value_bytes > limits::VALUE_BYTES);
    assert!(can.max_batch_bytes > limits::WRITE_SET_BYTES);
}

fn a_new_store_is_empty<K: OrderedKv>(kv: &K) {
    assert_eq!(all(&kv.snapshot().unwrap()), []);
    assert_eq!(now(kv, &key(b"k")), None);
}

fn put_overwrite_delete<K: OrderedKv>(kv: &K) {
    let k = key(b"k");
    put(kv, &k, b"one");
    assert_eq!(now(kv, &k).as_deref(), Some(&b"one"[..]));
    put(kv, &k, b"a longer second value");
    assert_eq!(now(kv, &k).as_deref(), Some(&b"a longer second value"[..]));
    put(kv, &k, b"a longer second value");
    assert_eq!(all(&kv.snapshot().unwrap()).len(), 1);
    delete(kv, &k);
    assert_eq!(now(kv, &k), None);
    assert_eq!(all(&kv.snapshot().unwrap()), []);
    put(kv, &k, b"again");
    assert_eq!(now(kv, &k).as_deref(), Some(&b"again"[..]));
    assert_eq!(now(kv, &key(b"")), None, "a prefix of a key is no key");
    assert_eq!(now(kv, &key(b"k\0")), None);
}

fn empty_value<K: OrderedKv>(kv: &K) {
    let (there, absent) = (key(b"there"), key(b"absent"));
    put(kv, &there, b"");
    assert_eq!(now(kv, &there), Some(vec![]));
    assert_eq!(now(kv, &absent), None);
    assert_eq!(
        all(&kv.snapshot().unwrap()),
        [(there.clone(), vec![])],
        "a scan shows it"
    );
    delete(kv, &there);
    assert_eq!(now(kv, &there), None);
}

fn empty_user_key<K: OrderedKv>(kv: &K) {
    // Only the namespace id is left of the physical key, in two namespaces.
    let (first, second) = (7u32.to_be_bytes(), 8u32.to_be_bytes());
    put(kv, &first, b"first");
    put(kv, &second, b"second");
    assert_eq!(now(kv, &first).as_deref(), Some(&b"first"[..]));
    assert_eq!(now(kv, &second).as_deref(), Some(&b"second"[..]));
    let of_first = KeyRange {
        lo: Bound::Included(&first),
        hi: Bound::Excluded(&second),
    };
    let seen = scan(
        &kv.snapshot().unwrap(),
        &of_first,
        Order::Forward,
        usize::MAX,
    );
    assert_eq!(seen, [(first.to_vec(), b"first".to_vec())]);
}

fn keys_are_ordered_as_bytes<K: OrderedKv>(kv: &K) {
    let user: &[&[u8]] = &[
        b"",
        b"\x00",
        b"\x00\x00",
        b"\x00\x01",
        b"\x00\xff",
        b"\x01",
        b"A",
        b"a",
        b"a\x00",
        b"a\x00\x00",
        b"a\x00b",
        b"a\x01",
        b"aa",
        b"a\xff",
        b"b",
        b"\x7f",
        b"\x80",
        b"\xc3\xa4",
        b"\xff",
        b"\xff\x00",
        b"\xff\xff",
        b"\xff\xff\xff\xff",
    ];
    let mut keys: Vec<_> = user.iter().map(|user| key(user)).collect();
    keys.extend([vec![0xff; 4], vec![0xff; 40], 0u32.to_be_bytes().to_vec()]);
    // Written in an order that is neither ascending nor descending.
    for i in (0..keys.len()).step_by(2).chain((1..keys.len()).step_by(2)) {
        put(kv, &keys[i], &keys[i]);
    }
    keys.sort_unstable();
    let expected: Vec<_> = keys.iter().map(|k| (k.clone(), k.clone())).collect();
    let snapshot = kv.snapshot().unwrap();
    assert_eq!(all(&snapshot), expected);
    let mut back = scan(&snapshot, &KeyRange::ALL, Order::Reverse, usize::MAX);
    back.reverse();
    assert_eq!(back, expected);
    for k in &keys {
        assert_eq!(get(&snapshot, k).as_ref(), Some(k));
    }
}

fn every_kind_of_range<K: OrderedKv>(kv: &K) {
    let mut stored = BTreeMap::new();
    for user in [&b"b"[..], b"d", b"d\0", b"f"] {
        put(kv, &key(user), user);
        stored.insert(key(user), user.to_vec());
    }
    // Ends on stored keys, between them, before all and after all of them.
    let ends: Vec<_> = [&b""[..], b"a", b"b", b"c", b"d", b"d\0", b"e", b"f", b"g"]
        .iter()
        .map(|user| key(user))
        .collect();
    let mut bounds: Vec<Bound<&[u8]>> = vec![Bound::Unbounded];
    for end in &ends {
        bounds.extend([Bound::Included(&end[..]), Bound::Excluded(&end[..])]);
    }
    let snapshot = kv.snapshot().unwrap();
    for lo in &bounds {
        for hi in &bounds {
            let range = KeyRange { lo: *lo, hi: *hi };
            for order in [Order::Forward, Order::Reverse] {
                let expected = model::range(&stored, &range, order);
                let seen = scan(&snapshot, &range, order, usize::MAX);
                assert_eq!(seen, expected, "{range:?} {order:?}");
            }
        }
    }
}

fn early_break<K: OrderedKv>(kv: &K) {
    let keys: Vec<_> = (0..10u8).map(|i| key(&[i])).collect();
    let writes = keys.iter().map(|k| (&k[..], Some(&k[..]))).collect();
    apply(kv, writes).unwrap();
    let snapshot = kv.snapshot().unwrap();
    for most in 1..=11 {
        for order in [Order::Forward, Order::Reverse] {
            let seen = scan(&snapshot, &KeyRange::ALL, order, most);
            let mut expected: Vec<_> = keys.iter().map(|k| (k.clone(), k.clone())).collect();
            if order == Order::Reverse {
                expected.reverse();
            }
            expected.truncate(most);
            assert_eq!(seen, expected);
        }
    }
}

fn snapshot_isolation<K: OrderedKv>(kv: &K) {
    let [kept, overwritten, deleted, added] = [
        key(b"kept"),
        key(b"overwritten"),
        key(b"deleted"),
        key(b"added"),
    ];
    let before_all = kv.snapshot().unwrap();
    for k in [&kept, &overwritten, &deleted] {
        put(kv, k, b"old");
    }
    let before = kv.snapshot().unwrap();
    let entries_before = all(&before);
    apply(
        kv,
        vec![
            (&overwritten, Some(&b"new"[..])),
            (&deleted, None),
            (&added, Some(&b"new"[..])),
        ],
    )
    .unwrap();

    assert_eq!(all(&before_all), []);
    assert_eq!(get(&before_all, &kept), None);
    assert_eq!(all(&before), entries_before);
    for k in [&kept, &overwritten, &deleted] {
        assert_eq!(get(&before, k).as_deref(), Some(&b"old"[..]));
    }
    assert_eq!(get(&before, &added), None);

    let after = kv.snapshot().unwrap();
    assert_eq!(get(&after, &kept).as_deref(), Some(&b"old"[..]));
    assert_eq!(get(&after, &overwritten).as_deref(), Some(&b"new"[..]));
    assert_eq!(get(&after, &deleted), None);
    assert_eq!(get(&after, &added).as_deref(), Some(&b"new"[..]));
    assert_eq!(all(&after).len(), 3);
}

fn old_snapshot<K: OrderedKv>(kv: &K) {
    let keys: Vec<_> = (0..8u8).map(|i| key(&[i])).collect();
    let mut held = Vec::new();
    for round in 0..200u32 {
        let value = round.to_le_bytes();
        let writes = keys
            .iter()
            .zip(0u32..)
            .map(|(k, i)| (&k[..], (i != round % 8).then_some(&value[..])))
            .collect();
        apply(kv, writes).unwrap();
        if round % 20 == 0 {
            held.push((round, kv.snapshot().unwrap()));
        }
        if round % 60 == 59 {
            // From the middle, so that older and newer ones stay.
            held.remove(held.len() / 2);
        }
    }
    for (round, snapshot) in held {
        let expected: Vec<_> = keys
            .iter()
            .zip(0u32..)
            .filter(|(_, i)| *i != round % 8)
            .map(|(k, _)| (k.clone(), round.to_le_bytes().to_vec()))
            .collect();
        assert_eq!(all(&snapshot), expected, "the state of round {round}");
    }
}

fn threads<K: OrderedKv>(kv: &K) {
    let k = key(b"k");
    put(kv, &k, b"old");
    let snapshot = kv.snapshot().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(get(&snapshot, &k).as_deref(), Some(&b"old"[..]));
                    assert_eq!(all(&snapshot).len(), 1);
                }
            });
        }
        for _ in 0..100 {
            put(kv, &k, b"new");
            put(kv, &key(b"other"), b"new");
        }
    });
}

fn batch_atomicity<K: OrderedKv>(kv: &K) {
    // All keys of a batch hold the same number; every other batch deletes the even ones.
    let keys: Vec<_> = (0..20u8).map(|i| key(&[i])).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut last = 0;
                    let mut looked = 0u32;
                    while !done.load(SeqCst) || looked == 0 {
                        looked += 1;
                        let entries = all(&kv.snapshot().unwrap());
                        let Some((_, value)) = entries.first() else {
                            continue;
                        };
                        let number = u32::from_le_bytes(value[..].try_into().unwrap());
                        let expected = if number.is_multiple_of(2) { 20 } else { 10 };
                        assert_eq!(entries.len(), expected, "batch {number} in parts");
                        assert!(entries.iter().all(|(_, other)| other == value));
                        assert!(number >= last, "a later snapshot shows an earlier state");
                        last = number;
                    }
                })
            })
            .collect();
        for number in 0..300u32 {
            let value = number.to_le_bytes();
            let writes = keys.iter().zip(0u32..).map(|(k, i)| {
                let there = number.is_multiple_of(2) || !i.is_multiple_of(2);
                (&k[..], there.then_some(&value[..]))
            });
            apply(kv, writes.collect()).unwrap();
            if readers
                .iter()
                .any(std::thread::ScopedJoinHandle::is_finished)
            {
                break;
            }
        }
        done.store(true, SeqCst);
    });
}

fn empty_batch<K: OrderedKv>(kv: &K) {
    put(kv, &key(b"k"), b"v");
    apply(kv, vec![]).unwrap();
    assert_eq!(all(&kv.snapshot().unwrap()).len(), 1);
}

fn delete_absent<K: OrderedKv>(kv: &K) {
    delete(kv, &key(b"never there"));
    assert_eq!(all(&kv.snapshot().unwrap()), []);
    put(kv, &key(b"k"), b"v");
    delete(kv, &key(b"k"));
    delete(kv, &key(b"k"));
    assert_eq!(all(&kv.snapshot().unwrap()), []);
}

fn offered_words<K: OrderedKv>(kv: &K) {
    for (i, word) in kv.capabilities().durability.iter().enumerate() {
        let k = key(&[u8::try_from(i).unwrap()]);
        kv.apply(&Batch::from_sorted(vec![(&k, Some(b"v"))]), *word)
            .unwrap();
        assert_eq!(now(kv, &k).as_deref(), Some(&b"v"[..]), "{word}");
    }
}

fn other_words<K: OrderedKv>(kv: &K) {
    for word in [
        Durability::Memory,
        Durability::OsBuffer,
        Durability::Synced,
        Durability::PrimaryOnly,
        Durability::Replicated,
    ] {
        if kv.capabilities().durability.contains(&word) {
            continue;
        }
        let k = key(b"k");
        match kv.apply(&Batch::from_sorted(vec![(&k, Some(b"v"))]), word) {
            Err(ApplyError::Rejected(error)) => {
                assert_eq!(error.kind(), Kind::Unsupported);
                assert!(error.to_string().contains(&word.to_string()), "{error}");
            }
            other => panic!("{word} is not offered, yet: {other:?}"),
        }
    }
    assert_eq!(all(&kv.snapshot().unwrap()), []);
}

/// The error of a batch that must be rejected for a size; it names limit and size.
fn too_large<K: OrderedKv>(kv: &K, writes: Vec<(&[u8], Option<&[u8]>)>, limit: usize) {
    let before = all(&kv.snapshot().unwrap());
    match apply(kv, writes) {
        Err(ApplyError::Rejected(error)) => {
            assert_eq!(error.kind(), Kind::TooLarge);
            assert!(error.to_string().contains(&limit.to_string()), "{error}");
        }
        other => panic!("over the limit of {limit}, yet: {other:?}"),
    }
    assert!(
        all(&kv.snapshot().unwrap()) == before,
        "a rejected batch leaves nothing"
    );
    let again = key(b"the store goes on");
    put(kv, &again, b"v");
    delete(kv, &again);
}

fn rejected_batch<K: OrderedKv>(kv: &K) {
    let limit = kv.capabilities().max_key_bytes;
    if limit > LARGEST_LIMIT_TRIED {
        return;
    }
    put(kv, &key(b"deleted"), b"still there");
    let long = vec![b'x'; limit + 1];
    // Good writes before and after the bad one, in key order.
    let writes = vec![
        (&b"a good key"[..], Some(&b"v"[..])),
        (&long, Some(b"v")),
        (b"y good key", Some(b"v")),
    ];
    too_large(kv, writes, limit);
    let deleted = key(b"deleted");
    too_large(kv, vec![(&deleted, None), (&long, None)], limit);
}

fn longest_key<K: OrderedKv>(kv: &K) {
    let limit = kv.capabilities().max_key_bytes.min(LARGEST_LIMIT_TRIED);
    let longest = key(&vec![0xfe; limit.min(4 + limits::KEY_BYTES) - 4]);
    put(kv, &longest, b"v");
    assert_eq!(now(kv, &longest).as_deref(), Some(&b"v"[..]));
    assert_eq!(all(&kv.snapshot().unwrap()), [(longest, b"v".to_vec())]);
    if limit < LARGEST_LIMIT_TRIED {
        let over = key(&vec![0xfe; limit - 3]);
        too_large(kv, vec![(&over, Some(b"v"))], limit);
    }
}

fn longest_value<K: OrderedKv>(kv: &K) {
    let limit = kv.capabilities().max_value_bytes.min(LARGEST_LIMIT_TRIED);
    let mut random = model::Random::new(1);
    let tried = limit.min(limits::VALUE_BYTES + 1024);
    let mut value: Vec<u8> = (0..tried / 8 + 1)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    value.truncate(tried);
    let k = key(b"k");
    put(kv, &k, &value);
    assert!(now(kv, &k).as_ref() == Some(&value), "{tried} bytes");
    if limit < LARGEST_LIMIT_TRIED {
        value.resize(limit + 1, 0);
        too_large(kv, vec![(&k, Some(&value))], limit);
    }
}

fn largest_batch<K: OrderedKv>(kv: &K) {
    let limit = kv.capabilities().max_batch_bytes;
    if limit >= LARGEST_LIMIT_TRIED {
        return;
    }
    // The same bytes under many keys: over the limit without taking its memory.
    let value = vec![b'v'; limits::VALUE_BYTES];
    let keys: Vec<_> = (0..=limit / value.len())
        .map(|i| key(&i.to_be_bytes()))
        .collect();
    let writes = keys.iter().map(|k| (&k[..], Some(&value[..]))).collect();
    too_large(kv, writes, limit);
}

fn many_keys<K: OrderedKv>(kv: &K) {
    const COUNT: u32 = 10_000;
    let mut expected = BTreeMap::new();
    let mut random = model::Random::new(2);
    for _ in 0..COUNT / 500 {
        let entries: BTreeMap<_, _> = (0..500)
            .map(|_| {
                let k = key(&random.next().to_be_bytes()[..5]);
                (k, random.bytes(100))
            })
            .collect();
        let writes = entries.iter().map(|(k, v)| (&k[..], Some(&v[..])));
        apply(kv, writes.collect()).unwrap();
        expected.extend(entries);
    }
    let check = |expected: &BTreeMap<Vec<u8>, Vec<u8>>| {
        let snapshot = kv.snapshot().unwrap();
        assert!(all(&snapshot).into_iter().eq(expected.clone()));
        for (k, v) in expected.iter().step_by(97) {
            assert_eq!(get(&snapshot, k).as_ref(), Some(v));
        }
    };
    check(&expected);
    let gone: Vec<_> = expected.keys().step_by(2).cloned().collect();
    for chunk in gone.chunks(700) {
        apply(kv, chunk.iter().map(|k| (&k[..], None)).collect()).unwrap();
    }
    expected.retain(|k, _| gone.binary_search(k).is_err());
    check(&expected);
}

fn close_is_idempotent<K: OrderedKv>(kv: &K) {
    put(kv, &key(b"k"), b"v");
    let snapshot = kv.snapshot().unwrap();
    kv.close().unwrap();
    kv.close().unwrap();
    assert_eq!(
        get(&snapshot, &key(b"k")).as_deref(),
        Some(&b"v"[..]),
        "snapshots can still be read"
    );
}

fn snapshot_outlives_the_handle<K: OrderedKv>(kv: K) {
    assert_eq!(kv.capabilities().durability[0], word(&kv));
    put(&kv, &key(b"k"), b"v");
    let snapshot = kv.snapshot().unwrap();
    drop(kv);
    assert_eq!(get(&snapshot, &key(b"k")).as_deref(), Some(&b"v"[..]));
    assert_eq!(all(&snapshot).len(), 1);
}
