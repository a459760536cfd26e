//! Who has lost three times cannot lose again; others are held up, not failed, and
//! for a second at most.

use std::time::{Duration, Instant};

use wasm_storage_abi::limits;
use wasm_storage_engine::coordinator::hooks::Moment;
use wasm_storage_engine::{
    Attempt, Kind, Mode, NamespaceId, OpError, RunOptions, Session, SessionOptions,
};
use wasm_storage_testkit::schedule::Task;

use crate::world::{World, beaten, committed};

const LIMIT: Duration = Duration::from_millis(limits::RESERVATION_MS);

/// A session with a reservation, which it has got, and an addition to `n`.
fn reserved(world: &World, namespaces: &[NamespaceId]) -> Session {
    let mut session = world.reserving(namespaces);
    session.add(namespaces[0], b"n", 1).unwrap();
    session
}

/// The same in a thread of its own; returns when it has its place in the order.
fn reserving(world: &World, name: &str, namespaces: &[NamespaceId]) -> Task<Session> {
    let count = world.schedule.count(Moment::Reserving);
    let (in_thread, namespaces) = (world.clone(), namespaces.to_vec());
    let task = world
        .schedule
        .spawn(name, move || reserved(&in_thread, &namespaces));
    world.schedule.wait_until(Moment::Reserving, count + 1);
    task
}

/// Runs an invocation that loses three times and then meets rivals that wait.
pub(crate) fn the_fourth_attempt_cannot_lose(world: &World) {
    let inside = world.clone();
    let invocation = world.schedule.spawn("invocation", move || {
        let world = inside;
        let mut attempts = 0;
        let mut rivals = Vec::new();
        let run = world.store.run(RunOptions::default(), |mut session| {
            attempts += 1;
            let sum = session.add(world.ns, b"n", 1).unwrap();
            match attempts {
                1..=3 => {
                    committed(world.adding(b"n").commit());
                }
                4 => {
                    rivals.push(world.run_add("rival", b"n"));
                    rivals.push(world.run_add("rival", b"n"));
                    world.put_other(b"is not held up");
                    assert_eq!(world.counter(b"n"), 3, "nor are readers");
                }
                _ => {}
            }
            Attempt::Commit(session, sum)
        });
        (run.unwrap(), rivals)
    });
    let (done, rivals) = invocation.join();
    assert_eq!((done.value, done.attempts), (4, 4));
    for rival in rivals {
        let rival = rival.join().unwrap();
        assert!((2..=3).contains(&rival.attempts), "{rival:?}");
    }
    assert_eq!(world.counter(b"n"), 6);
}

#[test]
fn after_three_losses_the_fourth_attempt_cannot_lose_and_rivals_wait() {
    the_fourth_attempt_cannot_lose(&World::new());
}

#[test]
fn a_blind_write_that_a_reservation_holds_up_is_committed_after_it() {
    let world = World::new();
    let session = reserved(&world, &[world.ns]);
    let held_up = world.commit("held up", world.putting(b"k", b"v"));
    world.put_other(b"a group after it");
    assert_eq!(world.get(b"k"), None);
    let winner = committed(session.commit());
    assert!(committed(held_up.join()) > winner);
}

#[test]
fn who_holds_two_namespaces_up_waits_for_nobody_in_a_third() {
    let world = World::new();
    let third = world.store.namespace("third", true).unwrap();
    let session = reserved(&world, &[world.ns, world.other]);
    let held_up = [world.ns, world.other].map(|ns| {
        let mut both = world.write();
        both.put(third, b"k", b"v").unwrap();
        both.put(ns, b"k", b"v").unwrap();
        world.commit("held up", both)
    });
    let mut free = world.write();
    free.put(third, b"free", b"v").unwrap();
    committed(free.commit());
    let mut reader = world.read();
    assert_eq!(reader.has(third, b"k").unwrap(), None, "all of it waits");
    committed(session.commit());
    for held_up in held_up {
        committed(held_up.join());
    }
}

/// The snapshot of a reserved attempt has every group that its reservation came too
/// late for.
#[test]
fn a_reservation_waits_for_the_group_in_flight() {
    let world = World::new();
    let stop = world.schedule.stop_thread("in flight", Moment::Decided);
    let in_flight = world.run_add("in flight", b"n");
    stop.wait_for(1);
    let reserving = reserving(&world, "reserving", &[world.ns]);
    let began = world.schedule.count(Moment::Begin);
    let held_up = world.run_add("held up", b"n");
    stop.open();
    let session = reserving.join();
    assert!(world.schedule.count(Moment::Begin) > began);
    committed(session.commit());
    assert_eq!(in_flight.join().unwrap().value, 1);
    assert_eq!(held_up.join().unwrap().value, 3);
}

/// A reservation's second began when it was asked for. On a disk that took that long
/// for the group in flight, it was over before its attempt had begun, and the attempt
/// lost again, however often it reserved.
#[test]
fn the_second_of_a_reservation_begins_when_its_attempt_can_run() {
    let world = World::new();
    let stop = world.schedule.stop_thread("in flight", Moment::Decided);
    let in_flight = world.run_add("in flight", b"n");
    stop.wait_for(1);
    let reserving = reserving(&world, "reserving", &[world.ns]);
    let held_up = world.run_add("held up", b"n");
    world.schedule.advance(LIMIT);
    stop.open();
    let session = reserving.join();
    world.put_other(b"a group, and nobody else is in it");
    assert_eq!(world.counter(b"n"), 1);
    committed(session.commit());
    assert_eq!(in_flight.join().unwrap().value, 1);
    assert_eq!(held_up.join().unwrap().value, 3);
}

