//! What was read conflicts with what others write, and nothing else does: with
//! commits that are visible, and with members of the same group.

use std::ops::Bound::{Excluded, Included, Unbounded};

use wasm_storage_engine::{NamespaceId, Order, Outcome, Session};

use crate::world::{World, beaten, committed, get, keys, scan};

/// What one session does; the second namespace is another one.
type Act = fn(&mut Session, NamespaceId, NamespaceId);

/// A session reads, another one writes and commits first: in a group before, or as
/// the member before it in one group. Whether the reader loses, the same both times.
fn conflicts(world: &World, read: Act, write: Act) -> bool {
    let lost = |outcome| match outcome {
        Outcome::Committed(Some(_)) => false,
        outcome => {
            beaten(outcome);
            true
        }
    };
    let [grouped, published] = [true, false].map(|grouped| {
        stock(world);
        let mut reader = world.write();
        read(&mut reader, world.ns, world.other);
        reader.put(world.other, b"of the reader", b"v").unwrap();
        let mut writer = world.write();
        write(&mut writer, world.ns, world.other);
        if grouped {
            let door = world.door();
            let writer = world.commit("writer", writer);
            let reader = world.commit("reader", reader);
            door.open();
            committed(writer.join());
            lost(reader.join())
        } else {
            committed(writer.commit());
            lost(reader.commit())
        }
    });
    assert_eq!(grouped, published, "in one group as one after the other");
    grouped
}

/// The namespace holds `b`, `d`, `f` and nothing else.
fn stock(world: &World) {
    let mut session = world.write();
    for key in keys(&mut session, world.ns) {
        session.delete(world.ns, &key).unwrap();
    }
    for key in [b"b", b"d", b"f"] {
        session.put(world.ns, key, b"stored").unwrap();
    }
    committed(session.commit());
}

fn stocked() -> World {
    let world = World::new();
    stock(&world);
    world
}

fn put<const KEY: u8>(session: &mut Session, ns: NamespaceId, _: NamespaceId) {
    session.put(ns, &[KEY], b"new").unwrap();
}

fn delete<const KEY: u8>(session: &mut Session, ns: NamespaceId, _: NamespaceId) {
    session.delete(ns, &[KEY]).unwrap();
}

fn get_d(session: &mut Session, ns: NamespaceId, _: NamespaceId) {
    get(session, ns, b"d");
}

fn first_two(session: &mut Session, ns: NamespaceId, _: NamespaceId) {
    let seen = scan(session, ns, (Included(b"b"), Unbounded), Order::Forward, 2);
    assert_eq!(seen, [b"b", b"d"]);
}

/// A page that stopped early has read up to the last key it showed, not beyond.
pub(crate) fn a_page_forward(world: &World) {
    assert!(
        !conflicts(world, first_two, put::<b'a'>),
        "before the range"
    );
    assert!(conflicts(world, first_two, put::<b'c'>), "between");
    assert!(
        conflicts(world, first_two, put::<b'd'>),
        "the last one shown"
    );
    assert!(
        conflicts(world, first_two, delete::<b'd'>),
        "the last one shown"
    );
    assert!(!conflicts(world, first_two, put::<b'e'>), "after it");
    assert!(!conflicts(world, first_two, delete::<b'f'>), "after it");
}

#[test]
fn a_page_has_read_up_to_the_last_key_shown() {
    a_page_forward(&World::new());
}

#[test]
fn a_page_in_reverse_has_read_down_to_the_last_key_shown() {
    let read: Act = |session, ns, _| {
        let seen = scan(session, ns, (Unbounded, Excluded(b"x")), Order::Reverse, 2);
        assert_eq!(seen.last().unwrap(), b"d");
    };
    let world = stocked();
    assert!(!conflicts(&world, read, put::<b'x'>), "outside the range");
    assert!(!conflicts(&world, read, put::<b'c'>), "beyond the last one");
    assert!(
        !conflicts(&world, read, delete::<b'b'>),
        "beyond the last one"
    );
    assert!(conflicts(&world, read, put::<b'd'>), "the last one shown");
    assert!(conflicts(&World::new(), read, put::<b'e'>), "between");
    assert!(
        conflicts(&World::new(), read, put::<b'g'>),
        "before the first one shown"
    );
    assert!(
        conflicts(&World::new(), read, delete::<b'f'>),
        "one that was shown"
    );
}

#[test]
fn the_pages_of_a_scan_have_read_what_lies_between_them() {
    let read: Act = |session, ns, _| {
        scan(session, ns, (Unbounded, Unbounded), Order::Forward, 1);
        scan(session, ns, (Excluded(b"b"), Unbounded), Order::Forward, 1);
    };
    for (write, lost) in [
        (put::<b'a'> as Act, true),
        (put::<b'c'>, true),
        (put::<b'e'>, false),
    ] {
        assert_eq!(conflicts(&World::new(), read, write), lost);
    }
}

#[test]
fn whoever_has_seen_the_end_of_a_range_has_read_all_of_it() {
    let count: Act = |session, ns, _| {
        keys(session, ns);
    };
    let all_writes: [Act; 5] = [
        |session, ns, _| session.put(ns, b"", b"before all").unwrap(),
        put::<b'c'>,
        |session, ns, _| session.put(ns, &[0xff; 9], b"after all").unwrap(),
        delete::<b'b'>,
        |session, ns, _| session.increment(ns, b"n", 1).unwrap(),
    ];
    for write in all_writes {
        assert!(conflicts(&World::new(), count, write));
    }
    let elsewhere: Act = |session, _, other| {
        session.put(other, b"", b"").unwrap();
        session.put(other, &[0xff; 9], b"").unwrap();
    };
    assert!(!conflicts(&World::new(), count, elsewhere));
}

