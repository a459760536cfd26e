//! A group that fails: who is told what, what readers see, what is there after
//! reopening. And the end of a store that is at work.

use wasm_storage_engine::coordinator::hooks::Moment;
use wasm_storage_engine::{CommitId, Kind, Outcome, Session};
use wasm_storage_testkit::fault::Fault;
use wasm_storage_testkit::schedule::Task;

use crate::world::{World, beaten, committed, failed, get, keys, rejected};

/// A leader and ten followers: four accepted ones, three that lose to the leader, and
/// three that are still in the queue when the leader fails.
struct Crowd {
    reader: Session,
    leader: Task<Outcome>,
    accepted: Vec<Task<Outcome>>,
    losers: Vec<Task<Outcome>>,
    queued: Vec<Task<Outcome>>,
    /// The group they are in.
    id: CommitId,
}

/// Runs a group whose leader meets what `strike` arranges, up to that point.
fn crowd(world: &World, strike: impl FnOnce(&World)) -> Crowd {
    let before = world.put(b"before", b"v");
    let mut reader = world.read();
    assert_eq!(get(&mut reader, world.ns, b"accepted 0"), None);
    let door = world.door();
    let mut leading = world.adding(b"n");
    leading.put(world.ns, b"leader", b"v").unwrap();
    let accepted: Vec<_> = (0..4)
        .map(|n| world.putting(format!("accepted {n}").as_bytes(), b"v"))
        .collect();
    let losing: Vec<_> = (0..3).map(|_| world.adding(b"n")).collect();
    let collected = world.schedule.stop_thread("leader", Moment::Collected);
    let leader = world.commit("leader", leading);
    let accepted = accepted
        .into_iter()
        .map(|session| world.commit("accepted", session))
        .collect();
    let losers = losing
        .into_iter()
        .map(|session| world.commit("loser", session))
        .collect();
    door.open();
    collected.wait_for(1);
    let queued = (0..3)
        .map(|n| {
            world.commit(
                "queued",
                world.putting(format!("queued {n}").as_bytes(), b"v"),
            )
        })
        .collect();
    strike(world);
    collected.open();
    Crowd {
        reader,
        leader,
        accepted,
        losers,
        queued,
        id: CommitId(before.0 + 2),
    }
}

impl Crowd {
    /// Everybody but the leader and the accepted ones is told that the store is
    /// unavailable; readers go on, on the state before; writers are refused.
    fn the_rest_is_turned_away(
        world: &World,
        turned_away: Vec<Task<Outcome>>,
        mut reader: Session,
    ) {
        for member in turned_away {
            let (kind, text) = rejected(member.join());
            assert_eq!(kind, Kind::Unavailable);
            assert!(text.contains("reopened"), "{text}");
        }
        assert_eq!(get(&mut reader, world.ns, b"accepted 0"), None);
        assert_eq!(keys(&mut world.read(), world.ns), [b"before"]);
        let refused = world.write().put(world.ns, b"refused", b"v");
        assert_eq!(failed(refused), Kind::Unavailable);
    }
}

#[test]
fn followers_of_a_leader_that_panics_before_it_writes_are_turned_away() {
    for moment in [Moment::Collected, Moment::Decided] {
        let world = World::new();
        let crowd = crowd(&world, |world| world.schedule.panic_at(moment));
        assert!(crowd.leader.end().is_err());
        let turned_away = crowd.accepted.into_iter().chain(crowd.losers);
        let turned_away = turned_away.chain(crowd.queued).collect();
        Crowd::the_rest_is_turned_away(&world, turned_away, crowd.reader);
        let reopened = world.reopened();
        assert_eq!(reopened.outcome(crowd.id).unwrap(), Some(false));
    }
}

#[test]
fn followers_of_a_leader_that_panics_in_apply_do_not_know_and_the_rest_is_turned_away() {
    let faults = [
        (Fault::Panic, true, false),
        (Fault::PanicWritten, true, true),
        (Fault::UnknownUnwritten, false, false),
        (Fault::UnknownWritten, false, true),
    ];
    for (fault, panics, written) in faults {
        let world = World::new();
        let mut crowd = crowd(&world, |world| world.faults.arm(fault));
        if panics {
            assert!(crowd.leader.end().is_err());
        } else {
            crowd.accepted.push(crowd.leader);
        }
        for member in crowd.accepted {
            match member.join() {
                Outcome::Unknown(id, _) => assert_eq!(id, crowd.id, "{fault:?}"),
                other => panic!("{fault:?}: {other:?}"),
            }
        }
        let turned_away = crowd.losers.into_iter().chain(crowd.queued).collect();
        Crowd::the_rest_is_turned_away(&world, turned_away, crowd.reader);
        assert!(world.store.outcome(crowd.id).is_err(), "it cannot tell yet");
        let reopened = world.reopened();
        assert_eq!(reopened.outcome(crowd.id).unwrap(), Some(written));
        let mut reader = reopened.begin(wasm_storage_engine::SessionOptions::read_only());
        for key in [&b"leader"[..], b"accepted 0", b"accepted 3"] {
            let there = reader.has(world.ns, key).unwrap().is_some();
            assert_eq!(there, written, "{fault:?}");
        }
        for key in [&b"queued 0"[..], b"refused"] {
            assert_eq!(reader.has(world.ns, key).unwrap(), None);
        }
    }
}

#[test]
fn followers_of_a_leader_that_panics_after_apply_are_committed_though_nobody_sees_it() {
    for moment in [Moment::Applied, Moment::Snapshot] {
        let world = World::new();
        let crowd = crowd(&world, |world| world.schedule.panic_at(moment));
        assert!(crowd.leader.end().is_err());
        for member in crowd.accepted {
            assert_eq!(committed(member.join()), crowd.id);
        }
        let turned_away = crowd.losers.into_iter().chain(crowd.queued).collect();
        Crowd::the_rest_is_turned_away(&world, turned_away, crowd.reader);
        for store in [&world.store, &world.reopened()] {
            assert_eq!(store.outcome(crowd.id).unwrap(), Some(true), "{moment:?}");
        }
    }
}

