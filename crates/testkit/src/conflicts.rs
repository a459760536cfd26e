//! What every [`Store`] must do when sessions meet: who loses, who does not, what is
//! run again. Part of [`conformance::store`](crate::conformance::store).
//!
//! Sessions of one thread are open at the same time here. No store lets one wait for
//! another before its commit: reads take nothing away from others, and writes go to
//! the store with the commit.

use std::ops::Bound;

use wasm_storage_engine::{
    Attempt, CommitId, KeyRange, Kind, OpError, Order, Outcome, RunOptions, Session, Store,
};

use crate::sessions::{Case, commit, get, kind, ns, read, scan, stored, write};

pub(crate) const CASES: &[Case] = &[
    ("of two that read and write one key one loses", both_read),
    (
        "of two that each read what the other writes one loses",
        skew,
    ),
    ("a key that comes into a scanned range conflicts", phantom),
    ("a page has read up to the last key shown", page),
    ("who only reads never loses", readers),
    ("writes that read nothing never conflict", blind),
    ("increments of several sessions all count", increments),
    ("an increment fails where the guest adds", unmergeable),
    ("rolling back to a savepoint keeps reads", rolled_back),
    ("a part stays", parts),
    ("a lost part is run again if it is the first", lost_parts),
    ("a lost invocation is run again", reruns),
    ("the outcome of a commit can be asked for", outcomes),
    ("threads that increment lose nothing", threads),
];

/// The session must have lost to another one; nothing of it happened.
fn lost(session: Session) {
    match session.commit() {
        Outcome::Conflict(why) => assert_eq!(why.into_error().kind(), Kind::Conflict),
        other => panic!("should have lost: {other:?}"),
    }
}

/// Adds 1 to a counter, as a session of its own.
fn add(store: &Store, key: &[u8]) {
    let mut session = write(store);
    session.add(ns(store), key, 1).unwrap();
    commit(session);
}

fn counter(store: &Store, key: &[u8]) -> i64 {
    write(store).add(ns(store), key, 0).unwrap()
}

fn both_read(store: &Store) {
    for there in [false, true] {
        let [mut a, mut b] = [write(store), write(store)];
        let before = i64::from(there);
        assert_eq!(a.add(ns(store), b"n", 1).unwrap(), before + 1);
        assert_eq!(b.add(ns(store), b"n", 10).unwrap(), before + 10);
        b.put(ns(store), b"lost", b"v").unwrap();
        commit(a);
        lost(b);
        assert_eq!(counter(store, b"n"), before + 1);
        assert_eq!(get(&mut read(store), ns(store), b"lost"), None);
    }
}

fn skew(store: &Store) {
    stored(store, &[("a", "1"), ("b", "1")]);
    let [mut a, mut b] = [write(store), write(store)];
    get(&mut a, ns(store), b"b").unwrap();
    get(&mut b, ns(store), b"a").unwrap();
    a.put(ns(store), b"a", b"0").unwrap();
    b.put(ns(store), b"b", b"0").unwrap();
    commit(a);
    lost(b);
    let left = get(&mut read(store), ns(store), b"b");
    assert_eq!(left.as_deref(), Some(&b"1"[..]));
}

/// A session that scans a range, forward or in reverse, up to `most` entries.
fn scanning(store: &Store, (lo, hi): (&[u8], &[u8]), order: Order, most: usize) -> Session {
    let range = KeyRange {
        lo: Bound::Included(lo),
        hi: Bound::Excluded(hi),
    };
    let mut session = write(store);
    scan(&mut session, ns(store), &range, order, most);
    session
        .put(ns(store), b"of the scanning one", b"v")
        .unwrap();
    session
}

fn phantom(store: &Store) {
    stored(store, &[("d", "v"), ("f", "v")]);
    for order in [Order::Forward, Order::Reverse] {
        let scans = || scanning(store, (b"b", b"h"), order, usize::MAX);
        for key in ["b", "e", "g"] {
            let session = scans();
            stored(store, &[(key, "v")]);
            lost(session);
        }
        for key in ["a", "h"] {
            let session = scans();
            stored(store, &[(key, "v")]);
            commit(session);
        }
        let session = scans();
        let mut deleting = write(store);
        for key in [b"b", b"e", b"g"] {
            deleting.delete(ns(store), key).unwrap();
        }
        commit(deleting);
        lost(session);
        let empty = scanning(store, (b"x", b"z"), order, usize::MAX);
        stored(store, &[("y", "v")]);
        lost(empty);
        let mut deleting = write(store);
        deleting.delete(ns(store), b"y").unwrap();
        commit(deleting);
    }
}

