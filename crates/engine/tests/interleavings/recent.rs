//! Long transactions, and what the store remembers of the commits since they began.

use wasm_storage_abi::limits;
use wasm_storage_engine::Session;
use wasm_storage_engine::coordinator::hooks::Moment;

use crate::world::{World, beaten, committed, get, keys};

/// So many groups behind, a transaction tries to catch up.
const BEHIND: u32 = 1_024;

/// Commits keys that fill so much of what the store remembers of recent commits.
fn fill(world: &World, name: u8, bytes: usize) {
    let mut session = world.write();
    for n in 0..=bytes / limits::KEY_BYTES {
        let mut key = vec![name; limits::KEY_BYTES];
        key[..8].copy_from_slice(&n.to_be_bytes());
        session.delete(world.other, &key).unwrap();
    }
    committed(session.commit());
}

/// The store forgets all that was committed before.
fn forget(world: &World) {
    fill(world, 1, limits::RECENT_BYTES / 2);
    fill(world, 2, limits::RECENT_BYTES / 2);
    world.put_other(b"one more");
}

/// Many small groups, none of which any test has read.
fn fall_behind(world: &World) {
    for n in 0..BEHIND {
        world.put_other(&n.to_be_bytes());
    }
}

/// It has read `key`, and has a write of its own.
fn reading(world: &World, key: &[u8]) -> Session {
    let mut session = world.write();
    get(&mut session, world.ns, key);
    session.put(world.ns, b"of its own", b"v").unwrap();
    session
}

/// What is not remembered cannot be tested: who is older than that has lost.
pub(crate) fn older_than_what_is_remembered(world: &World) {
    let changed = reading(world, b"changed");
    let unchanged = reading(world, b"unchanged");
    let mut blind = world.putting(b"blind", b"v");
    blind.increment(world.ns, b"n", 1).unwrap();
    world.put(b"changed", b"v");
    forget(world);
    let young = reading(world, b"unchanged");
    beaten(changed.commit());
    let text = beaten(unchanged.commit());
    assert!(text.contains("remembers"), "{text}");
    committed(blind.commit());
    committed(young.commit());
}

#[test]
fn a_transaction_older_than_what_is_remembered_loses_unless_it_has_read_nothing() {
    older_than_what_is_remembered(&World::new());
}

#[test]
fn a_long_transaction_that_goes_on_reading_stays_within_what_is_remembered() {
    let world = World::new();
    let mut long = reading(&world, b"k");
    let idle = reading(&world, b"k");
    fill(&world, 1, limits::RECENT_BYTES / 2);
    fall_behind(&world);
    world.put(b"not read yet", b"new");
    assert_eq!(keys(&mut long, world.ns).len(), 2, "it sees what it missed");
    fill(&world, 2, limits::RECENT_BYTES / 2);
    committed(long.commit());
    beaten(idle.commit());
}

#[test]
fn a_transaction_catches_up_by_many_single_reads_as_well() {
    let world = World::new();
    let mut long = reading(&world, b"k");
    fall_behind(&world);
    world.put(b"l", b"new");
    let reads = |session: &mut Session| {
        for n in 0..1_000u32 {
            get(session, world.ns, &n.to_be_bytes());
        }
    };
    reads(&mut long);
    assert!(get(&mut long, world.ns, b"l").is_some());
    let mut near = reading(&world, b"k");
    world.put(b"m", b"new");
    reads(&mut near);
    assert!(
        get(&mut near, world.ns, b"m").is_none(),
        "it is not far behind"
    );
    committed(long.commit());
}

/// Two keys are always equal. A transaction that has read one of them before both
/// changed must not see the other one after that.
pub(crate) fn catching_up_keeps_reads_consistent(world: &World) {
    let mut session = world.write();
    let read = get(&mut session, world.ns, b"x");
    let mut both = world.write();
    both.put(world.ns, b"x", b"new").unwrap();
    both.put(world.ns, b"y", b"new").unwrap();
    committed(both.commit());
    fall_behind(world);
    keys(&mut session, world.other);
    assert_eq!(get(&mut session, world.ns, b"y"), read);
    session.put(world.ns, b"k", b"v").unwrap();
    beaten(session.commit());
}

#[test]
fn a_transaction_that_has_lost_already_does_not_catch_up_and_sees_one_state() {
    catching_up_keeps_reads_consistent(&World::new());
}

/// A transaction catches up with a group the moment that is visible: what the group
/// wrote must be known by then.
pub(crate) fn catching_up_with_a_group_in_flight(world: &World) {
    let mut long = reading(world, b"x");
    fall_behind(world);
    let published = world.schedule.stop_thread("writer", Moment::Published);
    let writer = world.commit("writer", world.putting(b"x", b"new"));
    published.wait_for(1);
    keys(&mut long, world.other);
    published.open();
    committed(writer.join());
    beaten(long.commit());
}

#[test]
fn catching_up_with_a_group_tests_against_it() {
    catching_up_with_a_group_in_flight(&World::new());
}

/// A reserved attempt cannot lose because the store forgets, while its second lasts.
#[test]
fn what_a_reservation_needs_is_not_forgotten() {
    let world = World::new();
    let mut session = world.reserving(&[world.ns]);
    get(&mut session, world.ns, b"k");
    session.put(world.ns, b"k", b"v").unwrap();
    forget(&world);
    committed(session.commit());
}

/// As long as a reserved attempt ran, even when its second was long over, nothing was
/// forgotten: one call without a deadline, and the store's memory grew for ever.
#[test]
fn a_reservation_that_is_over_keeps_nothing_from_being_forgotten() {
    let world = World::new();
    let idle = reading(&world, b"k");
    let mut session = world.reserving(&[world.ns]);
    get(&mut session, world.ns, b"k");
    let second = std::time::Duration::from_millis(limits::RESERVATION_MS);
    world.schedule.advance(second);
    forget(&world);
    beaten(idle.commit());
    drop(session);
}
