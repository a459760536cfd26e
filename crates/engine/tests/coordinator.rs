//! What the coordinator does when the engine under it fails: what callers are
//! told, what readers see, and what is there after reopening.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasm_storage_engine::kv::{ApplyError, Batch, OrderedKv, Snapshot};
use wasm_storage_engine::layout::{self, CatalogEntry, SystemRecord};
use wasm_storage_engine::memory::{MemoryKv, MemorySnapshot};
use wasm_storage_engine::{
    Attempt, Backend, Capabilities, Commit, CommitId, Coordinator, Durability, Error, Key,
    KeyRange, Kind, Mode, NamespaceId, NamespaceName, OpError, Order, Outcome, OwnedKey, PageHint,
    RunOptions, Session, SessionOptions, Store, Transaction, Write,
};
use wasm_storage_testkit::fault::{Fault, Faults, FaultyKv};

/// A store that obeys `faults`, over `kv`; open, with no fault armed.
fn faulty(kv: &MemoryKv) -> (Store, Faults) {
    let (kv, faults) = FaultyKv::new(kv.clone());
    (Store::new(Coordinator::open(kv, None).unwrap()), faults)
}

fn open(kv: &MemoryKv) -> Result<Store, Error> {
    Coordinator::open(kv.clone(), None).map(Store::new)
}

fn write(store: &Store) -> Session {
    store.begin(SessionOptions::read_write())
}

fn read(store: &Store) -> Session {
    store.begin(SessionOptions::read_only())
}

/// A session with one write in it.
fn putting(store: &Store, key: &[u8]) -> Session {
    let mut session = write(store);
    session
        .put(store.default_namespace().unwrap(), key, b"v")
        .unwrap();
    session
}

fn committed(store: &Store, key: &[u8]) -> CommitId {
    match putting(store, key).commit() {
        Outcome::Committed(Some(id)) => id,
        other => panic!("should have committed: {other:?}"),
    }
}

