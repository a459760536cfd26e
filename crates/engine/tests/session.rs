//! A session over the memory engine: its own writes, commit, savepoints, limits,
//! and who may write when.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};
use std::time::Instant;

use proptest::prelude::*;
use wasm_storage_abi::limits;
use wasm_storage_codec::record;
use wasm_storage_engine::kv::{OrderedKv, Snapshot};
use wasm_storage_engine::layout::{KEY_PREFIX_BYTES, SystemRecord};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Attempt, CommitId, Coordinator, KeyRange, Kind, Mode, NamespaceId, OpError, Order, PageHint,
    RunOptions, SavepointId, Session, SessionOptions, Store,
};

type Entries = Vec<(Vec<u8>, Vec<u8>)>;
/// What a namespace should hold.
type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn store() -> (Store, NamespaceId) {
    store_over(&MemoryKv::new())
}

fn store_over(kv: &MemoryKv) -> (Store, NamespaceId) {
    let store = Store::new(Coordinator::open(kv.clone(), None).unwrap());
    let ns = store.default_namespace().unwrap();
    (store, ns)
}

fn write(store: &Store) -> Session {
    store.begin(SessionOptions::read_write())
}

fn read(store: &Store) -> Session {
    store.begin(SessionOptions::read_only())
}

fn until(store: &Store, deadline: Instant) -> Session {
    store.begin(SessionOptions {
        mode: Mode::ReadWrite,
        deadline: Some(deadline),
    })
}

fn get(session: &mut Session, ns: NamespaceId, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    let found = session.get(ns, key, |bytes| value = Some(bytes.to_vec()));
    assert_eq!(found.unwrap(), value.is_some());
    value
}

fn scan(
    session: &mut Session,
    ns: NamespaceId,
    range: &KeyRange<'_>,
    order: Order,
    most: usize,
) -> Entries {
    let mut seen = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        assert!(seen.len() < most, "visited after the visitor broke off");
        seen.push((key.to_vec(), value.to_vec()));
        if seen.len() == most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    session
        .scan(ns, range, order, PageHint::default(), visit)
        .unwrap();
    seen
}

fn all(session: &mut Session, ns: NamespaceId) -> Entries {
    scan(session, ns, &KeyRange::ALL, Order::Forward, usize::MAX)
}

fn stored(store: &Store, ns: NamespaceId) -> Entries {
    all(&mut read(store), ns)
}

fn commit(session: Session) -> Option<CommitId> {
    session.commit().into_result().unwrap()
}

