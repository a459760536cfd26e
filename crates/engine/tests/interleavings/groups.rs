//! Who is in a group with whom, who loses, who is told when.

use wasm_storage_abi::limits;
use wasm_storage_engine::coordinator::hooks::Moment;
use wasm_storage_engine::layout;
use wasm_storage_testkit::schedule::Task;

use crate::world::{World, beaten, committed};

/// The members of a group all ran on snapshots without the group's own writes; tested
/// against published commits only, both increments of one group would pass.
pub(crate) fn two_increments_in_one_group(world: &World) {
    let door = world.door();
    let first = world.run_add("first", b"n");
    let second = world.run_add("second", b"n");
    door.open();
    let (first, second) = (first.join().unwrap(), second.join().unwrap());
    assert_eq!((first.value, first.attempts), (1, 1));
    assert_eq!((second.value, second.attempts), (2, 2), "it ran again");
    assert_eq!(world.counter(b"n"), 2);
}

#[test]
fn of_two_increments_in_one_group_one_wins_and_the_other_runs_again() {
    two_increments_in_one_group(&World::new());
}

/// Woken at once, the loser would run on the same old snapshot and lose again, and
/// burn its attempts within one sync of the disk.
pub(crate) fn a_loser_waits_for_its_winner(world: &World) {
    let door = world.door();
    let durable = world.schedule.stop_thread("first", Moment::Applied);
    let first = world.run_add("first", b"n");
    let second = world.run_add("second", b"n");
    let (told, entered) = (world.schedule.count(Moment::Told), world.entered());
    door.open();
    durable.wait_for(1);
    if world.schedule.count(Moment::Told) > told + 1 {
        // It has been told although its winner is not visible: it runs again now.
        world.schedule.wait_until(Moment::Enqueued, entered + 1);
    }
    durable.open();
    assert_eq!(first.join().unwrap().attempts, 1);
    assert_eq!(second.join().unwrap().attempts, 2);
}

#[test]
fn a_loser_inside_a_group_is_not_woken_before_its_winner_is_visible() {
    a_loser_waits_for_its_winner(&World::new());
}

/// The conflict check knew a group's writes a moment before they were visible: who
/// committed in between lost to what it could not see, ran again on the same old
/// snapshot, and had lost three times before anything could change.
#[test]
fn nobody_loses_to_what_is_not_visible_yet() {
    let world = World::new();
    let mut late = world.adding(b"n");
    let recorded = world.schedule.stop_thread("first", Moment::Recorded);
    let first = world.run_add("first", b"n");
    recorded.wait_for(1);
    let second = world.run_add("second", b"n");
    late.put(world.ns, b"k", b"v").unwrap();
    let late = world.commit("late", late);
    recorded.open();
    assert_eq!(first.join().unwrap().attempts, 1);
    assert_eq!(second.join().unwrap().attempts, 2);
    beaten(late.join());
}

#[test]
fn who_lost_to_a_visible_commit_is_told_before_its_group_is_durable() {
    let world = World::new();
    let reader = world.adding(b"n");
    // The group before writes what the reader has read.
    let collected = world.schedule.stop_thread("winner", Moment::Collected);
    let winner = world.commit("winner", world.adding(b"n"));
    collected.wait_for(1);
    let durable = world.schedule.stop_thread("first", Moment::Decided);
    let first = world.commit("first", world.putting(b"k", b"v"));
    let reader = world.commit("reader", reader);
    collected.open();
    durable.wait_for(1);
    let text = beaten(reader.join());
    assert!(text.contains(r#""n""#), "{text}");
    durable.open();
    committed(winner.join());
    committed(first.join());
}

#[test]
fn members_that_do_not_meet_share_a_group_and_its_commit() {
    let world = World::new();
    let door = world.door();
    let applies = world.faults.applies();
    let members: Vec<_> = ["a", "b", "c"]
        .map(|key| world.commit(key, world.adding(key.as_bytes())))
        .into();
    door.open();
    let ids: Vec<_> = members.into_iter().map(|m| committed(m.join())).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // The door's apply is counted when it is held no longer.
    assert_eq!(world.faults.applies(), applies + 2);
}

#[test]
fn a_group_has_256_members_and_the_257th_is_in_the_next() {
    let world = World::new();
    let door = world.door();
    let members: Vec<_> = (0..=limits::GROUP_COMMITS)
        .map(|n| world.commit("member", world.putting(&n.to_be_bytes(), b"v")))
        .collect();
    door.open();
    let ids: Vec<_> = members.into_iter().map(|m| committed(m.join())).collect();
    let (last, group) = ids.split_last().unwrap();
    assert!(group.iter().all(|id| *id == group[0]));
    assert_eq!(last.0, group[0].0 + 1);
}

/// Commits values of these lengths one after the other, all waiting together; which
/// group each was in, from 0.
fn groups_of(lengths: &[usize]) -> Vec<u128> {
    let world = World::new();
    let door = world.door();
    let members: Vec<Task<_>> = lengths
        .iter()
        .zip(0u8..)
        .map(|(length, key)| world.commit("member", world.putting(&[key], &vec![b'v'; *length])))
        .collect();
    door.open();
    let ids: Vec<_> = members.into_iter().map(|m| committed(m.join())).collect();
    ids.iter().map(|id| id.0 - ids[0].0).collect()
}

#[test]
fn a_group_has_8_mib_and_a_larger_commit_goes_alone() {
    let around = layout::KEY_PREFIX_BYTES + 1 + layout::VALUE_HEADER_BYTES + layout::RECORDS_BYTES;
    let half = limits::GROUP_BYTES / 2 - around;
    assert_eq!(groups_of(&[half, half]), [0, 0], "at the limit");
    assert_eq!(groups_of(&[half, half + 1]), [0, 1], "one byte more");
    let over = limits::GROUP_BYTES + 1;
    assert_eq!(groups_of(&[10, over, 10, 10]), [0, 1, 2, 2]);
    assert_eq!(groups_of(&[over, over]), [0, 1]);
}

/// Of one group, each member sees what the ones before it wrote, as far as it
/// matters: the last writer of a key wins, and additions add up.
#[test]
fn within_a_group_members_take_effect_in_the_order_of_their_entering() {
    let world = World::new();
    world.put(b"k", b"before");
    let door = world.door();
    let mut members = Vec::new();
    for value in [&b"1"[..], b"2", b"3"] {
        members.push(world.commit("put", world.putting(b"k", value)));
    }
    let mut deleting = world.write();
    deleting.delete(world.ns, b"gone").unwrap();
    members.push(world.commit("put gone", world.putting(b"gone", b"v")));
    members.push(world.commit("delete gone", deleting));
    door.open();
    let ids: Vec<_> = members.into_iter().map(|m| committed(m.join())).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(world.get(b"k").as_deref(), Some(&b"3"[..]));
    assert_eq!(world.get(b"gone"), None);
}