/// The keys of the default namespace that a new reader sees.
fn keys(store: &Store) -> Vec<Vec<u8>> {
    let ns = store.default_namespace().unwrap();
    let mut seen = Vec::new();
    let all = KeyRange::ALL;
    read(store)
        .scan(
            ns,
            &all,
            Order::Forward,
            PageHint::default(),
            &mut |k, _| {
                seen.push(k.to_vec());
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    seen
}

fn refused(store: &Store) -> Error {
    let ns = store.default_namespace().unwrap();
    match write(store).put(ns, b"refused", b"v") {
        Err(OpError::Failed(error)) => error,
        other => panic!("should have been refused: {other:?}"),
    }
}

fn in_kv(kv: &MemoryKv, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    kv.snapshot()
        .unwrap()
        .get(key, &mut |bytes| value = Some(bytes.to_vec()))
        .unwrap();
    value
}

fn system_record(kv: &MemoryKv) -> SystemRecord {
    SystemRecord::decode(&in_kv(kv, SystemRecord::key().physical()).unwrap()).unwrap()
}

fn put_raw(kv: &MemoryKv, key: &[u8], value: Option<&[u8]>) {
    kv.apply(&Batch::from_sorted(vec![(key, value)]), Durability::Memory)
        .unwrap();
}

#[test]
fn a_rejected_commit_did_not_happen_and_the_store_stays_open() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    let before = system_record(&kv);
    faults.arm(Fault::Reject);
    match putting(&store, b"lost").commit() {
        Outcome::Rejected(error) => assert!(error.to_string().contains("rejected"), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(system_record(&kv), before);
    assert!(keys(&store).is_empty());
    committed(&store, b"k");
    assert_eq!(
        system_record(&kv).group,
        before.group + 1,
        "its number is free"
    );
    assert_eq!(keys(&store), [b"k"]);
}

#[test]
fn an_unknown_outcome_names_its_commit_and_stops_writes_but_not_readers() {
    for fault in [Fault::UnknownWritten, Fault::UnknownUnwritten] {
        let kv = MemoryKv::new();
        let (store, faults) = faulty(&kv);
        let known = committed(&store, b"known");
        let mut early = read(&store);
        let ns = store.default_namespace().unwrap();
        assert!(early.has(ns, b"known").unwrap().is_some());

        faults.arm(fault);
        let (id, error) = match putting(&store, b"unknown").commit() {
            Outcome::Unknown(id, error) => (id, error),
            other => panic!("{other:?}"),
        };
        assert_eq!(error.kind(), Kind::Io, "what the engine said");

        let error = refused(&store);
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(
            error.to_string().contains(&format!("commit {id}")),
            "{error}"
        );
        let error = store.namespace("new", true).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert_eq!(
            faults.applies(),
            3,
            "created, known, unknown: nothing since"
        );

        assert_eq!(keys(&store), [b"known"], "the last published state");
        assert!(early.has(ns, b"unknown").unwrap().is_none());
        assert!(matches!(early.commit(), Outcome::Committed(_)));
        assert_eq!(store.namespace("default", false).unwrap(), ns);

        // Reopened over the same engine, the store goes on and can tell: also after
        // other commits, of which the first may have the same number.
        let happened = fault == Fault::UnknownWritten;
        let reopened = open(&kv).unwrap();
        for next in [&b"next"[..], b"after"] {
            assert_eq!(reopened.outcome(id).unwrap(), Some(happened), "{fault:?}");
            assert_eq!(reopened.outcome(known).unwrap(), Some(true));
            assert_eq!(keys(&reopened).contains(&b"unknown".to_vec()), happened);
            let next = committed(&reopened, next);
            assert_ne!(next, id);
            assert_eq!(reopened.outcome(next).unwrap(), Some(true));
        }
        let again = open(&kv).unwrap();
        assert_eq!(again.outcome(id).unwrap(), Some(happened), "{fault:?}");
    }
}

/// A poisoned store answered "it did not happen" for the very commit whose outcome
/// it did not know, because it compared with the last number it had published: a
/// caller that asked before reopening would have done its work twice.
#[test]
fn a_poisoned_store_does_not_guess_the_outcome_it_does_not_know() {
    for fault in [Fault::UnknownWritten, Fault::UnknownUnwritten] {
        let kv = MemoryKv::new();
        let (store, faults) = faulty(&kv);
        let known = committed(&store, b"known");
        faults.arm(fault);
        let Outcome::Unknown(id, _) = putting(&store, b"unknown").commit() else {
            panic!("should be unknown");
        };
        assert_eq!(store.outcome(known).unwrap(), Some(true));
        let error = store.outcome(id).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("reopen"), "{error}");
        let closed = store.close().unwrap_err();
        assert!(
            closed.to_string().contains(&format!("commit {id}")),
            "{closed}"
        );
        assert!(store.outcome(id).is_err(), "closing tells no more");
    }
}

#[test]
fn run_reports_an_unknown_outcome_with_its_commit() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    let ns = store.default_namespace().unwrap();
    faults.arm(Fault::UnknownWritten);
    let error = store
        .run(RunOptions::default(), |mut session| {
            session.put(ns, b"k", b"v").unwrap();
            Attempt::Commit(session, ())
        })
        .unwrap_err();
    assert_eq!(error.kind(), Kind::UnknownOutcome);
    let id = error.commit().unwrap();
    assert_eq!(open(&kv).unwrap().outcome(id).unwrap(), Some(true));
    let text = error.to_string();
    assert!(
        text.contains(&format!("commit {id} ")) && text.contains("sync failed"),
        "{text}"
    );
}

#[test]
fn a_panic_in_apply_poisons_the_store() {
    for (fault, happened) in [(Fault::Panic, false), (Fault::PanicWritten, true)] {
        let kv = MemoryKv::new();
        let (store, faults) = faulty(&kv);
        let known = committed(&store, b"known");
        faults.arm(fault);
        let session = putting(&store, b"unknown");
        assert!(catch_unwind(AssertUnwindSafe(|| session.commit())).is_err());
        let error = refused(&store);
        assert_eq!(error.kind(), Kind::Unavailable);
        let id = CommitId(known.0 + 1);
        assert!(
            error.to_string().contains(&format!("commit {id}")),
            "{error}"
        );
        assert_eq!(keys(&store), [b"known"]);
        assert!(store.outcome(id).is_err());
        let reopened = open(&kv).unwrap();
        assert_eq!(reopened.outcome(id).unwrap(), Some(happened));
    }
}

/// The commit had happened and was acknowledged; the store then refused writes with
/// "the outcome of commit 2 is unknown" and answered `outcome` with "it did not".
#[test]
fn a_commit_whose_snapshot_fails_is_committed_and_the_store_takes_no_more_writes() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    committed(&store, b"known");
    faults.fail_snapshot();
    let id = committed(&store, b"hidden");
    assert_eq!(keys(&store), [b"known"], "the last published state");
    let error = refused(&store);
    assert_eq!(error.kind(), Kind::Unavailable);
    let text = error.to_string();
    assert!(text.contains(&format!("commit {id}")), "{text}");
    assert!(!text.contains("unknown"), "{text}");
    assert_eq!(store.outcome(id).unwrap(), Some(true));
    assert_eq!(store.outcome(CommitId(id.0 + 1)).unwrap(), Some(false));
    let reopened = open(&kv).unwrap();
    assert_eq!(keys(&reopened), [&b"hidden"[..], b"known"]);
    assert_eq!(reopened.outcome(id).unwrap(), Some(true));
    committed(&reopened, b"next");
}

