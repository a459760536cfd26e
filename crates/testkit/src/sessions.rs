//! What every [`Store`] must do, whatever backend is under it.
//!
//! Each case starts with a fresh store. Here is what one session does; what happens
//! when several meet is in `conflicts.rs`.

use std::ops::{Bound, ControlFlow};

use wasm_storage_abi::limits;
use wasm_storage_engine::{
    Attempt, KeyRange, Kind, NamespaceId, OpError, Order, Outcome, PageHint, RunOptions, Session,
    SessionOptions, Store,
};

use crate::model::{self, Model};
use crate::support::Entry;
use crate::{conflicts, random};

/// What it shows, and the case.
pub(crate) type Case = (&'static str, fn(&Store));

/// Runs every case against stores that `make` makes: each call a fresh, empty one.
///
/// # Panics
///
/// In the first case that fails; its name stands on stderr.
pub fn store(make: &dyn Fn() -> Store) {
    let cases: &[Case] = &[
        ("the default namespace is there", default_namespace),
        ("a session reads its own writes", own_writes),
        (
            "a session that ends without commit leaves nothing",
            no_commit,
        ),
        ("a commit is visible to the next session", visible),
        ("a session sees one state", one_state),
        ("run commits or rolls back", run),
        ("namespaces are isolated", namespaces),
        ("a namespace keeps its id", namespace_ids),
        ("a scan merges stored entries and own writes", merged_scan),
        ("savepoints undo writes", savepoints),
        ("add and increment", counters),
        ("minted keys are fresh", minted),
        (
            "the longest key and value, and one byte more",
            limits_of_entries,
        ),
        ("the largest write set", write_set),
        ("a read-only session takes no writes", read_only),
        ("an empty session commits", empty_session),
        ("threads that add lose nothing", threads),
        ("close ends it, once and again", close),
    ];
    for (name, case) in cases.iter().chain(conflicts::CASES) {
        eprintln!("conformance: {name}");
        case(&make());
    }
    for seed in 1..=8 {
        eprintln!("conformance: random sessions, seed {seed}");
        random::sessions(&make(), seed, 60);
    }
}

pub(crate) fn write(store: &Store) -> Session {
    store.begin(SessionOptions::read_write())
}

pub(crate) fn read(store: &Store) -> Session {
    store.begin(SessionOptions::read_only())
}

pub(crate) fn ns(store: &Store) -> NamespaceId {
    store.default_namespace().unwrap()
}

pub(crate) fn commit(session: Session) {
    let outcome = session.commit();
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
}

pub(crate) fn get(session: &mut Session, ns: NamespaceId, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    let found = session
        .get(ns, key, |bytes| value = Some(bytes.to_vec()))
        .unwrap();
    assert_eq!(found, value.is_some());
    assert_eq!(
        session.has(ns, key).unwrap(),
        value.as_ref().map(Vec::len),
        "has and get agree"
    );
    value
}

pub(crate) fn scan(
    session: &mut Session,
    ns: NamespaceId,
    range: &KeyRange<'_>,
    order: Order,
    most: usize,
) -> Vec<Entry> {
    let mut seen = Vec::new();
    session
        .scan(ns, range, order, PageHint::default(), &mut |key, value| {
            assert!(seen.len() < most, "the scan went on");
            seen.push((key.to_vec(), value.to_vec()));
            if seen.len() == most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    seen
}

pub(crate) fn all(session: &mut Session, ns: NamespaceId) -> Vec<Entry> {
    scan(session, ns, &KeyRange::ALL, Order::Forward, usize::MAX)
}

fn entries(of: &[(&str, &str)]) -> Vec<Entry> {
    of.iter()
        .map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// Stores entries and commits.
pub(crate) fn stored(store: &Store, of: &[(&str, &str)]) {
    let mut session = write(store);
    for (key, value) in of {
        session
            .put(ns(store), key.as_bytes(), value.as_bytes())
            .unwrap();
    }
    commit(session);
}

/// The kind of an operation's failure.
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, OpError>) -> Kind {
    match result {
        Err(OpError::Failed(error)) => error.kind(),
        other => panic!("should have failed: {other:?}"),
    }
}

fn default_namespace(store: &Store) {
    assert_eq!(ns(store), store.namespace("default", false).unwrap());
    assert_eq!(all(&mut read(store), ns(store)), []);
}

fn own_writes(store: &Store) {
    let ns = ns(store);
    stored(store, &[("stored", "old")]);
    let mut session = write(store);
    assert_eq!(get(&mut session, ns, b"k"), None);
    session.put(ns, b"k", b"1").unwrap();
    assert_eq!(get(&mut session, ns, b"k").as_deref(), Some(&b"1"[..]));
    session.put(ns, b"k", b"").unwrap();
    assert_eq!(get(&mut session, ns, b"k").as_deref(), Some(&b""[..]));
    session.delete(ns, b"k").unwrap();
    assert_eq!(get(&mut session, ns, b"k"), None);
    session.delete(ns, b"stored").unwrap();
    assert_eq!(get(&mut session, ns, b"stored"), None);
    session.put(ns, b"stored", b"new").unwrap();
    session.put(ns, b"", b"under the empty key").unwrap();
    let expected = entries(&[("", "under the empty key"), ("stored", "new")]);
    assert_eq!(all(&mut session, ns), expected);
    commit(session);
    assert_eq!(all(&mut read(store), ns), expected);
}

fn no_commit(store: &Store) {
    let ns = ns(store);
    stored(store, &[("kept", "old")]);
    for end in [Session::rollback, drop::<Session>] {
        let mut session = write(store);
        session.put(ns, b"kept", b"new").unwrap();
        session.put(ns, b"added", b"new").unwrap();
        end(session);
        let expected = entries(&[("kept", "old")]);
        assert_eq!(all(&mut read(store), ns), expected);
        assert_eq!(all(&mut write(store), ns), expected);
    }
}

fn visible(store: &Store) {
    let ns = ns(store);
    for round in 0..10u8 {
        let mut session = write(store);
        session.put(ns, b"round", &[round]).unwrap();
        assert_ne!(
            get(&mut read(store), ns, b"round"),
            Some(vec![round]),
            "what is not committed is seen by nobody else"
        );
        commit(session);
        assert_eq!(get(&mut read(store), ns, b"round"), Some(vec![round]));
        assert_eq!(get(&mut write(store), ns, b"round"), Some(vec![round]));
    }
}

fn one_state(store: &Store) {
    let ns = ns(store);
    stored(store, &[("a", "old"), ("b", "old")]);
    let mut reader = read(store);
    assert_eq!(get(&mut reader, ns, b"a").as_deref(), Some(&b"old"[..]));
    let mut session = write(store);
    session.put(ns, b"a", b"new").unwrap();
    session.delete(ns, b"b").unwrap();
    session.put(ns, b"c", b"new").unwrap();
    commit(session);
    assert_eq!(all(&mut reader, ns), entries(&[("a", "old"), ("b", "old")]));
    assert_eq!(get(&mut reader, ns, b"b").as_deref(), Some(&b"old"[..]));
    assert_eq!(get(&mut reader, ns, b"c"), None);
    commit(reader);
    assert_eq!(
        all(&mut read(store), ns),
        entries(&[("a", "new"), ("c", "new")])
    );
}

fn run(store: &Store) {
    let ns = ns(store);
    let done = store
        .run(RunOptions::default(), |mut session| {
            session.put(ns, b"k", b"v").unwrap();
            Attempt::Commit(session, "committed")
        })
        .unwrap();
    assert_eq!(done.value, "committed");
    assert!(done.commit.is_some());
    assert_eq!(
        store.outcome(done.commit.unwrap()).unwrap(),
        Some(true),
        "its commit has happened"
    );
    let done = store
        .run(RunOptions::default(), |mut session| {
            session.put(ns, b"k", b"other").unwrap();
            Attempt::Rollback(session, "rolled back")
        })
        .unwrap();
    assert_eq!(done.value, "rolled back");
    assert!(done.commit.is_none());
    assert_eq!(all(&mut read(store), ns), entries(&[("k", "v")]));
}

fn namespaces(store: &Store) {
    if !store.capabilities().multi_namespace {
        return;
    }
    let names = ["tenant", "tenant2", "\u{e4}\u{fc} with spaces", "T"];
    let mut ids: Vec<_> = names
        .iter()
        .map(|name| store.namespace(name, true).unwrap())
        .collect();
    ids.push(ns(store));
    let mut session = write(store);
    for (i, id) in ids.iter().enumerate() {
        session
            .put(*id, b"same key", &[u8::try_from(i).unwrap()])
            .unwrap();
        session.put(*id, &[0xff; 8], b"").unwrap();
        session.put(*id, b"", b"").unwrap();
        assert_eq!(all(&mut session, *id).len(), 3, "before the commit");
    }
    commit(session);
    for (i, id) in ids.iter().enumerate() {
        let value = vec![u8::try_from(i).unwrap()];
        let mut reader = read(store);
        assert_eq!(get(&mut reader, *id, b"same key").as_ref(), Some(&value));
        let expected = [
            (b"".to_vec(), vec![]),
            (b"same key".to_vec(), value),
            (vec![0xff; 8], vec![]),
        ];
        assert_eq!(all(&mut reader, *id), expected);
        let mut back = scan(&mut reader, *id, &KeyRange::ALL, Order::Reverse, usize::MAX);
        back.reverse();
        assert_eq!(back, expected);
    }
    let mut session = write(store);
    for key in [&b""[..], b"same key", &[0xff; 8]] {
        session.delete(ids[0], key).unwrap();
    }
    commit(session);
    assert_eq!(all(&mut read(store), ids[0]), []);
    for id in &ids[1..] {
        assert_eq!(all(&mut read(store), *id).len(), 3);
    }
}

fn namespace_ids(store: &Store) {
    let missing = store.namespace("not made", false).unwrap_err();
    assert_eq!(missing.kind(), Kind::NoSuchNamespace);
    assert!(missing.to_string().contains("not made"), "{missing}");
    let made = store.namespace("made", true).unwrap();
    assert_ne!(made, ns(store));
    assert_eq!(store.namespace("made", true).unwrap(), made);
    assert_eq!(store.namespace("made", false).unwrap(), made);
    for (bad, kind) in [
        (String::new(), Kind::InvalidArgument),
        ("a\0b".into(), Kind::InvalidArgument),
        ("n".repeat(limits::NAMESPACE_NAME_BYTES + 1), Kind::TooLarge),
    ] {
        assert_eq!(store.namespace(&bad, true).unwrap_err().kind(), kind);
    }
    let longest = "n".repeat(limits::NAMESPACE_NAME_BYTES);
    store.namespace(&longest, true).unwrap();
}

fn merged_scan(store: &Store) {
    let ns = ns(store);
    stored(
        store,
        &[
            ("b", "stored"),
            ("d", "stored"),
            ("f", "stored"),
            ("h", "stored"),
        ],
    );
    let mut session = write(store);
    session.put(ns, b"a", b"own").unwrap(); // before all
    session.put(ns, b"d", b"own").unwrap(); // over a stored one
    session.put(ns, b"e", b"own").unwrap(); // between
    session.delete(ns, b"f").unwrap(); // hides a stored one
    session.delete(ns, b"g").unwrap(); // hides nothing
    session.put(ns, b"i", b"own").unwrap(); // after all
    let merged: Model = [
        ("a", "own"),
        ("b", "stored"),
        ("d", "own"),
        ("e", "own"),
        ("h", "stored"),
        ("i", "own"),
    ]
    .iter()
    .map(|(k, v)| (k.as_bytes().to_vec(), v.as_bytes().to_vec()))
    .collect();
    let mut bounds = vec![Bound::Unbounded];
    for end in [
        &b""[..],
        b"a",
        b"b",
        b"c",
        b"d",
        b"f",
        b"g",
        b"h",
        b"i",
        b"z",
    ] {
        bounds.extend([Bound::Included(end), Bound::Excluded(end)]);
    }
    for lo in &bounds {
        for hi in &bounds {
            let range = KeyRange { lo: *lo, hi: *hi };
            for order in [Order::Forward, Order::Reverse] {
                for most in [1, 2, 3, usize::MAX] {
                    let mut expected = model::range(&merged, &range, order);
                    expected.truncate(most);
                    let seen = scan(&mut session, ns, &range, order, most);
                    assert_eq!(seen, expected, "{range:?} {order:?} {most}");
                }
            }
        }
    }
    commit(session);
    let expected: Vec<_> = merged.into_iter().collect();
    assert_eq!(all(&mut read(store), ns), expected);
}

fn savepoints(store: &Store) {
    let ns = ns(store);
    stored(store, &[("k", "stored"), ("deleted", "stored")]);
    let mut session = write(store);
    session.put(ns, b"k", b"1").unwrap();
    let first = session.savepoint().unwrap();
    session.put(ns, b"k", b"2").unwrap();
    session.delete(ns, b"deleted").unwrap();
    session.put(ns, b"added", b"2").unwrap();
    let second = session.savepoint().unwrap();
    session.put(ns, b"k", b"3").unwrap();
    session.delete(ns, b"added").unwrap();

    session.rollback_to(second).unwrap();
    assert_eq!(
        all(&mut session, ns),
        entries(&[("added", "2"), ("k", "2")])
    );
    session.put(ns, b"k", b"4").unwrap();
    session.rollback_to(second).unwrap();
    assert_eq!(get(&mut session, ns, b"k").as_deref(), Some(&b"2"[..]));

    session.rollback_to(first).unwrap();
    let at_first = entries(&[("deleted", "stored"), ("k", "1")]);
    assert_eq!(all(&mut session, ns), at_first);
    assert_eq!(
        kind(session.rollback_to(second)),
        Kind::InvalidArgument,
        "a later savepoint is forgotten"
    );

    session.put(ns, b"released", b"5").unwrap();
    session.release(first).unwrap();
    assert_eq!(kind(session.release(first)), Kind::InvalidArgument);
    assert_eq!(kind(session.rollback_to(first)), Kind::InvalidArgument);
    commit(session);
    assert_eq!(
        all(&mut read(store), ns),
        entries(&[("deleted", "stored"), ("k", "1"), ("released", "5")])
    );

    let mut session = write(store);
    for _ in 0..limits::SAVEPOINTS {
        session.savepoint().unwrap();
    }
    assert_eq!(kind(session.savepoint()), Kind::TooLarge);
}

fn counters(store: &Store) {
    let ns = ns(store);
    let mut session = write(store);
    assert_eq!(session.add(ns, b"n", 5).unwrap(), 5, "absent counts as 0");
    assert_eq!(session.add(ns, b"n", -7).unwrap(), -2);
    session.increment(ns, b"n", 10).unwrap();
    assert_eq!(session.add(ns, b"n", 0).unwrap(), 8);
    commit(session);
    let mut session = write(store);
    assert_eq!(session.add(ns, b"n", i64::MAX - 8).unwrap(), i64::MAX);
    assert_eq!(kind(session.add(ns, b"n", 1)), Kind::Overflow);
    session.put(ns, b"text", b"no number").unwrap();
    assert_eq!(kind(session.add(ns, b"text", 1)), Kind::TypeMismatch);
    assert_eq!(
        session.add(ns, b"n", 0).unwrap(),
        i64::MAX,
        "a failed add changes nothing"
    );
    commit(session);
}

fn minted(store: &Store) {
    let ns = ns(store);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..4 {
        let mut session = write(store);
        for _ in 0..10 {
            let key = session.mint(ns).unwrap();
            assert!((1..=limits::MINTED_KEY_MAX).contains(&key));
            assert!(seen.insert(key), "{key} twice, rolled back or not");
        }
        session.put(ns, b"k", b"v").unwrap();
        if round % 2 == 0 {
            commit(session);
        } else {
            session.rollback();
        }
    }
}

fn limits_of_entries(store: &Store) {
    let ns = ns(store);
    let longest = vec![0xff; limits::KEY_BYTES];
    let over = vec![0xff; limits::KEY_BYTES + 1];
    let value = vec![b'v'; limits::VALUE_BYTES];
    let over_value = vec![b'v'; limits::VALUE_BYTES + 1];
    let mut session = write(store);
    session.put(ns, &longest, &value).unwrap();
    assert_eq!(kind(session.put(ns, &over, b"")), Kind::TooLarge);
    assert_eq!(kind(session.put(ns, b"k", &over_value)), Kind::TooLarge);
    assert_eq!(kind(session.get(ns, &over, |_| {})), Kind::TooLarge);
    assert_eq!(kind(session.delete(ns, &over)), Kind::TooLarge);
    commit(session);
    let mut reader = read(store);
    assert!(get(&mut reader, ns, &longest).as_ref() == Some(&value));
    let all = KeyRange::ALL;
    let mut count = 0;
    reader
        .scan(
            ns,
            &all,
            Order::Reverse,
            PageHint::default(),
            &mut |k, v| {
                count += 1;
                assert!(k == longest && v == value);
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    assert_eq!(count, 1);
}

fn write_set(store: &Store) {
    let ns = ns(store);
    // Entries of which a whole number does not fill the write set.
    let value = vec![b'v'; limits::VALUE_BYTES];
    let whole = limits::WRITE_SET_BYTES / (value.len() + limits::WRITE_OVERHEAD_BYTES + 64);
    let mut session = write(store);
    for i in 0..whole {
        session.put(ns, &i.to_be_bytes(), &value).unwrap();
    }
    assert_eq!(kind(session.put(ns, b"one more", &value)), Kind::TooLarge);
    assert_eq!(
        get(&mut session, ns, b"one more"),
        None,
        "the write that was refused left nothing"
    );
    session.put(ns, b"a small one", b"fits").unwrap();
    commit(session);
    let mut reader = read(store);
    let mut keys = 0;
    let visit = &mut |_: &[u8], _: &[u8]| {
        keys += 1;
        ControlFlow::Continue(())
    };
    reader
        .scan(
            ns,
            &KeyRange::ALL,
            Order::Forward,
            PageHint::default(),
            visit,
        )
        .unwrap();
    assert_eq!(keys, whole + 1);
}

fn read_only(store: &Store) {
    let ns = ns(store);
    stored(store, &[("k", "v")]);
    let mut session = read(store);
    assert_eq!(kind(session.put(ns, b"k", b"new")), Kind::ReadOnly);
    assert_eq!(kind(session.delete(ns, b"k")), Kind::ReadOnly);
    assert_eq!(kind(session.add(ns, b"n", 1)), Kind::ReadOnly);
    assert_eq!(kind(session.mint(ns)), Kind::ReadOnly);
    assert_eq!(get(&mut session, ns, b"k").as_deref(), Some(&b"v"[..]));
    commit(session);
    assert_eq!(all(&mut read(store), ns), entries(&[("k", "v")]));
}

fn empty_session(store: &Store) {
    commit(write(store));
    commit(read(store));
    let mut session = write(store);
    assert_eq!(get(&mut session, ns(store), b"k"), None);
    commit(session);
}

fn threads(store: &Store) {
    const THREADS: i64 = 4;
    const EACH: i64 = 25;
    let ns = ns(store);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let add = |mut session: Session| match session.add(ns, b"n", 1) {
                        Ok(n) => Attempt::Commit(session, n),
                        Err(_) => Attempt::Rollback(session, 0),
                    };
                    // Without a deadline nothing but a commit ends it.
                    let n = store.run(RunOptions::default(), add).unwrap().value;
                    assert!((1..=THREADS * EACH).contains(&n));
                }
            });
        }
    });
    let mut session = write(store);
    assert_eq!(session.add(ns, b"n", 0).unwrap(), THREADS * EACH);
}

fn close(store: &Store) {
    let ns = ns(store);
    stored(store, &[("k", "v")]);
    store.close().unwrap();
    store.close().unwrap();
    for mut session in [write(store), read(store)] {
        let failed = session.get(ns, b"k", |_| {});
        assert_eq!(kind(failed), Kind::Unavailable);
    }
}