/// Kind and text of an operation's failure.
fn failed<T: std::fmt::Debug>(result: Result<T, OpError>) -> (Kind, String) {
    match result {
        Err(OpError::Failed(error)) => (error.kind(), error.to_string()),
        other => panic!("should have failed: {other:?}"),
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, OpError>) -> Kind {
    failed(result).0
}

fn entry(key: &str, value: &str) -> (Vec<u8>, Vec<u8>) {
    (key.into(), value.into())
}

#[test]
fn a_session_can_live_in_the_state_of_a_runtime() {
    fn is_send<T: Send + 'static>() {}
    is_send::<Session>();
    is_send::<Store>();
}

#[test]
fn a_session_reads_its_own_writes_and_what_was_stored_before() {
    let (store, ns) = store();
    let mut session = write(&store);
    session.put(ns, b"stored", b"old").unwrap();
    commit(session);

    let mut session = write(&store);
    assert_eq!(get(&mut session, ns, b"stored"), Some(b"old".into()));
    assert_eq!(session.has(ns, b"own").unwrap(), None);
    session.put(ns, b"own", b"").unwrap();
    assert_eq!(
        get(&mut session, ns, b"own"),
        Some(Vec::new()),
        "empty is there"
    );
    assert_eq!(session.has(ns, b"own").unwrap(), Some(0));
    session.put(ns, b"stored", b"new!").unwrap();
    assert_eq!(session.has(ns, b"stored").unwrap(), Some(4));
    session.delete(ns, b"stored").unwrap();
    assert_eq!(get(&mut session, ns, b"stored"), None);
    session.put(ns, b"stored", b"again").unwrap();
    assert_eq!(get(&mut session, ns, b"stored"), Some(b"again".into()));
    session.put(ns, b"", b"the empty key is a key").unwrap();
    assert_eq!(session.has(ns, b"").unwrap(), Some(22));
}

#[test]
fn a_commit_is_visible_to_the_next_session_and_not_before() {
    let (store, ns) = store();
    let mut early = read(&store);
    assert_eq!(get(&mut early, ns, b"k"), None);
    let mut session = write(&store);
    session.put(ns, b"k", b"v").unwrap();
    assert_eq!(get(&mut read(&store), ns, b"k"), None, "before the commit");
    let first = commit(session);
    assert_eq!(
        get(&mut early, ns, b"k"),
        None,
        "it keeps the state it began on"
    );
    assert_eq!(all(&mut early, ns), []);
    let mut later = read(&store);
    assert_eq!(get(&mut later, ns, b"k"), Some(b"v".into()));
    assert_eq!(commit(later), None, "nothing was written");

    let mut session = write(&store);
    session.delete(ns, b"k").unwrap();
    assert!(commit(session) > first);
    assert_eq!(stored(&store, ns), []);
}

#[test]
fn a_session_begins_on_the_state_of_its_first_read_not_of_its_making() {
    let (store, ns) = store();
    let mut reader = read(&store);
    let mut session = write(&store);
    session.put(ns, b"k", b"v").unwrap();
    commit(session);
    assert_eq!(get(&mut reader, ns, b"k"), Some(b"v".into()));
}

#[test]
fn rollback_and_drop_leave_nothing() {
    let (store, ns) = store();
    for end in [Session::rollback as fn(Session), drop] {
        let mut session = write(&store);
        session.put(ns, b"k", b"v").unwrap();
        session.savepoint().unwrap();
        session.put(ns, b"l", b"v").unwrap();
        end(session);
        assert_eq!(stored(&store, ns), []);
    }
    let mut session = write(&store);
    session.put(ns, b"k", b"v").unwrap();
    commit(session);
    assert_eq!(
        stored(&store, ns),
        [entry("k", "v")],
        "and the store goes on"
    );
}

#[test]
fn a_session_without_writes_commits_without_a_batch() {
    let (store, ns) = store();
    let id = commit(write(&store));
    assert_eq!(id, None);
    let mut session = write(&store);
    session.has(ns, b"k").unwrap();
    let before = commit(session);
    let mut session = write(&store);
    let savepoint = session.savepoint().unwrap();
    session.put(ns, b"k", b"v").unwrap();
    session.rollback_to(savepoint).unwrap();
    assert_eq!(commit(session), before, "all of it was undone");
}

#[test]
fn a_scan_merges_own_writes_with_stored_entries_for_every_kind_of_bound() {
    let (store, ns) = store();
    let mut session = write(&store);
    for key in ["b", "d", "f", "h"] {
        session.put(ns, key.as_bytes(), b"stored").unwrap();
    }
    commit(session);
    let mut session = write(&store);
    session.put(ns, b"a", b"own").unwrap();
    session.put(ns, b"d", b"own").unwrap();
    session.put(ns, b"e", b"own").unwrap();
    session.delete(ns, b"f").unwrap();
    session.delete(ns, b"g").unwrap();
    session.put(ns, b"i", b"own").unwrap();
    let merged = [
        entry("a", "own"),
        entry("b", "stored"),
        entry("d", "own"),
        entry("e", "own"),
        entry("h", "stored"),
        entry("i", "own"),
    ];
    let mut bounds = vec![Bound::Unbounded];
    for key in ["", "a", "aa", "b", "d", "e", "f", "g", "h", "i", "z"] {
        bounds.push(Bound::Included(key.as_bytes()));
        bounds.push(Bound::Excluded(key.as_bytes()));
    }
    for lo in &bounds {
        for hi in &bounds {
            let range = KeyRange { lo: *lo, hi: *hi };
            let mut expected: Entries = merged
                .iter()
                .filter(|(key, _)| inside(&range, key))
                .cloned()
                .collect();
            let forward = scan(&mut session, ns, &range, Order::Forward, usize::MAX);
            assert_eq!(forward, expected, "{range:?}");
            expected.reverse();
            let reverse = scan(&mut session, ns, &range, Order::Reverse, usize::MAX);
            assert_eq!(reverse, expected, "{range:?} reverse");
        }
    }
    for most in 1..=merged.len() {
        let first = scan(&mut session, ns, &KeyRange::ALL, Order::Forward, most);
        assert_eq!(first, merged[..most]);
        let mut last = scan(&mut session, ns, &KeyRange::ALL, Order::Reverse, most);
        last.reverse();
        assert_eq!(last, merged[merged.len() - most..]);
    }
    commit(session);
    assert_eq!(stored(&store, ns), merged);
}

fn inside(range: &KeyRange<'_>, key: &[u8]) -> bool {
    let above = match range.lo {
        Bound::Included(lo) => key >= lo,
        Bound::Excluded(lo) => key > lo,
        Bound::Unbounded => true,
    };
    let below = match range.hi {
        Bound::Included(hi) => key <= hi,
        Bound::Excluded(hi) => key < hi,
        Bound::Unbounded => true,
    };
    above && below
}

#[test]
fn namespaces_are_isolated_and_neighbours_do_not_leak_into_open_ranges() {
    let (store, _) = store();
    let ids: Vec<NamespaceId> = ["a", "b", "c"]
        .iter()
        .map(|name| store.namespace(name, true).unwrap())
        .collect();
    for committed in [false, true] {
        let mut session = write(&store);
        for id in &ids {
            session.put(*id, b"k", &id.0.to_be_bytes()).unwrap();
            session.put(*id, &[0xff; 5], b"last").unwrap();
            session.put(*id, b"", b"first").unwrap();
        }
        let mut reader = if committed {
            commit(session);
            read(&store)
        } else {
            session
        };
        for id in &ids {
            let expected = [
                (b"".to_vec(), b"first".to_vec()),
                (b"k".to_vec(), id.0.to_be_bytes().to_vec()),
                (vec![0xff; 5], b"last".to_vec()),
            ];
            assert_eq!(all(&mut reader, *id), expected);
            let mut back = scan(&mut reader, *id, &KeyRange::ALL, Order::Reverse, 9);
            back.reverse();
            assert_eq!(back, expected);
        }
    }
    let mut session = write(&store);
    session.delete(ids[1], b"k").unwrap();
    commit(session);
    assert_eq!(stored(&store, ids[0]).len(), 3);
    assert_eq!(stored(&store, ids[1]).len(), 2);
}

#[test]
fn add_counts_absent_as_zero_and_checks_its_range() {
    let (store, ns) = store();
    let mut session = write(&store);
    assert_eq!(session.add(ns, b"n", 0).unwrap(), 0);
    assert_eq!(session.add(ns, b"n", i64::MAX).unwrap(), i64::MAX);
    let (kind, text) = failed(session.add(ns, b"n", 1));
    assert_eq!(kind, Kind::Overflow);
    assert!(text.contains("\"n\""), "{text}");
    assert_eq!(
        failed(session.increment(ns, b"n", 1)).0,
        Kind::Overflow,
        "increment checks too"
    );
    assert_eq!(
        session.add(ns, b"n", 0).unwrap(),
        i64::MAX,
        "nothing changed"
    );
    assert_eq!(session.add(ns, b"low", i64::MIN).unwrap(), i64::MIN);
    assert_eq!(failed(session.add(ns, b"low", -1)).0, Kind::Overflow);
    session.increment(ns, b"low", i64::MAX).unwrap();
    commit(session);
    let mut reader = read(&store);
    let entry = get(&mut reader, ns, b"low").unwrap();
    assert_eq!(
        entry,
        record::i64_entry(-1),
        "what is stored is an i64 entry"
    );
}

#[test]
fn add_on_another_entry_is_a_type_mismatch_and_leaves_it() {
    let (store, ns) = store();
    let mut session = write(&store);
    let i32_entry = [&[3, 0][..], &7i32.to_le_bytes()].concat();
    let short = &record::i64_entry(1)[..9];
    for other in [&i32_entry[..], b"text", b"", short] {
        session.put(ns, b"k", other).unwrap();
        let (kind, text) = failed(session.add(ns, b"k", 1));
        assert_eq!(kind, Kind::TypeMismatch);
        assert!(text.contains("\"k\""), "{text}");
        assert_eq!(failed(session.increment(ns, b"k", 1)).0, Kind::TypeMismatch);
        assert_eq!(get(&mut session, ns, b"k").unwrap(), other);
    }
}

#[test]
fn minted_keys_are_never_reused_after_rollback_and_survive_reopening_with_a_commit() {
    let kv = MemoryKv::new();
    let mut seen = BTreeSet::new();
    for _opening in 0..3 {
        let (store, ns) = store_over(&kv);
        let other = store.namespace("other", true).unwrap();
        for rolled_back in [true, false] {
            let mut session = write(&store);
            for ns in [ns, other] {
                let key = session.mint(ns).unwrap();
                assert!((1..=limits::MINTED_KEY_MAX).contains(&key));
                assert!(seen.insert(key), "{key} was given out twice");
            }
            session.put(ns, b"k", b"v").unwrap();
            if rolled_back {
                session.rollback();
            } else {
                commit(session);
            }
        }
    }
    assert_eq!(system_record(&kv).id_high_water, 12);
}

#[test]
fn the_last_minted_key_is_two_to_the_53_minus_1() {
    let kv = MemoryKv::new();
    let (store, _) = store_over(&kv);
    drop(store);
    let mut record = system_record(&kv);
    record.id_high_water = limits::MINTED_KEY_MAX.unsigned_abs() - 1;
    let key = SystemRecord::key();
    let bytes = record.encode();
    let batch =
        wasm_storage_engine::kv::Batch::from_sorted(vec![(key.physical(), Some(&bytes[..]))]);
    kv.apply(&batch, wasm_storage_engine::Durability::Memory)
        .unwrap();
    let (store, ns) = store_over(&kv);
    let mut session = write(&store);
    assert_eq!(session.mint(ns).unwrap(), limits::MINTED_KEY_MAX);
    for _ in 0..2 {
        assert_eq!(failed(session.mint(ns)).0, Kind::Overflow);
    }
}

fn system_record(kv: &MemoryKv) -> SystemRecord {
    let mut record = None;
    kv.snapshot()
        .unwrap()
        .get(SystemRecord::key().physical(), &mut |bytes| {
            record = Some(SystemRecord::decode(bytes).unwrap());
        })
        .unwrap();
    record.unwrap()
}

#[test]
fn a_read_only_session_refuses_every_write_and_reads_on() {
    let (store, ns) = store();
    let mut session = write(&store);
    session.put(ns, b"k", b"v").unwrap();
    commit(session);
    let mut session = read(&store);
    assert_eq!(kind(session.put(ns, b"k", b"new")), Kind::ReadOnly);
    assert_eq!(kind(session.delete(ns, b"k")), Kind::ReadOnly);
    assert_eq!(kind(session.add(ns, b"n", 1)), Kind::ReadOnly);
    assert_eq!(kind(session.increment(ns, b"n", 1)), Kind::ReadOnly);
    assert_eq!(kind(session.mint(ns)), Kind::ReadOnly);
    let savepoint = session.savepoint().unwrap();
    session.rollback_to(savepoint).unwrap();
    assert_eq!(get(&mut session, ns, b"k"), Some(b"v".into()));
    commit(session);
    assert_eq!(stored(&store, ns), [entry("k", "v")]);
}

#[test]
fn sessions_read_and_write_side_by_side() {
    let (store, ns) = store();
    let mut writer = write(&store);
    writer.put(ns, b"k", b"v").unwrap();
    let mut reader = read(&store);
    assert_eq!(get(&mut reader, ns, b"k"), None);
    assert_eq!(all(&mut reader, ns), []);
    commit(reader);
    commit(writer);
}

/// The session finds out that it must run again, here because a blind addition
/// cannot be made: every later operation says so too, whatever it is.
#[test]
fn a_doomed_session_refuses_every_operation() {
    let (store, ns) = store();
    let mut session = write(&store);
    session.put(ns, b"text", b"no number").unwrap();
    commit(session);
    let mut attempts = 0;
    let done = store.run(RunOptions::default(), |mut session| {
        attempts += 1;
        if attempts == 2 {
            let refused = session.increment(ns, b"text", 1);
            assert_eq!(kind(refused), Kind::TypeMismatch, "where the guest adds");
            return Attempt::Commit(session, ());
        }
        session.put(ns, b"k", b"lost").unwrap();
        session.increment(ns, b"text", 1).unwrap();
        assert!(!session.is_doomed());
        assert!(matches!(session.has(ns, b"text"), Err(OpError::Doomed)));
        assert!(session.is_doomed() && session.is_over());

        assert!(matches!(session.put(ns, b"k", b"v"), Err(OpError::Doomed)));
        assert!(matches!(session.delete(ns, b"k"), Err(OpError::Doomed)));
        assert!(matches!(session.add(ns, b"k", 1), Err(OpError::Doomed)));
        assert!(matches!(
            session.increment(ns, b"k", 1),
            Err(OpError::Doomed)
        ));
        assert!(matches!(session.mint(ns), Err(OpError::Doomed)));
        assert!(matches!(session.part(), Err(OpError::Doomed)));
        assert!(matches!(session.savepoint(), Err(OpError::Doomed)));
        let first = SavepointId(1);
        assert!(matches!(session.release(first), Err(OpError::Doomed)));
        assert!(matches!(session.rollback_to(first), Err(OpError::Doomed)));
        let visit = &mut |_: &[u8], _: &[u8]| ControlFlow::Continue(());
        let scanned = session.scan(
            ns,
            &KeyRange::ALL,
            Order::Forward,
            PageHint::default(),
            visit,
        );
        assert!(matches!(scanned, Err(OpError::Doomed)));
        // Rolling back does not help: what it read is not what it will read.
        Attempt::Rollback(session, ())
    });
    assert_eq!(done.unwrap().attempts, 2);
    assert_eq!(stored(&store, ns), [entry("text", "no number")]);
}

#[test]
fn threads_that_add_lose_nothing() {
    let (store, ns) = store();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    store
                        .run(RunOptions::default(), |mut session| {
                            session.add(ns, b"n", 1).unwrap();
                            Attempt::Commit(session, ())
                        })
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(write(&store).add(ns, b"n", 0).unwrap(), 200);
}

#[test]
fn a_key_of_4096_bytes_is_taken_by_every_operation_and_one_of_4097_by_none() {
    let (store, ns) = store();
    let mut session = write(&store);
    let longest = vec![0xff; limits::KEY_BYTES];
    session.put(ns, &longest, b"v").unwrap();
    assert_eq!(get(&mut session, ns, &longest), Some(b"v".into()));
    assert_eq!(session.has(ns, &longest).unwrap(), Some(1));
    let range = KeyRange {
        lo: Bound::Included(&longest[..]),
        hi: Bound::Included(&longest[..]),
    };
    assert_eq!(scan(&mut session, ns, &range, Order::Forward, 9).len(), 1);
    session.delete(ns, &longest).unwrap();
    session.add(ns, &longest, 1).unwrap();
    commit(session);
    assert_eq!(stored(&store, ns)[0].0, longest);

    let mut session = write(&store);
    let over = vec![b'k'; limits::KEY_BYTES + 1];
    let (kind_of, text) = failed(session.put(ns, &over, b"v"));
    assert_eq!(kind_of, Kind::TooLarge);
    for part in ["4097", "4096", "kkk"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(kind(session.get(ns, &over, |_| {})), Kind::TooLarge);
    assert_eq!(kind(session.has(ns, &over)), Kind::TooLarge);
    assert_eq!(kind(session.delete(ns, &over)), Kind::TooLarge);
    assert_eq!(kind(session.add(ns, &over, 1)), Kind::TooLarge);
    assert_eq!(kind(session.increment(ns, &over, 1)), Kind::TooLarge);
    for end in [Bound::Included(&over[..]), Bound::Excluded(&over[..])] {
        for (lo, hi) in [(end, Bound::Unbounded), (Bound::Unbounded, end)] {
            let visit = &mut |_: &[u8], _: &[u8]| ControlFlow::Continue(());
            let range = KeyRange { lo, hi };
            let scanned = session.scan(ns, &range, Order::Forward, PageHint::default(), visit);
            assert_eq!(kind(scanned), Kind::TooLarge);
        }
    }
}

#[test]
fn a_value_of_16_mib_is_stored_and_one_byte_more_is_not() {
    let (store, ns) = store();
    let mut session = write(&store);
    let mut value = vec![b'v'; limits::VALUE_BYTES];
    session.put(ns, b"k", &value).unwrap();
    value.push(b'v');
    let (kind, text) = failed(session.put(ns, b"over", &value));
    assert_eq!(kind, Kind::TooLarge);
    for part in ["16777217", "16777216", "\"over\""] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(session.has(ns, b"over").unwrap(), None);
    commit(session);
    assert_eq!(
        read(&store).has(ns, b"k").unwrap(),
        Some(limits::VALUE_BYTES)
    );
}

#[test]
fn a_write_set_of_64_mib_commits_and_one_byte_more_is_refused_at_the_write() {
    let (store, ns) = store();
    let mut session = write(&store);
    // The value header counts as part of the value.
    let overhead = |key: &[u8]| KEY_PREFIX_BYTES + key.len() + 1 + limits::WRITE_OVERHEAD_BYTES;
    let value = vec![0; limits::VALUE_BYTES];
    for key in [b"1", b"2", b"3"] {
        session.put(ns, key, &value).unwrap();
    }
    let room = limits::WRITE_SET_BYTES - 3 * (value.len() + overhead(b"1"));
    let fits = room - overhead(b"4");
    let (kind_of, text) = failed(session.put(ns, b"4", &value[..fits + 1]));
    assert_eq!(kind_of, Kind::TooLarge);
    assert!(
        text.contains("67108865") && text.contains("\"4\""),
        "{text}"
    );
    assert_eq!(session.has(ns, b"4").unwrap(), None);
    session.put(ns, b"4", &value[..fits]).unwrap();
    assert_eq!(
        kind(session.delete(ns, b"5")),
        Kind::TooLarge,
        "deletes count"
    );
    session.put(ns, b"4", b"").unwrap();
    session.put(ns, b"4", &value[..fits]).unwrap();
    let savepoint = session.savepoint().unwrap();
    assert_eq!(
        kind(session.put(ns, b"4", b"")),
        Kind::TooLarge,
        "what undoing needs counts too"
    );
    session.release(savepoint).unwrap();
    session.put(ns, b"4", b"small again").unwrap();
    session.delete(ns, b"5").unwrap();
    commit(session);
    assert_eq!(stored(&store, ns).len(), 4);
}

#[test]
fn savepoints_64_are_open_and_one_more_is_refused() {
    let (store, ns) = store();
    let mut session = write(&store);
    let mut open = Vec::new();
    for n in 0..limits::SAVEPOINTS {
        open.push(session.savepoint().unwrap());
        session.put(ns, &n.to_be_bytes(), b"v").unwrap();
    }
    let (kind_of, text) = failed(session.savepoint());
    assert_eq!(kind_of, Kind::TooLarge);
    assert!(text.contains("64"), "{text}");
    session.rollback_to(open[32]).unwrap();
    assert_eq!(kind(session.rollback_to(open[33])), Kind::InvalidArgument);
    assert_eq!(kind(session.release(open[63])), Kind::InvalidArgument);
    assert_eq!(kind(session.release(SavepointId(0))), Kind::InvalidArgument);
    let newer = session.savepoint().unwrap();
    assert!(!open.contains(&newer), "handles are not used again");
    session.release(open[0]).unwrap();
    assert_eq!(kind(session.release(newer)), Kind::InvalidArgument);
    commit(session);
    assert_eq!(stored(&store, ns).len(), 32);
}

/// A run that takes back and keeps: the outer savepoint undoes what the inner one
/// kept when it was released.
#[test]
fn releasing_an_inner_savepoint_leaves_its_writes_to_the_outer_one() {
    let (store, ns) = store();
    let mut session = write(&store);
    session.put(ns, b"k", b"0").unwrap();
    let outer = session.savepoint().unwrap();
    for round in 0..3u8 {
        let inner = session.savepoint().unwrap();
        session.put(ns, b"k", &[round]).unwrap();
        session.put(ns, &[round], b"v").unwrap();
        session.release(inner).unwrap();
    }
    assert_eq!(all(&mut session, ns).len(), 4);
    session.rollback_to(outer).unwrap();
    assert_eq!(all(&mut session, ns), [entry("k", "0")]);
}

#[test]
fn run_commits_or_rolls_back_as_its_closure_says() {
    let (store, ns) = store();
    let done = store
        .run(RunOptions::default(), |mut session| {
            session.put(ns, b"k", b"v").unwrap();
            Attempt::Commit(session, 1)
        })
        .unwrap();
    assert_eq!(done.value, 1);
    assert_eq!(store.outcome(done.commit.unwrap()).unwrap(), Some(true));
    let done = store
        .run(RunOptions::default(), |mut session| {
            session.put(ns, b"k", b"lost").unwrap();
            Attempt::Rollback(session, 2).map(|n| n + 1)
        })
        .unwrap();
    assert_eq!((done.value, done.commit), (3, None));
    assert_eq!(stored(&store, ns), [entry("k", "v")]);
}

/// An attempt that another invocation beats every time.
fn beaten(store: &Store, ns: NamespaceId, mut session: Session) -> Attempt<()> {
    session.add(ns, b"n", 1).unwrap();
    let mut faster = write(store);
    faster.add(ns, b"n", 10).unwrap();
    commit(faster);
    Attempt::Commit(session, ())
}

#[test]
fn run_that_is_beaten_until_its_deadline_is_a_conflict_that_names_the_key() {
    let (store, ns) = store();
    let options = RunOptions {
        deadline: Some(Instant::now()),
        rerun: true,
    };
    let error = store
        .run(options, |session| beaten(&store, ns, session))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!(error.attempts(), 1);
    assert_eq!((error.parts(), error.commit()), (0, None));
    assert!(error.to_string().contains(r#"key "n""#), "{error}");
    assert_eq!(write(&store).add(ns, b"n", 0).unwrap(), 10);
}

#[test]
fn run_that_may_not_run_again_is_a_conflict_at_its_first_loss() {
    let (store, ns) = store();
    let options = RunOptions {
        deadline: None,
        rerun: false,
    };
    let error = store
        .run(options, |session| beaten(&store, ns, session))
        .unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Conflict, 1));
}

#[test]
fn a_panic_in_an_attempt_leaves_nothing_and_hinders_nobody() {
    let (store, ns) = store();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.run(RunOptions::default(), |mut session| -> Attempt<()> {
            session.put(ns, b"k", b"lost").unwrap();
            panic!("the closure's own defect");
        });
    }));
    assert!(panicked.is_err());
    let mut session = until(&store, Instant::now());
    session.put(ns, b"k", b"v").unwrap();
    commit(session);
    assert_eq!(stored(&store, ns), [entry("k", "v")]);
}