#[test]
fn close_refuses_new_work_of_both_modes_and_is_idempotent() {
    let kv = MemoryKv::new();
    let store = open(&kv).unwrap();
    let ns = store.default_namespace().unwrap();
    let last = committed(&store, b"k");
    let running = putting(&store, b"running");
    let mut reader = read(&store);
    reader.has(ns, b"k").unwrap();
    let applied = system_record(&kv);
    store.close().unwrap();
    store.close().unwrap();
    for mut session in [write(&store), read(&store)] {
        match session.get(ns, b"k", |_| {}) {
            Err(OpError::Failed(error)) => {
                assert_eq!(error.kind(), Kind::Unavailable);
                assert!(error.to_string().contains("closed"), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        store.namespace("new", true).unwrap_err().kind(),
        Kind::Unavailable
    );
    match running.commit() {
        Outcome::Rejected(error) => assert_eq!(error.kind(), Kind::Unavailable),
        other => panic!("{other:?}"),
    }
    assert!(matches!(reader.commit(), Outcome::Committed(_)));
    assert_eq!(system_record(&kv), applied, "nothing was written");
    let reopened = open(&kv).unwrap();
    assert_eq!(reopened.outcome(last).unwrap(), Some(true));
    assert_eq!(reopened.outcome(CommitId(last.0 + 1)).unwrap(), Some(false));
}

#[test]
fn a_read_only_transaction_that_has_writes_is_rejected() {
    let kv = MemoryKv::new();
    let coordinator = Coordinator::open(kv.clone(), None).unwrap();
    let before = system_record(&kv);
    let transaction = coordinator.begin(Mode::ReadOnly, None).unwrap();
    let key = Key {
        ns: layout::DEFAULT,
        bytes: b"k",
    };
    let writes = vec![(OwnedKey::new(key), Write::Delete)];
    match transaction.commit(Commit { writes }) {
        Outcome::Rejected(error) => assert_eq!(error.kind(), Kind::ReadOnly),
        other => panic!("{other:?}"),
    }
    assert_eq!(system_record(&kv), before);
}

#[test]
fn a_transaction_answers_many_keys_at_once_and_the_time_it_began() {
    let kv = MemoryKv::new();
    let store = open(&kv).unwrap();
    committed(&store, b"a");
    committed(&store, b"c");
    let coordinator = Coordinator::open(kv.clone(), None).unwrap();
    let mut transaction = coordinator.begin(Mode::ReadOnly, None).unwrap();
    let now = transaction.now().unwrap();
    let keys = [b"a", b"b", b"c"].map(|bytes| Key {
        ns: layout::DEFAULT,
        bytes,
    });
    let mut seen = Vec::new();
    transaction
        .get_many(&keys, &mut |index, value| {
            seen.push((index, value.is_some()))
        })
        .unwrap();
    assert_eq!(seen, [(0, true), (1, false), (2, true)]);
    assert!(transaction.validate().is_ok());
    assert_eq!(transaction.now().unwrap(), now);
    assert!(now.0 >= system_record(&kv).clock_ms);
}

#[test]
fn close_waits_for_the_commit_in_flight() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    let session = putting(&store, b"k");
    let hold = faults.hold();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| session.commit());
        hold.wait_for(1);
        let close = scope.spawn(|| store.close());
        drop(hold);
        assert!(matches!(commit.join().unwrap(), Outcome::Committed(_)));
        close.join().unwrap().unwrap();
    });
    assert_eq!(keys(&open(&kv).unwrap()), [b"k"]);
}