#[test]
fn an_empty_range_has_been_read_as_well() {
    let nothing: Act = |session, ns, _| {
        for order in [Order::Forward, Order::Reverse] {
            let range = (Excluded(&b"f"[..]), Excluded(&b"x"[..]));
            assert!(scan(session, ns, range, order, 9).is_empty());
        }
    };
    assert!(conflicts(&World::new(), nothing, put::<b'g'>), "a phantom");
    assert!(!conflicts(&World::new(), nothing, put::<b'f'>));
    assert!(!conflicts(&World::new(), nothing, put::<b'x'>));
    let no_range: Act = |session, ns, _| {
        scan(
            session,
            ns,
            (Included(b"z"), Excluded(b"a")),
            Order::Forward,
            9,
        );
    };
    assert!(!conflicts(&World::new(), no_range, put::<b'c'>));
}

#[test]
fn a_key_has_been_read_whether_it_was_there_or_not() {
    assert!(conflicts(&World::new(), get_d, put::<b'd'>));
    assert!(conflicts(&World::new(), get_d, delete::<b'd'>));
    assert!(!conflicts(&World::new(), get_d, put::<b'c'>));
    let absent: Act = |session, ns, _| assert_eq!(session.has(ns, b"c").unwrap(), None);
    assert!(conflicts(&World::new(), absent, put::<b'c'>));
    let same_key_elsewhere: Act = |session, _, other| session.put(other, b"d", b"").unwrap();
    assert!(!conflicts(&World::new(), get_d, same_key_elsewhere));
}

#[test]
fn one_key_of_many_that_were_read_is_enough() {
    let many: Act = |session, ns, _| {
        for n in 0..500u16 {
            get(session, ns, &n.to_be_bytes());
        }
    };
    let one: Act = |session, ns, _| session.put(ns, &300u16.to_be_bytes(), b"").unwrap();
    let none: Act = |session, ns, _| session.put(ns, &500u16.to_be_bytes(), b"").unwrap();
    let one_of_many: Act = |session, ns, _| {
        for n in 499..1_500u16 {
            session.put(ns, &n.to_be_bytes(), b"").unwrap();
        }
    };
    assert!(conflicts(&World::new(), many, one));
    assert!(!conflicts(&World::new(), many, none));
    assert!(conflicts(&World::new(), many, one_of_many));
}

#[test]
fn an_own_write_that_is_read_is_no_read_of_the_store() {
    let own: Act = |session, ns, _| {
        session.put(ns, b"d", b"own").unwrap();
        get(session, ns, b"d");
        session.delete(ns, b"b").unwrap();
        assert_eq!(get(session, ns, b"b"), None);
    };
    assert!(!conflicts(&World::new(), own, put::<b'd'>));
    assert!(!conflicts(&World::new(), own, put::<b'b'>));
    let own_seen_by_a_scan: Act = |session, ns, _| {
        session.put(ns, b"c", b"own").unwrap();
        scan(session, ns, (Unbounded, Excluded(b"d")), Order::Forward, 9);
    };
    assert!(
        conflicts(&World::new(), own_seen_by_a_scan, put::<b'c'>),
        "it hides what is stored"
    );
}

#[test]
fn rolling_back_to_a_savepoint_undoes_writes_and_not_reads() {
    let undone: Act = |session, ns, _| {
        let savepoint = session.savepoint().unwrap();
        session.add(ns, b"n", 1).unwrap();
        session.rollback_to(savepoint).unwrap();
    };
    let add: Act = |session, ns, _| session.increment(ns, b"n", 1).unwrap();
    assert!(conflicts(&World::new(), undone, add));
}

#[test]
fn reading_an_own_blind_addition_reads_what_it_is_added_to() {
    let read: Act = |session, ns, _| {
        session.increment(ns, b"n", 1).unwrap();
        get(session, ns, b"n").unwrap();
    };
    let add: Act = |session, ns, _| session.increment(ns, b"n", 1).unwrap();
    assert!(conflicts(&World::new(), read, add));
    let blind: Act = |session, ns, _| session.increment(ns, b"n", 1).unwrap();
    assert!(!conflicts(&World::new(), blind, add));
}

/// Each reads what the other writes; one after the other they would not both do it.
#[test]
fn of_two_that_read_what_the_other_writes_one_loses() {
    let world = stocked();
    let [mut a, mut b] = [world.write(), world.write()];
    get(&mut a, world.ns, b"b");
    a.put(world.ns, b"d", b"a").unwrap();
    get(&mut b, world.ns, b"d");
    b.put(world.ns, b"b", b"b").unwrap();
    let door = world.door();
    let (a, b) = (world.commit("a", a), world.commit("b", b));
    door.open();
    committed(a.join());
    beaten(b.join());
    assert_eq!(world.get(b"b").as_deref(), Some(&b"stored"[..]));
}

#[test]
fn who_only_reads_never_loses() {
    let world = stocked();
    let mut reader = world.write();
    keys(&mut reader, world.ns);
    world.put(b"d", b"new");
    assert_eq!(
        get(&mut reader, world.ns, b"d").as_deref(),
        Some(&b"stored"[..])
    );
    assert!(matches!(reader.commit(), Outcome::Committed(None)));
}