/// Counting or paging through a large namespace happens inside one host call, where
/// no runtime can interrupt the guest: the deadline was not looked at there, so one
/// call (or one `exec` of 10,000 counts) could go on for minutes, with the store's
/// only write permit in its hand.
#[test]
fn a_long_scan_ends_at_the_deadline() {
    let (store, ns) = store();
    let mut session = write(&store);
    for n in 0..3000u32 {
        session.put(ns, &n.to_be_bytes(), b"").unwrap();
    }
    commit(session);
    for own in [false, true] {
        let mut session = until(&store, Instant::now());
        if own {
            for n in 3000..6000u32 {
                session.put(ns, &n.to_be_bytes(), b"").unwrap();
            }
        }
        let mut seen = 0;
        let range = KeyRange {
            lo: Bound::Included(if own { &[0, 0, 0x0b, 0xb8][..] } else { b"" }),
            hi: Bound::Unbounded,
        };
        let scanned = session.scan(
            ns,
            &range,
            Order::Forward,
            PageHint::default(),
            &mut |_, _| {
                seen += 1;
                ControlFlow::Continue(())
            },
        );
        assert!(matches!(scanned, Err(OpError::Overdue)), "{scanned:?}");
        assert!(seen < 3000, "{seen} entries after the deadline");
        let few = KeyRange {
            lo: Bound::Unbounded,
            hi: Bound::Excluded(&[0, 0, 0, 10][..]),
        };
        assert_eq!(scan(&mut session, ns, &few, Order::Forward, 99).len(), 10);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8),
    Delete(u8),
    Get(u8),
    Scan(Bound<u8>, Bound<u8>, bool, usize),
    Savepoint,
    Release(prop::sample::Index),
    RollbackTo(prop::sample::Index),
    /// Ends the session and begins another one: with a commit or without.
    End(bool),
}