#[test]
fn nothing_is_visible_before_apply_has_returned() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    let ns = store.default_namespace().unwrap();
    let session = putting(&store, b"k");
    let hold = faults.hold();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| session.commit());
        hold.wait_for(1);
        assert!(keys(&store).is_empty());
        let mut early = read(&store);
        early.has(ns, b"k").unwrap();
        drop(hold);
        assert!(matches!(commit.join().unwrap(), Outcome::Committed(_)));
        assert!(early.has(ns, b"k").unwrap().is_none());
        assert_eq!(keys(&store), [b"k"]);
    });
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let kv = MemoryKv::new();
    open(&kv).unwrap();
    put_raw(
        &kv,
        layout::format_key().physical(),
        Some(b"WSTORE\x02\x00"),
    );
    let error = open(&kv).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    let text = error.to_string();
    assert!(
        text.contains("format 2") && text.contains("format 1"),
        "{text}"
    );
}

#[test]
fn data_of_another_program_is_refused_and_left_alone() {
    let cases: [(&[u8], &[u8]); 4] = [
        (b"some key", b"of another program"),
        (&[0, 0, 0, 0, 0], b"SQLite"),
        (&[0, 0, 0, 0, 0], b""),
        (&[0, 0, 0, 0, 1], b"24 bytes, but no format!"),
    ];
    for (key, value) in cases {
        let kv = MemoryKv::new();
        put_raw(&kv, key, Some(value));
        assert_eq!(open(&kv).unwrap_err().kind(), Kind::Corrupt, "{key:?}");
        let mut entries = 0;
        kv.snapshot()
            .unwrap()
            .scan(&KeyRange::ALL, Order::Forward, &mut |_, _| {
                entries += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(entries, 1, "nothing was added");
    }
}

#[test]
fn a_store_that_lacks_its_own_records_is_corrupt() {
    for missing in [layout::format_key(), SystemRecord::key()] {
        let kv = MemoryKv::new();
        open(&kv).unwrap();
        put_raw(&kv, missing.physical(), None);
        assert_eq!(open(&kv).unwrap_err().kind(), Kind::Corrupt, "{missing:?}");
    }
    let kv = MemoryKv::new();
    open(&kv).unwrap();
    put_raw(&kv, layout::next_namespace_key().physical(), None);
    let store = open(&kv).unwrap();
    assert_eq!(
        store.namespace("new", true).unwrap_err().kind(),
        Kind::Corrupt
    );
    let name = NamespaceName::new("broken").unwrap();
    put_raw(&kv, CatalogEntry::key(&name).physical(), Some(b"?"));
    let store = open(&kv).unwrap();
    let error = store.namespace("broken", false).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
}

#[test]
fn a_stored_value_that_is_not_ours_is_corrupt_by_its_key_and_the_session_goes_on() {
    let kv = MemoryKv::new();
    let store = open(&kv).unwrap();
    let ns = store.default_namespace().unwrap();
    for (value, key) in [(&b""[..], &b"empty"[..]), (b"\x80flags", b"flags")] {
        let physical = [&ns.0.to_be_bytes()[..], key].concat();
        put_raw(&kv, &physical, Some(value));
    }
    let store = open(&kv).unwrap();
    let mut session = write(&store);
    for key in [&b"empty"[..], b"flags"] {
        let Err(OpError::Failed(error)) = session.get(ns, key, |_| panic!("shown")) else {
            panic!("should have failed");
        };
        assert_eq!(error.kind(), Kind::Corrupt);
        let name = std::str::from_utf8(key).unwrap();
        assert!(error.to_string().contains(name), "{error}");
    }
    let scanned = session.scan(
        ns,
        &KeyRange::ALL,
        Order::Forward,
        PageHint::default(),
        &mut |_, _| panic!("shown"),
    );
    assert!(matches!(scanned, Err(OpError::Failed(error)) if error.kind() == Kind::Corrupt));
    session.put(ns, b"empty", b"mended").unwrap();
    assert_eq!(session.has(ns, b"empty").unwrap(), Some(6));
}

#[test]
fn a_durability_that_the_engine_does_not_offer_is_an_error_at_open() {
    let error = Coordinator::open(MemoryKv::new(), Some(Durability::Synced)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    let text = error.to_string();
    for part in ["memory", "synced"] {
        assert!(text.contains(part), "{text}");
    }
    let asked = Coordinator::open(MemoryKv::new(), Some(Durability::Memory)).unwrap();
    assert_eq!(asked.durability(), Durability::Memory);
    let default = Coordinator::open(MemoryKv::new(), None).unwrap();
    assert_eq!(default.durability(), Durability::Memory);
}

#[test]
fn a_namespace_is_durable_before_anyone_has_its_id_and_ids_are_not_reused() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    assert_eq!(store.default_namespace().unwrap(), layout::DEFAULT);
    assert_eq!(
        store.namespace("a", false).unwrap_err().kind(),
        Kind::NoSuchNamespace
    );
    let a = store.namespace("a", true).unwrap();
    let entry = CatalogEntry::key(&NamespaceName::new("a").unwrap());
    let entry = CatalogEntry::decode(&in_kv(&kv, entry.physical()).unwrap()).unwrap();
    assert_eq!(entry.id, a);

    // Rejected: its id goes to the next. Unknown: after reopening it may be there.
    faults.arm(Fault::Reject);
    assert!(store.namespace("b", true).is_err());
    let c = store.namespace("c", true).unwrap();
    faults.arm(Fault::UnknownWritten);
    let error = store.namespace("d", true).unwrap_err();
    assert_eq!(error.kind(), Kind::UnknownOutcome);
    assert!(error.to_string().contains('d'), "{error}");

    let store = open(&kv).unwrap();
    let d = store.namespace("d", false).unwrap();
    let e = store.namespace("e", true).unwrap();
    let ids = BTreeSet::from([layout::DEFAULT, a, c, d, e]);
    assert_eq!(ids.len(), 5);
    assert_eq!(store.namespace("a", true).unwrap(), a);
    assert_eq!(store.namespace("c", false).unwrap(), c);
}

#[test]
fn a_dropped_namespace_is_not_found_and_its_name_gets_a_new_id() {
    let kv = MemoryKv::new();
    let store = open(&kv).unwrap();
    let id = store.namespace("gone", true).unwrap();
    let entry = CatalogEntry { id, dropped: true };
    let key = CatalogEntry::key(&NamespaceName::new("gone").unwrap());
    put_raw(&kv, key.physical(), Some(&entry.encode()));
    let store = open(&kv).unwrap();
    assert_eq!(
        store.namespace("gone", false).unwrap_err().kind(),
        Kind::NoSuchNamespace
    );
    assert!(store.namespace("gone", true).unwrap() > id);
}

/// A call that had the id of a namespace went on writing to it after it was dropped,
/// and its entries stayed behind under an id that nobody can open any more.
#[test]
fn who_uses_a_namespace_that_is_dropped_meanwhile_does_not_commit() {
    let kv = MemoryKv::new();
    let coordinator = Coordinator::open(kv.clone(), None).unwrap();
    let name = NamespaceName::new("gone").unwrap();
    let id = coordinator.namespace(&name, true).unwrap();
    let put = |transaction: Box<dyn Transaction>, ns: NamespaceId| {
        let key = OwnedKey::new(Key { ns, bytes: b"k" });
        let writes = vec![(key, Write::Put(layout::physical_value(b"v")))];
        transaction.commit(Commit { writes })
    };
    let begin = || coordinator.begin(Mode::ReadWrite, None).unwrap();
    let mut reader = begin();
    let key = Key {
        ns: id,
        bytes: b"k",
    };
    reader.get(key, &mut |_| {}).unwrap();
    let (blind, elsewhere) = (begin(), begin());

    let entry = CatalogEntry { id, dropped: true };
    let drop = (CatalogEntry::key(&name), Write::Put(entry.encode().into()));
    let dropped = begin().commit(Commit { writes: vec![drop] });
    assert!(matches!(dropped, Outcome::Committed(_)));

    for outcome in [put(reader, layout::DEFAULT), put(blind, id)] {
        match outcome {
            Outcome::Rejected(error) => assert_eq!(error.kind(), Kind::NoSuchNamespace),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(
        put(elsewhere, layout::DEFAULT),
        Outcome::Committed(_)
    ));
    assert!(coordinator.namespace(&name, true).unwrap() > id);
}

#[test]
fn the_last_namespace_id_is_not_given_out_twice() {
    let kv = MemoryKv::new();
    open(&kv).unwrap();
    let last = u32::MAX - 1;
    put_raw(
        &kv,
        layout::next_namespace_key().physical(),
        Some(&last.to_le_bytes()),
    );
    let store = open(&kv).unwrap();
    assert_eq!(store.namespace("last", true).unwrap().0, last);
    assert_eq!(
        store.namespace("over", true).unwrap_err().kind(),
        Kind::Overflow
    );
}

#[test]
fn threads_that_make_the_same_namespace_get_one_id() {
    let kv = MemoryKv::new();
    let (store, faults) = faulty(&kv);
    let hold = faults.hold();
    let ids: Vec<BTreeMap<String, u32>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    ["x", "y", "z"]
                        .map(|name| (name.to_string(), store.namespace(name, true).unwrap().0))
                        .into()
                })
            })
            .collect();
        // One leads; the others queue up behind it, and all but one lose.
        hold.wait_for(1);
        drop(hold);
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|map| *map == ids[0]));
    let distinct: BTreeSet<u32> = ids[0].values().copied().collect();
    assert_eq!(distinct.len(), 3);
    assert!(faults.applies() <= 1 + 3, "none was made twice");
}