fn page(store: &Store) {
    stored(store, &[("b", "v"), ("d", "v"), ("f", "v"), ("h", "v")]);
    let cases = [
        (Order::Forward, ["b", "c", "d"], ["e", "f", "i"]),
        (Order::Reverse, ["f", "g", "h"], ["a", "d", "e"]),
    ];
    for (order, read, beyond) in cases {
        let scans = || scanning(store, (b"a", b"k"), order, 2);
        for key in beyond {
            let session = scans();
            stored(store, &[(key, "v")]);
            commit(session);
            restore(store);
        }
        for key in read {
            let session = scans();
            stored(store, &[(key, "v")]);
            lost(session);
            restore(store);
        }
    }
}

/// The entries of [`page`], and nothing else.
fn restore(store: &Store) {
    let mut session = write(store);
    for key in [b"a", b"c", b"e", b"g", b"i"] {
        session.delete(ns(store), key).unwrap();
    }
    commit(session);
}

fn readers(store: &Store) {
    stored(store, &[("k", "old")]);
    let mut reader = write(store);
    get(&mut reader, ns(store), b"k").unwrap();
    stored(store, &[("k", "new")]);
    commit(reader);
    // What it has written and undone is no write.
    let mut reader = write(store);
    get(&mut reader, ns(store), b"k").unwrap();
    let savepoint = reader.savepoint().unwrap();
    reader.put(ns(store), b"k", b"undone").unwrap();
    reader.rollback_to(savepoint).unwrap();
    stored(store, &[("k", "newer")]);
    commit(reader);
    let left = get(&mut read(store), ns(store), b"k");
    assert_eq!(left.as_deref(), Some(&b"newer"[..]));
}

fn blind(store: &Store) {
    let [mut first, mut second] = [write(store), write(store)];
    first.put(ns(store), b"k", b"first").unwrap();
    second.put(ns(store), b"k", b"second").unwrap();
    second.delete(ns(store), b"l").unwrap();
    stored(store, &[("k", "before"), ("l", "before")]);
    commit(second);
    commit(first);
    let mut reader = read(store);
    let left = get(&mut reader, ns(store), b"k");
    assert_eq!(left.as_deref(), Some(&b"first"[..]));
    assert_eq!(get(&mut reader, ns(store), b"l"), None);
}

fn increments(store: &Store) {
    let mut sessions: Vec<_> = (0..3).map(|_| write(store)).collect();
    for (session, delta) in sessions.iter_mut().zip([1, 10, 100]) {
        session.increment(ns(store), b"n", delta).unwrap();
        session.increment(ns(store), b"n", delta).unwrap();
    }
    add(store, b"n");
    sessions.into_iter().for_each(commit);
    assert_eq!(counter(store, b"n"), 223);
    // Once it is read, it is a read.
    let mut session = write(store);
    session.increment(ns(store), b"n", 1).unwrap();
    assert_eq!(session.add(ns(store), b"n", 0).unwrap(), 224);
    add(store, b"n");
    lost(session);
    assert_eq!(counter(store, b"n"), 224);
}

fn unmergeable(store: &Store) {
    stored(store, &[("text", "no number")]);
    let mut session = write(store);
    session.add(ns(store), b"most", i64::MAX).unwrap();
    commit(session);
    for (key, expected) in [
        (&b"text"[..], Kind::TypeMismatch),
        (b"most", Kind::Overflow),
    ] {
        let done = store.run(RunOptions::default(), |mut session| {
            match session.increment(ns(store), key, 1) {
                Err(OpError::Failed(error)) => {
                    session.put(ns(store), b"told", b"v").unwrap();
                    Attempt::Commit(session, Some(error.kind()))
                }
                Err(_) => Attempt::Rollback(session, None),
                Ok(()) => Attempt::Commit(session, None),
            }
        });
        assert_eq!(done.unwrap().value, Some(expected));
        let mut session = write(store);
        session.put(ns(store), b"beside", b"v").unwrap();
        let refused = match session.increment(ns(store), key, 1) {
            Err(OpError::Failed(error)) => error,
            _ => session.commit().into_result().unwrap_err(),
        };
        assert_eq!(refused.kind(), expected);
        assert_eq!(get(&mut read(store), ns(store), b"beside"), None);
    }
}

