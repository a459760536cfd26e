//! Writes that read nothing never conflict, and additions that cannot be made are
//! met by the guest where it adds.

use wasm_storage_codec::record;
use wasm_storage_engine::coordinator::hooks::Moment;
use wasm_storage_engine::{Attempt, Kind, NamespaceId, OpError, Outcome, RunOptions, Session, Why};
use wasm_storage_testkit::schedule::Task;

use crate::world::{World, beaten, committed, failed, get};

fn incrementing(world: &World, key: &[u8], delta: i64) -> Session {
    let mut session = world.write();
    session.increment(world.ns, key, delta).unwrap();
    session
}

#[test]
fn blind_writes_to_one_key_never_conflict_and_the_last_one_stays() {
    let world = World::new();
    let begun = world.schedule.count(Moment::Begin);
    // All of them begin before the others are there, and the store is read by none.
    let sessions = [&b"1"[..], b"2", b"3"].map(|value| world.putting(b"k", value));
    let late = world.putting(b"k", b"late");
    let door = world.door();
    let members = sessions.map(|session| world.commit("put", session));
    door.open();
    for member in members {
        committed(member.join());
    }
    assert_eq!(world.schedule.count(Moment::Begin), begun);
    assert_eq!(world.get(b"k").as_deref(), Some(&b"3"[..]));
    committed(late.commit());
    assert_eq!(world.get(b"k").as_deref(), Some(&b"late"[..]));
}

#[test]
fn increments_in_one_group_and_across_groups_all_count() {
    let world = World::new();
    let early = incrementing(&world, b"n", 1);
    committed(incrementing(&world, b"n", 10).commit());
    let door = world.door();
    let mut members = vec![world.commit("early", early)];
    for delta in [100, 1_000] {
        members.push(world.commit("member", incrementing(&world, b"n", delta)));
    }
    // A put in between starts anew, a deletion from nothing.
    let entry = record::i64_entry(5);
    members.push(world.commit("put", world.putting(b"m", &entry)));
    members.push(world.commit("member", incrementing(&world, b"m", 1)));
    let mut deleting = world.write();
    deleting.delete(world.ns, b"n").unwrap();
    members.push(world.commit("delete", deleting));
    members.push(world.commit("member", incrementing(&world, b"n", 7)));
    door.open();
    for member in members {
        committed(member.join());
    }
    assert_eq!(world.counter(b"n"), 7);
    assert_eq!(world.counter(b"m"), 6);
}

#[test]
fn sixty_four_threads_increment_one_counter_without_a_read_or_a_second_attempt() {
    const EACH: i64 = 20;
    let world = World::new();
    let begun = world.schedule.count(Moment::Begin);
    let tasks: Vec<Task<u32>> = (0..64)
        .map(|_| {
            let world = world.clone();
            world.schedule.clone().spawn("incrementing", move || {
                let mut attempts = 0;
                for _ in 0..EACH {
                    let done = world.store.run(RunOptions::default(), |mut session| {
                        session.increment(world.ns, b"n", 1).unwrap();
                        Attempt::Commit(session, ())
                    });
                    attempts += done.unwrap().attempts;
                }
                attempts
            })
        })
        .collect();
    let attempts: u32 = tasks.into_iter().map(Task::join).sum();
    assert_eq!(i64::from(attempts), 64 * EACH, "one for each");
    assert_eq!(world.schedule.count(Moment::Begin), begun);
    assert_eq!(world.counter(b"n"), 64 * EACH);
}

/// What an increment meets: something else, or too much.
type Obstacle = (Kind, Vec<u8>, i64);

fn obstacles() -> [Obstacle; 3] {
    [
        (Kind::TypeMismatch, b"no number".to_vec(), 1),
        (Kind::Overflow, record::i64_entry(i64::MAX).to_vec(), 1),
        (Kind::Overflow, record::i64_entry(i64::MIN).to_vec(), -1),
    ]
}

/// Increments `n`, and puts down what it was told in `told`.
fn increment_or_tell(mut session: Session, ns: NamespaceId, delta: i64) -> Attempt<Option<Kind>> {
    match session.increment(ns, b"n", delta) {
        Ok(()) => Attempt::Commit(session, None),
        Err(OpError::Failed(error)) => {
            session.put(ns, b"told", b"v").unwrap();
            Attempt::Commit(session, Some(error.kind()))
        }
        Err(_) => Attempt::Rollback(session, None),
    }
}

#[test]
fn an_addition_that_cannot_be_made_runs_again_and_fails_where_the_guest_adds() {
    for (kind, entry, delta) in obstacles() {
        let world = World::new();
        world.put(b"n", &entry);
        let done = world
            .store
            .run(RunOptions::default(), |session| {
                increment_or_tell(session, world.ns, delta)
            })
            .unwrap();
        assert_eq!((done.value, done.attempts), (Some(kind), 2));
        assert!(world.get(b"told").is_some(), "it went on");
        assert_eq!(world.get(b"n").unwrap(), entry);
    }
}

/// The obstacle is in the same group: whoever meets it must not run again before it
/// is visible.
#[test]
fn an_addition_that_a_member_before_it_prevents_fails_where_the_guest_adds() {
    for (kind, entry, delta) in obstacles() {
        let world = World::new();
        let door = world.door();
        let put = world.commit("put", world.putting(b"n", &entry));
        let ns = world.ns;
        let adding = world.run("adding", move |session| {
            increment_or_tell(session, ns, delta)
        });
        door.open();
        committed(put.join());
        let done = adding.join().unwrap();
        assert_eq!((done.value, done.attempts), (Some(kind), 2));
    }
}

#[test]
fn an_addition_that_cannot_be_made_and_not_run_again_is_that_error_and_writes_nothing() {
    for (kind, entry, delta) in obstacles() {
        let world = World::new();
        world.put(b"n", &entry);
        let incrementing = || {
            let mut session = world.putting(b"beside", b"v");
            session.increment(world.ns, b"n", delta).unwrap();
            session
        };
        let outcome = incrementing().commit();
        assert!(
            matches!(&outcome, Outcome::Conflict(Why::Unmergeable(_))),
            "{outcome:?}"
        );
        assert_eq!(outcome.into_result().unwrap_err().kind(), kind);
        let options = RunOptions {
            deadline: None,
            rerun: false,
        };
        let run = world.store.run(options, |mut session| {
            session.put(world.ns, b"beside", b"v").unwrap();
            session.increment(world.ns, b"n", delta).unwrap();
            Attempt::Commit(session, ())
        });
        let error = run.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, 1));
        let mut part = incrementing();
        assert_eq!(failed(part.part()), kind);
        assert_eq!(world.get(b"beside"), None);
        assert_eq!(world.get(b"n").unwrap(), entry);
    }
}

/// A read of it makes an addition like any other write.
#[test]
fn an_increment_of_what_was_read_conflicts_and_counts_once() {
    let world = World::new();
    let mut session = world.write();
    assert_eq!(get(&mut session, world.ns, b"n"), None);
    session.increment(world.ns, b"n", 1).unwrap();
    committed(incrementing(&world, b"n", 10).commit());
    beaten(session.commit());
    assert_eq!(world.counter(b"n"), 10);
}