#[test]
fn a_namespace_is_made_while_a_write_session_is_open() {
    let kv = MemoryKv::new();
    let store = open(&kv).unwrap();
    let mut session = putting(&store, b"k");
    let made = store.namespace("made", true).unwrap();
    session.put(made, b"k", b"v").unwrap();
    assert!(matches!(session.commit(), Outcome::Committed(Some(_))));
    assert!(read(&store).has(made, b"k").unwrap().is_some());
}

/// What [`Recorder`] saw of one apply.
#[derive(Clone, Debug)]
struct Applied {
    keys: Vec<Vec<u8>>,
    record: Option<SystemRecord>,
    durability: Durability,
}

/// Remembers every batch; has capabilities of its own, and a close that fails.
struct Recorder {
    kv: MemoryKv,
    capabilities: Capabilities,
    applied: Arc<Mutex<Vec<Applied>>>,
    /// How many times `close` fails before it goes well.
    failing_closes: AtomicUsize,
}

impl Recorder {
    fn new(kv: &MemoryKv) -> Self {
        Recorder {
            kv: kv.clone(),
            capabilities: kv.capabilities().clone(),
            applied: Arc::default(),
            failing_closes: AtomicUsize::new(0),
        }
    }
}

impl OrderedKv for Recorder {
    type Snapshot = MemorySnapshot;

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn snapshot(&self) -> Result<MemorySnapshot, Error> {
        self.kv.snapshot()
    }