fn rolled_back(store: &Store) {
    let mut session = write(store);
    let savepoint = session.savepoint().unwrap();
    session.add(ns(store), b"n", 1).unwrap();
    session.rollback_to(savepoint).unwrap();
    session.put(ns(store), b"k", b"v").unwrap();
    add(store, b"n");
    lost(session);
}

fn parts(store: &Store) {
    let mut session = write(store);
    session.put(ns(store), b"first", b"v").unwrap();
    let savepoint = session.savepoint().unwrap();
    assert_eq!(kind(session.part()), Kind::InvalidArgument);
    session.release(savepoint).unwrap();
    assert_eq!(get(&mut read(store), ns(store), b"first"), None);
    session.part().unwrap();
    assert!(get(&mut read(store), ns(store), b"first").is_some());
    // Reading goes on from a fresh state, and what was read before is behind it.
    add(store, b"n");
    assert_eq!(session.add(ns(store), b"n", 1).unwrap(), 2);
    session.part().unwrap();
    add(store, b"n");
    session.put(ns(store), b"last", b"v").unwrap();
    assert_eq!(session.parts(), 2);
    session.rollback();
    assert_eq!(get(&mut read(store), ns(store), b"last"), None);
    assert_eq!(counter(store, b"n"), 3);
}

fn lost_parts(store: &Store) {
    let mut attempts = 0;
    let done = store.run(RunOptions::default(), |mut session| {
        attempts += 1;
        session.add(ns(store), b"first", 1).unwrap();
        if attempts == 1 {
            add(store, b"first");
            assert!(matches!(session.part(), Err(OpError::Doomed)));
            return Attempt::Commit(session, ());
        }
        session.part().unwrap();
        session.add(ns(store), b"second", 1).unwrap();
        add(store, b"second");
        assert_eq!(kind(session.part()), Kind::Conflict);
        session.add(ns(store), b"second", 1).unwrap();
        add(store, b"second");
        Attempt::Commit(session, ())
    });
    let error = done.unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    assert_eq!((error.attempts(), error.parts()), (2, 1));
    assert_eq!(counter(store, b"first"), 2);
    assert_eq!(counter(store, b"second"), 2);
}

fn reruns(store: &Store) {
    for rerun in [true, false] {
        let mut attempts = 0;
        let options = RunOptions {
            deadline: None,
            rerun,
        };
        let run = store.run(options, |mut session| {
            attempts += 1;
            let sum = session.add(ns(store), b"n", 1).unwrap();
            if attempts <= 2 {
                add(store, b"n");
            }
            Attempt::Commit(session, sum)
        });
        if rerun {
            let done = run.unwrap();
            assert_eq!((done.value, done.attempts, done.parts), (3, 3, 0));
        } else {
            let error = run.unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (Kind::Conflict, 1));
        }
    }
    assert_eq!(counter(store, b"n"), 4);
}

fn outcomes(store: &Store) {
    let mut ids = Vec::new();
    for n in 0..3 {
        let mut session = write(store);
        session.put(ns(store), b"k", &[n]).unwrap();
        match session.commit() {
            Outcome::Committed(Some(id)) => ids.push(id),
            other => panic!("it has written: {other:?}"),
        }
    }
    for id in &ids {
        assert_eq!(store.outcome(*id).unwrap(), Some(true));
        assert_eq!(id.to_string().parse::<CommitId>().unwrap(), *id);
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    let never = store.outcome(CommitId(!ids[0].0)).unwrap();
    assert_ne!(never, Some(true));
    assert!(matches!(write(store).commit(), Outcome::Committed(None)));
}

fn threads(store: &Store) {
    const THREADS: i64 = 4;
    const EACH: i64 = 25;
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let increment = |mut session: Session| {
                        session.increment(ns(store), b"n", 1).unwrap();
                        Attempt::Commit(session, ())
                    };
                    store.run(RunOptions::default(), increment).unwrap();
                }
            });
        }
    });
    assert_eq!(counter(store, b"n"), THREADS * EACH);
}
