//! Namespaces that are made at the same time, and keys that are minted.

use std::sync::Arc;

use wasm_storage_engine::coordinator::hooks::Moment;
use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_engine::layout::{self, CatalogEntry, SystemRecord};
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Attempt, Backend, Commit, Coordinator, Durability, Key, Kind, Mode, NamespaceName, OwnedKey,
    RunOptions, SessionOptions, Write,
};
use wasm_storage_testkit::schedule::Schedule;

use crate::world::{World, beaten, committed, rejected};

#[test]
fn a_namespace_made_by_several_at_once_has_one_id_and_two_namespaces_have_two() {
    let world = World::new();
    let door = world.door();
    let tasks = [("first", "a"), ("second", "a"), ("third", "b")].map(|(thread, name)| {
        let store = world.store.clone();
        world.enter(thread, move || store.namespace(name, true).unwrap())
    });
    door.open();
    let [first, second, third] = tasks.map(|task| task.join());
    assert_eq!(first, second);
    assert_ne!(first, third);
}

/// A member that uses a namespace and comes after the one that drops it, in one group:
/// told to run again, it finds the namespace gone.
#[test]
fn a_writer_in_the_group_that_drops_its_namespace_does_not_commit() {
    let schedule = Schedule::new();
    let coordinator = Coordinator::open_with_hooks(MemoryKv::new(), None, schedule.clone());
    let coordinator = Arc::new(coordinator.unwrap());
    let name = NamespaceName::new("gone").unwrap();
    let gone = coordinator.namespace(&name, true).unwrap();
    let put = |ns, bytes: &[u8]| {
        let key = OwnedKey::new(Key { ns, bytes });
        (key, Write::Put(layout::physical_value(b"v")))
    };
    let entry = CatalogEntry {
        id: gone,
        dropped: true,
    };
    let drop = (CatalogEntry::key(&name), Write::Put(entry.encode().into()));
    let commit = |thread: &str, write| {
        let entered = schedule.count(Moment::Enqueued);
        let transaction = coordinator.begin(Mode::ReadWrite, None).unwrap();
        let commit = Commit {
            writes: vec![write],
        };
        let task = schedule.spawn(thread, || transaction.commit(commit));
        schedule.wait_until(Moment::Enqueued, entered + 1);
        task
    };
    let door = schedule.stop_thread("door", Moment::Collected);
    let first = commit("door", put(layout::DEFAULT, b"k"));
    door.wait_for(1);
    let before = commit("before", put(gone, b"before"));
    let drop = commit("drop", drop);
    let after = commit("after", put(gone, b"after"));
    let elsewhere = commit("elsewhere", put(layout::DEFAULT, b"l"));
    door.open();
    for member in [first, before, drop, elsewhere] {
        committed(member.join());
    }
    beaten(after.join());
    let (kind, _) = rejected(commit("again", put(gone, b"again")).join());
    assert_eq!(kind, Kind::NoSuchNamespace);
}

/// A guest that chooses its own keys may have chosen what is minted next.
#[test]
fn a_minted_key_is_never_one_that_a_guest_has_put_there_before() {
    let world = World::new();
    for number in [1, 2, 4] {
        world.put(&layout::minted_key(number), b"the guest's");
    }
    let mut session = world.write();
    assert_eq!(session.mint(world.ns).unwrap(), 3);
    assert_eq!(session.mint(world.ns).unwrap(), 5);
    assert_eq!(session.mint(world.other).unwrap(), 6, "one row of numbers");
}

#[test]
fn a_key_that_a_guest_puts_there_after_it_was_minted_is_not_overwritten_either() {
    let world = World::new();
    let mut minted = Vec::new();
    let run = world.store.run(RunOptions::default(), |mut session| {
        let number = session.mint(world.ns).unwrap();
        let key = layout::minted_key(number);
        if minted.is_empty() {
            world.put(&key, b"the guest's");
        }
        minted.push(number);
        session.put(world.ns, &key, b"minted").unwrap();
        Attempt::Commit(session, ())
    });
    assert_eq!(run.unwrap().attempts, 2);
    let values = [0, 1].map(|n| world.get(&layout::minted_key(minted[n])).unwrap());
    assert_eq!(values, [&b"the guest's"[..], b"minted"]);
}

fn system_record(world: &World) -> SystemRecord {
    let mut record = None;
    let snapshot = world.kv.snapshot().unwrap();
    let key = SystemRecord::key();
    let decode = &mut |bytes: &[u8]| record = Some(SystemRecord::decode(bytes).unwrap());
    assert!(snapshot.get(key.physical(), decode).unwrap());
    record.unwrap()
}

/// Keys were once minted from the clock: a clock set back gave them out again.
#[test]
fn a_clock_that_is_set_back_neither_goes_back_nor_mints_a_key_twice() {
    const AHEAD: u64 = 1 << 52;
    let world = World::new();
    let mut session = world.write();
    let first = session.mint(world.ns).unwrap();
    session
        .put(world.ns, &layout::minted_key(first), b"first")
        .unwrap();
    committed(session.commit());
    // To the store that is opened now, the machine's clock has been set back far.
    let record = SystemRecord {
        clock_ms: AHEAD,
        ..system_record(&world)
    };
    let (key, bytes) = (SystemRecord::key(), record.encode());
    let batch = Batch::from_sorted(vec![(key.physical(), Some(&bytes[..]))]);
    world.kv.apply(&batch, Durability::Memory).unwrap();
    let reopened = world.reopened();
    let mut session = reopened.begin(SessionOptions::read_write());
    let second = session.mint(world.ns).unwrap();
    assert!(second > first);
    session
        .put(world.ns, &layout::minted_key(second), b"second")
        .unwrap();
    committed(session.commit());
    let record = system_record(&world);
    assert!(record.clock_ms >= AHEAD);
    assert_eq!(i64::try_from(record.id_high_water).unwrap(), second);
}