    fn apply(&self, batch: &Batch<'_>, durability: Durability) -> Result<(), ApplyError> {
        let system = SystemRecord::key();
        self.applied.lock().unwrap().push(Applied {
            keys: batch.iter().map(|(key, _)| key.to_vec()).collect(),
            record: batch
                .iter()
                .find(|(key, _)| *key == system.physical())
                .map(|(_, value)| SystemRecord::decode(value.unwrap()).unwrap()),
            durability,
        });
        self.kv.apply(batch, Durability::Memory)
    }

    fn close(&self) -> Result<(), Error> {
        let fails = self
            .failing_closes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        match fails {
            Ok(_) => Err(Error::new(Kind::Io, "injected: the last sync failed")),
            Err(_) => self.kv.close(),
        }
    }
}

#[test]
fn every_batch_is_sorted_and_carries_the_system_record_and_the_durability_word() {
    let kv = MemoryKv::new();
    let mut recorder = Recorder::new(&kv);
    recorder.capabilities.durability = &[Durability::Synced, Durability::OsBuffer];
    let applied = Arc::clone(&recorder.applied);
    let store = Store::new(Coordinator::open(recorder, None).unwrap());
    let ns = store.namespace("made", true).unwrap();
    let mut session = write(&store);
    session.mint(ns).unwrap();
    for key in [&b"z"[..], b"a", b"m"] {
        session.put(ns, key, b"v").unwrap();
    }
    session.delete(ns, b"never there").unwrap();
    assert!(matches!(session.commit(), Outcome::Committed(_)));
    committed(&store, b"k");

    let applied = applied.lock().unwrap();
    assert_eq!(applied.len(), 4, "creation, namespace, two commits");
    let mut last = None::<SystemRecord>;
    for (number, apply) in applied.iter().enumerate() {
        assert!(apply.keys.is_sorted_by(|a, b| a < b), "{apply:?}");
        assert_eq!(apply.durability, Durability::Synced);
        let record = apply.record.unwrap();
        assert_eq!(record.group, u64::try_from(number).unwrap());
        if let Some(last) = last {
            assert!(record.clock_ms >= last.clock_ms);
            assert!(record.id_high_water >= last.id_high_water);
        }
        last = Some(record);
    }
    assert_eq!(last.unwrap().id_high_water, 1);
    assert_eq!(applied[2].keys.len(), 5);
}

