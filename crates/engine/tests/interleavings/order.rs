//! A commit becomes durable, then visible, then acknowledged; a snapshot and its
//! number belong together.

use wasm_storage_engine::coordinator::hooks::{Hooks, Moment};
use wasm_storage_engine::kv::{OrderedKv, Snapshot};

use crate::world::{World, beaten, committed, get};

fn is_durable(world: &World, key: &[u8]) -> bool {
    let physical = [&world.ns.0.to_be_bytes()[..], key].concat();
    let snapshot = world.kv.snapshot().unwrap();
    snapshot.get(&physical, &mut |_| {}).unwrap()
}

/// At every pause: what is in the engine, what a new reader sees, who has been told.
pub(crate) fn durable_then_visible_then_acknowledged(world: &World) {
    let pauses = [
        (Moment::Collected, false, false),
        (Moment::Decided, false, false),
        (Moment::Applied, true, false),
        (Moment::Snapshot, true, false),
        (Moment::Recorded, true, false),
        (Moment::Published, true, true),
    ];
    let told = world.schedule.count(Moment::Told);
    let stops = pauses.map(|(moment, ..)| world.schedule.stop_thread("leader", moment));
    let door = world.door();
    let leader = world.commit("leader", world.putting(b"k", b"v"));
    let follower = world.commit("follower", world.putting(b"l", b"v"));
    door.open();
    for ((moment, durable, visible), stop) in pauses.iter().zip(stops) {
        stop.wait_for(1);
        for key in [b"k", b"l"] {
            assert_eq!(is_durable(world, key), *durable, "at {moment:?}");
            assert_eq!(world.get(key).is_some(), *visible, "at {moment:?}");
        }
        let acknowledged = world.schedule.count(Moment::Told) - told - 1;
        assert!(*visible || acknowledged == 0, "at {moment:?}");
    }
    committed(leader.join());
    committed(follower.join());
    assert_eq!(world.schedule.count(Moment::Told) - told, 3);
}

#[test]
fn a_commit_is_durable_then_visible_then_acknowledged() {
    durable_then_visible_then_acknowledged(&World::new());
}

/// A transaction that took its snapshot first and looked up the number of it later
/// would miss a commit that it claims to have seen: a lost update.
pub(crate) fn a_snapshot_and_its_number(world: &World) {
    let recorded = world.schedule.stop_thread("first", Moment::Recorded);
    let first = world.commit("first", world.adding(b"n"));
    recorded.wait_for(1);
    let began = world.schedule.count(Moment::Begin);
    let stop = world.schedule.stop_thread("late", Moment::Begin);
    let late = {
        let world = world.clone();
        world.schedule.clone().spawn("late", move || {
            let session = world.adding(b"n");
            // Says here that it has begun, if it has not been held in there a second time.
            world.schedule.at(Moment::Begin);
            session
        })
    };
    stop.pass_one();
    world.schedule.wait_until(Moment::Begin, began + 2);
    recorded.open();
    committed(first.join());
    stop.open();
    beaten(late.join().commit());
}

#[test]
fn a_snapshot_and_its_number_belong_together() {
    a_snapshot_and_its_number(&World::new());
}

#[test]
fn who_begins_while_a_group_is_committed_is_before_it_or_after_it() {
    let pauses = [
        (Moment::Decided, false),
        (Moment::Applied, false),
        (Moment::Snapshot, false),
        (Moment::Recorded, false),
        (Moment::Published, true),
    ];
    for (moment, after) in pauses {
        let world = World::new();
        let stop = world.schedule.stop_thread("writer", moment);
        let mut both = world.putting(b"a", b"v");
        both.put(world.ns, b"b", b"v").unwrap();
        let writer = world.commit("writer", both);
        stop.wait_for(1);
        let mut reader = world.read();
        let mut session = world.write();
        for began in [&mut reader, &mut session] {
            assert_eq!(get(began, world.ns, b"a").is_some(), after, "{moment:?}");
        }
        session.put(world.ns, b"c", b"v").unwrap();
        stop.open();
        committed(writer.join());
        // It stays where it began, and that is known at its commit.
        for began in [&mut reader, &mut session] {
            assert_eq!(get(began, world.ns, b"b").is_some(), after, "{moment:?}");
        }
        let outcome = session.commit();
        if after {
            committed(outcome);
        } else {
            beaten(outcome);
        }
    }
}

/// Strict serializability: what is acknowledged is seen by whoever begins then.
#[test]
fn a_session_that_begins_after_an_acknowledgement_sees_the_commit() {
    let world = World::new();
    let told = world.schedule.stop_thread("leader", Moment::Told);
    let door = world.door();
    let leader = world.commit("leader", world.putting(b"k", b"v"));
    let follower = world.commit("follower", world.putting(b"l", b"v"));
    door.open();
    // The leader has told itself, and nobody else.
    told.wait_for(1);
    assert!(world.get(b"l").is_some());
    // Somebody else may lead already.
    world.put(b"m", b"v");
    told.open();
    committed(leader.join());
    committed(follower.join());
}
