//! What is run again, what is not, and that many threads lose nothing.

use wasm_storage_engine::{Attempt, Kind, OpError, RunOptions};
use wasm_storage_testkit::schedule::Task;

use crate::world::{World, committed, failed};

#[test]
fn sixty_four_threads_add_to_one_counter_and_none_fails() {
    const EACH: i64 = 4;
    let world = World::new();
    let tasks: Vec<Task<Vec<i64>>> = (0..64)
        .map(|_| {
            let world = world.clone();
            world.schedule.clone().spawn("adding", move || {
                let add = || {
                    let run = world.store.run(RunOptions::default(), |mut session| {
                        match session.add(world.ns, b"n", 1) {
                            Ok(sum) => Attempt::Commit(session, sum),
                            Err(_) => Attempt::Rollback(session, 0),
                        }
                    });
                    run.unwrap().value
                };
                (0..EACH).map(|_| add()).collect()
            })
        })
        .collect();
    let mut sums: Vec<i64> = tasks.into_iter().flat_map(Task::join).collect();
    sums.sort_unstable();
    assert!(sums.into_iter().eq(1..=64 * EACH), "each sum was seen once");
    assert_eq!(world.counter(b"n"), 64 * EACH);
}

#[test]
fn a_conflict_in_the_first_part_runs_the_invocation_from_its_start() {
    let world = World::new();
    let mut attempts = 0;
    let done = world.store.run(RunOptions::default(), |mut session| {
        attempts += 1;
        session.add(world.ns, b"n", 1).unwrap();
        if attempts == 1 {
            committed(world.adding(b"n").commit());
            assert!(matches!(session.part(), Err(OpError::Doomed)));
            assert!(session.is_doomed());
            assert!(matches!(
                session.put(world.ns, b"k", b""),
                Err(OpError::Doomed)
            ));
        } else {
            session.part().unwrap();
            session.put(world.ns, b"k", b"v").unwrap();
        }
        Attempt::Commit(session, ())
    });
    let done = done.unwrap();
    assert_eq!((done.attempts, done.parts), (2, 1));
    assert_eq!(world.counter(b"n"), 2);
}

/// Run again, the invocation would do its first part twice.
#[test]
fn a_conflict_after_a_part_is_not_run_again_and_the_part_stays() {
    let world = World::new();
    let run = world.store.run(RunOptions::default(), |mut session| {
        session.put(world.ns, b"part", b"v").unwrap();
        session.part().unwrap();
        session.add(world.ns, b"n", 1).unwrap();
        committed(world.adding(b"n").commit());
        Attempt::Commit(session, ())
    });
    let error = run.unwrap_err();
    assert_eq!(
        (error.kind(), error.parts(), error.attempts()),
        (Kind::Conflict, 1, 1)
    );
    assert!(error.to_string().contains("1 part"), "{error}");
    assert!(world.get(b"part").is_some());
    assert_eq!(world.counter(b"n"), 1);
}

#[test]
fn a_part_that_loses_after_another_is_a_conflict_and_reading_goes_on_from_now() {
    let world = World::new();
    let run = world.store.run(RunOptions::default(), |mut session| {
        session.put(world.ns, b"part", b"v").unwrap();
        session.part().unwrap();
        assert_eq!(session.add(world.ns, b"n", 1).unwrap(), 1);
        session.put(world.ns, b"lost", b"v").unwrap();
        committed(world.adding(b"n").commit());
        assert_eq!(failed(session.part()), Kind::Conflict);
        assert_eq!(session.has(world.ns, b"lost").unwrap(), None);
        assert_eq!(session.add(world.ns, b"n", 1).unwrap(), 2, "fresh");
        session.part().unwrap();
        Attempt::Rollback(session, ())
    });
    let done = run.unwrap();
    assert_eq!((done.parts, done.attempts), (2, 1));
    assert!(done.commit.is_some(), "the last part");
    assert_eq!(world.counter(b"n"), 2);
    assert_eq!(world.get(b"lost"), None);
}

/// What a part has read is behind it: it was true when the part was committed.
#[test]
fn what_was_read_before_a_part_does_not_conflict_after_it() {
    let world = World::new();
    let run = world.store.run(RunOptions::default(), |mut session| {
        session.add(world.ns, b"n", 1).unwrap();
        session.part().unwrap();
        committed(world.adding(b"n").commit());
        session.put(world.ns, b"k", b"v").unwrap();
        Attempt::Commit(session, ())
    });
    let done = run.unwrap();
    assert_eq!((done.attempts, done.parts), (1, 1));
    assert_eq!(world.counter(b"n"), 2);
}

#[test]
fn a_part_that_wrote_nothing_is_no_part_and_can_still_be_run_again() {
    let world = World::new();
    let mut attempts = 0;
    let run = world.store.run(RunOptions::default(), |mut session| {
        attempts += 1;
        session.has(world.ns, b"n").unwrap();
        session.part().unwrap();
        session.add(world.ns, b"n", 1).unwrap();
        if attempts == 1 {
            committed(world.adding(b"n").commit());
        }
        Attempt::Commit(session, ())
    });
    let done = run.unwrap();
    assert_eq!((done.attempts, done.parts), (2, 0));
    assert_eq!(world.counter(b"n"), 2);
}

#[test]
fn a_lost_attempt_that_may_not_run_again_is_a_conflict_after_one() {
    let world = World::new();
    let options = RunOptions {
        deadline: None,
        rerun: false,
    };
    let run = world.store.run(options, |mut session| {
        session.add(world.ns, b"n", 1).unwrap();
        session.put(world.ns, b"lost", b"v").unwrap();
        committed(world.adding(b"n").commit());
        Attempt::Commit(session, ())
    });
    let error = run.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (Kind::Conflict, 1));
    assert_eq!(world.get(b"lost"), None);
}