fn bound() -> impl Strategy<Value = Bound<u8>> {
    prop_oneof![
        Just(Bound::Unbounded),
        (0u8..12).prop_map(Bound::Included),
        (0u8..12).prop_map(Bound::Excluded),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0u8..12, any::<u8>()).prop_map(|(k, v)| Op::Put(k, v)),
        3 => (0u8..12).prop_map(Op::Delete),
        3 => (0u8..12).prop_map(Op::Get),
        4 => (bound(), bound(), any::<bool>(), 1usize..14)
            .prop_map(|(lo, hi, reverse, most)| Op::Scan(lo, hi, reverse, most)),
        2 => Just(Op::Savepoint),
        1 => any::<prop::sample::Index>().prop_map(Op::Release),
        1 => any::<prop::sample::Index>().prop_map(Op::RollbackTo),
        1 => any::<bool>().prop_map(Op::End),
    ]
}

/// Keys of which some are prefixes of others, and some hold 00 and FF.
fn key(n: u8) -> Vec<u8> {
    let keys: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\0\0",
        b"\0\xff",
        b"a",
        b"a\0",
        b"a\xff",
        b"aa",
        b"b",
        b"\xff",
        b"\xff\0",
        b"\xff\xff",
    ];
    keys[usize::from(n)].to_vec()
}