/// The store clock goes on from where it stood, even if the machine's was set back.
#[test]
fn the_store_clock_does_not_step_back_across_reopening() {
    let kv = MemoryKv::new();
    open(&kv).unwrap();
    let mut record = system_record(&kv);
    record.clock_ms = u64::MAX / 2;
    put_raw(&kv, SystemRecord::key().physical(), Some(&record.encode()));
    committed(&open(&kv).unwrap(), b"k");
    assert!(system_record(&kv).clock_ms >= u64::MAX / 2);
}

/// Keys, and how long their values are.
type Lengths<'a> = &'a [(&'a [u8], usize)];

#[test]
fn what_the_engine_cannot_take_is_rejected_before_anything_is_written() {
    let kv = MemoryKv::new();
    open(&kv).unwrap();
    let mut recorder = Recorder::new(&kv);
    recorder.capabilities.name = "tiny";
    recorder.capabilities.max_key_bytes = 4 + 10;
    recorder.capabilities.max_value_bytes = 1 + 100;
    recorder.capabilities.max_batch_bytes = layout::RECORDS_BYTES + 3 * (14 + 101);
    let applied = Arc::clone(&recorder.applied);
    let store = Store::new(Coordinator::open(recorder, None).unwrap());
    let ns = store.default_namespace().unwrap();
    let commit = |entries: Lengths<'_>| {
        let mut session = write(&store);
        for (key, value) in entries {
            session.put(ns, key, &vec![b'v'; *value]).unwrap();
        }
        session.commit()
    };
    let too_large: [(&str, Lengths<'_>); 3] = [
        ("key", &[(b"a", 0), (b"eleven byte", 0)]),
        ("value", &[(b"a", 0), (b"b", 101)]),
        (
            "commit",
            &[
                (b"1234567890", 100),
                (b"2234567890", 100),
                (b"3234567890", 100),
                (b"", 0),
            ],
        ),
    ];
    for (what, entries) in too_large {
        match commit(entries) {
            Outcome::Rejected(error) => {
                assert_eq!(error.kind(), Kind::TooLarge);
                let text = error.to_string();
                assert!(text.contains("tiny") && text.contains(what), "{text}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(applied.lock().unwrap().is_empty(), "nothing was applied");
    let fits = commit(&[
        (b"1234567890", 100),
        (b"2234567890", 100),
        (b"3234567890", 100),
    ]);
    assert!(matches!(fits, Outcome::Committed(_)), "{fits:?}");
    assert_eq!(keys(&store).len(), 3);
}

/// The second close of a store whose first one had failed answered "all is well",
/// though nothing had been synced.
#[test]
fn a_close_that_failed_is_tried_again_by_the_next_one() {
    let recorder = Recorder::new(&MemoryKv::new());
    recorder.failing_closes.store(2, Ordering::Relaxed);
    let store = Store::new(Coordinator::open(recorder, None).unwrap());
    for _ in 0..2 {
        assert_eq!(store.close().unwrap_err().kind(), Kind::Io);
        assert_eq!(refused_after_close(&store), Kind::Unavailable);
    }
    store.close().unwrap();
}

fn refused_after_close(store: &Store) -> Kind {
    match read(store).has(layout::DEFAULT, b"k") {
        Err(OpError::Failed(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}