#[test]
fn reservations_that_meet_in_opposite_order_come_one_after_the_other() {
    let world = World::new();
    let first = reserved(&world, &[world.ns, world.other]);
    let second = reserving(&world, "second", &[world.other, world.ns]);
    let third = reserving(&world, "third", &[world.ns]);
    let apart = world.store.namespace("apart", true).unwrap();
    committed(reserved(&world, &[apart]).commit());
    let first = committed(first.commit());
    let second = committed(second.join().commit());
    let third = committed(third.join().commit());
    assert!(first < second && second < third);
    assert_eq!(world.counter(b"n"), 2, "each on the state after the other");
}

/// Two reserved attempts, each writing to what the other had reserved, waited for each
/// other in the queue, and everybody who wrote there waited with them, until the
/// second that a reservation may last was over.
#[test]
fn reserved_attempts_that_touch_each_others_namespaces_do_not_wait_for_each_other() {
    let world = World::new();
    let mut first = reserved(&world, &[world.ns]);
    let mut second = reserved(&world, &[world.other]);
    first.put(world.other, b"k", b"first").unwrap();
    second.put(world.ns, b"k", b"second").unwrap();
    let commit = |name, session: Session| world.schedule.spawn(name, || session.commit());
    let first = commit("first", first);
    let text = beaten(first.join());
    assert!(text.contains("reserved"), "{text}");
    committed(commit("second", second).join());
    assert_eq!(world.get(b"k").as_deref(), Some(&b"second"[..]));
}

#[test]
fn waiting_for_a_reservation_ends_at_the_deadline_with_a_conflict() {
    let world = World::new();
    let holder = reserved(&world, &[world.ns]);
    let late: &'static [NamespaceId] = vec![world.ns].leak();
    let mut session = world.store.begin(SessionOptions {
        mode: Mode::Reserved(late),
        deadline: Some(Instant::now()),
    });
    let refused = session.put(world.ns, b"k", b"v");
    assert!(matches!(refused, Err(OpError::Doomed)), "{refused:?}");
    let text = beaten(session.commit());
    assert!(text.contains("deadline"), "{text}");
    // It keeps no place in the order.
    let next = reserving(&world, "next", &[world.ns]);
    committed(holder.commit());
    committed(next.join().commit());
}

#[test]
fn an_invocation_that_waits_for_a_reservation_until_its_deadline_is_a_conflict() {
    let world = World::new();
    let holder = reserved(&world, &[world.ns, world.other]);
    let options = RunOptions {
        deadline: Some(Instant::now() + Duration::from_millis(300)),
        rerun: true,
    };
    let inside = world.clone();
    let invocation = world.schedule.spawn("invocation", move || {
        let world = inside;
        let free = world.store.namespace("free", true).unwrap();
        world.store.run(options, |mut session| {
            // It reads where its rival writes, and would write where that is reserved.
            if session.has(free, b"n").is_ok() {
                let mut rival = world.write();
                rival.put(free, b"n", b"v").unwrap();
                committed(rival.commit());
                session.put(world.ns, b"k", b"v").unwrap();
            }
            Attempt::Commit(session, ())
        })
    });
    let error = invocation.join().unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict);
    committed(holder.commit());
    assert_eq!(world.get(b"k"), None);
}

#[test]
fn a_reservation_lasts_a_second_and_then_its_attempt_can_lose() {
    let world = World::new();
    let session = reserved(&world, &[world.ns]);
    let rival = world.run_add("rival", b"n");
    world.schedule.advance(LIMIT - Duration::from_millis(1));
    world.put_other(b"a group, and it is held up still");
    assert_eq!(world.counter(b"n"), 0);
    world.schedule.advance(Duration::from_millis(1));
    world.put_other(b"a group, and it is in it or leads the next");
    assert_eq!(rival.join().unwrap().attempts, 1);
    beaten(session.commit());
    assert_eq!(world.counter(b"n"), 1);
}

/// Nobody says so when a reservation runs out, and here nobody else commits.
#[test]
fn those_whom_a_reservation_holds_up_find_out_themselves_that_it_is_over() {
    let world = World::new();
    let session = reserved(&world, &[world.ns]);
    let held_up = world.commit("held up", world.putting(b"k", b"v"));
    let next = reserving(&world, "next", &[world.ns]);
    world.schedule.advance(LIMIT);
    let next = next.join();
    drop(next);
    committed(held_up.join());
    drop(session);
}

#[test]
fn an_attempt_that_panics_gives_its_reservation_back() {
    let world = World::new();
    let inside = world.clone();
    let invocation = world.schedule.spawn("invocation", move || {
        let world = inside;
        let mut attempts = 0;
        let mut rival = None;
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world
                .store
                .run(RunOptions::default(), |mut session| -> Attempt<()> {
                    attempts += 1;
                    session.add(world.ns, b"n", 1).unwrap();
                    if attempts == 4 {
                        rival = Some(world.run_add("rival", b"n"));
                        panic!("injected: the guest's host");
                    }
                    committed(world.adding(b"n").commit());
                    Attempt::Commit(session, ())
                })
        }));
        assert!(run.is_err());
        rival.unwrap()
    });
    assert_eq!(invocation.join().join().unwrap().value, 4);
}

/// A session that ended without a word, or is only rolled back, holds nobody up.
#[test]
fn a_reservation_ends_with_its_session_however_that_ends() {
    let world = World::new();
    let ends: [fn(Session); 3] = [drop, Session::rollback, |session| {
        // Nothing to write, nothing to wait for.
        drop(session.commit());
    }];
    for end in ends {
        let session = reserved(&world, &[world.ns]);
        let held_up = world.commit("held up", world.putting(b"k", b"v"));
        end(session);
        committed(held_up.join());
    }
}