/// The losers have lost, as the group happened; who runs again is refused then.
#[test]
fn a_group_whose_snapshot_fails_is_committed_and_the_queue_is_turned_away() {
    let world = World::new();
    let crowd = crowd(&world, |world| world.faults.fail_snapshot());
    for member in crowd.accepted.into_iter().chain([crowd.leader]) {
        assert_eq!(committed(member.join()), crowd.id);
    }
    for member in crowd.losers {
        beaten(member.join());
    }
    Crowd::the_rest_is_turned_away(&world, crowd.queued, crowd.reader);
    assert_eq!(world.store.outcome(crowd.id).unwrap(), Some(true));
}

/// One of a group may be all that is wrong with it: each is tried alone then, those
/// that lost within the group as well, for their winner may be the bad one.
#[test]
fn of_a_rejected_group_only_the_bad_member_fails() {
    let world = World::new();
    let door = world.door();
    let first = world.commit("first", world.putting(b"first", b"v"));
    let bad = world.commit("bad", world.adding(b"n"));
    let loser = world.run_add("loser", b"n");
    let last = world.commit("last", world.putting(b"last", b"v"));
    // The door's apply, the group's, then that of each: first, bad.
    world.faults.arm_after(1, Fault::Reject);
    world.faults.arm_after(3, Fault::Reject);
    door.open();
    let first = committed(first.join());
    let (_, text) = rejected(bad.join());
    assert!(text.contains("injected"), "{text}");
    let last = committed(last.join());
    let loser = loser.join().unwrap();
    assert_eq!(loser.attempts, 1, "its winner did not happen");
    assert_eq!(last.0, first.0 + 1, "the bad one's number is free");
    assert_eq!(loser.commit.unwrap().0, last.0 + 1);
    assert_eq!(world.counter(b"n"), 1);
}

#[test]
fn of_a_rejected_group_tried_one_by_one_a_loser_loses_to_a_winner_that_is_good() {
    let world = World::new();
    let door = world.door();
    let winner = world.run_add("winner", b"n");
    let loser = world.run_add("loser", b"n");
    world.faults.arm_after(1, Fault::Reject);
    door.open();
    assert_eq!(winner.join().unwrap().attempts, 1);
    assert_eq!(loser.join().unwrap().attempts, 2);
    assert_eq!(world.counter(b"n"), 2);
}

#[test]
fn a_rejected_group_that_becomes_unknown_on_the_way_leaves_nobody_waiting() {
    for fault in [Fault::UnknownUnwritten, Fault::Panic] {
        let world = World::new();
        let door = world.door();
        let members: Vec<_> = ["first", "unknown", "untried"]
            .map(|key| world.commit(key, world.putting(key.as_bytes(), b"v")))
            .into();
        world.faults.arm_after(1, Fault::Reject);
        world.faults.arm_after(3, fault);
        door.open();
        let mut outcomes = members.into_iter().map(Task::end);
        // A leader that panics takes its own answer with it, and nobody else's.
        match (outcomes.next().unwrap(), fault) {
            (Ok(outcome), Fault::UnknownUnwritten) => {
                committed(outcome);
            }
            (Err(_), Fault::Panic) => {}
            (other, _) => panic!("{other:?}"),
        }
        let unknown = outcomes.next().unwrap().unwrap();
        assert!(matches!(unknown, Outcome::Unknown(..)), "{unknown:?}");
        let untried = rejected(outcomes.next().unwrap().unwrap());
        assert_eq!(untried.0, Kind::Unavailable);
        assert!(world.get(b"first").is_some());
    }
}

#[test]
fn close_waits_for_the_group_in_flight_and_for_those_in_the_queue() {
    let world = World::new();
    let door = world.door();
    let durable = world.schedule.stop_thread("first", Moment::Applied);
    let in_flight =
        ["first", "second"].map(|key| world.commit(key, world.putting(key.as_bytes(), b"v")));
    door.open();
    durable.wait_for(1);
    let queued = world.commit("queued", world.putting(b"queued", b"v"));
    let running = world.putting(b"running", b"v");
    let store = world.store.clone();
    let close = world.schedule.spawn("close", move || store.close());
    world.schedule.wait_until(Moment::Closing, 1);
    assert_eq!(rejected(running.commit()).0, Kind::Unavailable);
    let refused = world.read().has(world.ns, b"first");
    assert_eq!(failed(refused), Kind::Unavailable);
    durable.open();
    close.join().unwrap();
    for member in in_flight {
        committed(member.join());
    }
    committed(queued.join());
    let reopened = world.reopened();
    let mut reader = reopened.begin(wasm_storage_engine::SessionOptions::read_only());
    assert_eq!(
        keys(&mut reader, world.ns),
        [&b"first"[..], b"queued", b"second"]
    );
}

#[test]
fn close_waits_for_those_that_a_reservation_holds_up() {
    let world = World::new();
    let mut reserving = world.reserving(&[world.ns]);
    reserving.add(world.ns, b"n", 1).unwrap();
    let held_up = world.commit("held up", world.putting(b"k", b"v"));
    let store = world.store.clone();
    let close = world.schedule.spawn("close", move || store.close());
    world.schedule.wait_until(Moment::Closing, 1);
    assert_eq!(rejected(reserving.commit()).0, Kind::Unavailable);
    committed(held_up.join());
    close.join().unwrap();
}