fn key_bound(bound: Bound<u8>) -> Bound<Vec<u8>> {
    bound.map(key)
}

proptest! {
    /// Against a map that is copied at every savepoint.
    #[test]
    fn a_session_behaves_like_a_map(ops in prop::collection::vec(op(), 0..120)) {
        let (store, ns) = store();
        let mut committed: Model = BTreeMap::new();
        let mut model = committed.clone();
        let mut saved: Vec<(SavepointId, Model)> = Vec::new();
        let mut session = write(&store);
        for op in ops {
            match op {
                Op::Put(k, v) => {
                    session.put(ns, &key(k), &[v]).unwrap();
                    model.insert(key(k), vec![v]);
                }
                Op::Delete(k) => {
                    session.delete(ns, &key(k)).unwrap();
                    model.remove(&key(k));
                }
                Op::Get(k) => {
                    prop_assert_eq!(get(&mut session, ns, &key(k)), model.get(&key(k)).cloned());
                }
                Op::Scan(lo, hi, reverse, most) => {
                    let (lo, hi) = (key_bound(lo), key_bound(hi));
                    let range = KeyRange {
                        lo: lo.as_ref().map(Vec::as_slice),
                        hi: hi.as_ref().map(Vec::as_slice),
                    };
                    let mut expected: Entries = model
                        .iter()
                        .filter(|(k, _)| inside(&range, k))
                        .map(|(k, v)| (k.clone(), v.clone()))
                        .collect();
                    let order = if reverse { Order::Reverse } else { Order::Forward };
                    if reverse {
                        expected.reverse();
                    }
                    expected.truncate(most);
                    prop_assert_eq!(scan(&mut session, ns, &range, order, most), expected);
                }
                Op::Savepoint => if saved.len() < limits::SAVEPOINTS {
                    saved.push((session.savepoint().unwrap(), model.clone()));
                },
                Op::Release(at) => if !saved.is_empty() {
                    let at = at.index(saved.len());
                    session.release(saved[at].0).unwrap();
                    saved.truncate(at);
                },
                Op::RollbackTo(at) => if !saved.is_empty() {
                    let at = at.index(saved.len());
                    session.rollback_to(saved[at].0).unwrap();
                    saved.truncate(at + 1);
                    model = saved[at].1.clone();
                },
                Op::End(keep) => {
                    if keep {
                        commit(session);
                        committed = model.clone();
                    } else {
                        session.rollback();
                        model = committed.clone();
                    }
                    saved.clear();
                    session = write(&store);
                }
            }
        }
        let now: Entries = model.into_iter().collect();
        prop_assert_eq!(all(&mut session, ns), now);
        drop(session);
        let before: Entries = committed.into_iter().collect();
        prop_assert_eq!(stored(&store, ns), before);
    }
}
