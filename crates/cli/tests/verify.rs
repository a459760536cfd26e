//! `verify`: a store in order, a marked one, a damaged one; on both engines.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

use common::Place;

const STORES: [(&str, &str); 2] = [
    ("fjall:store", "store/NEEDS_CHECK"),
    ("redb:store", "store.needs-check"),
];

#[test]
fn a_store_in_order_is_counted_and_nothing_is_made() {
    let place = Place::new();
    for (store, _) in STORES {
        let missing = place.cli(["verify", "--store", store]);
        missing.failure(3, &["no store at", "store"]);
    }
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 0);

    place
        .run("counter", &["increment", "--store", "fjall:store"])
        .success();
    let report = place.cli(["verify", "--store", "fjall:store"]).success();
    assert!(report.contains("in order, "), "{report}");
    // Format, system record, openings, catalog, next namespace, and the counter.
    assert!(report.contains(" 6 entries, "), "{report}");
    assert!(report.contains("last commit 1"), "{report}");
}

#[test]
fn a_marked_store_is_refused_until_the_mark_is_accepted() {
    for (store, mark) in STORES {
        let place = Place::new();
        let at = ["--store", store];
        let increment = || place.run("counter", &["increment", "--store", store]);
        assert_eq!(increment().success(), "1\n");
        fs::write(place.path(mark), "a sync failed").unwrap();

        increment().failure(3, &["store", "verify --accept"]);
        let looked = place.cli([&["verify"], &at[..]].concat()).success();
        assert!(looked.contains("marked for a check"), "{looked}");
        assert!(looked.contains("a sync failed"), "{looked}");
        increment().failure(3, &["verify --accept"]);

        let accepted = place
            .cli([&["verify", "--accept"], &at[..]].concat())
            .success();
        assert!(accepted.contains("no longer marked"), "{accepted}");
        assert_eq!(increment().success(), "2\n", "{store}");
    }
}

#[test]
fn damage_before_whole_commits_is_refused_and_can_be_given_up() {
    let place = Place::new();
    let increment = || place.run("counter", &["increment", "--store", "fjall:store"]);
    for count in 1..=3 {
        assert_eq!(increment().success(), format!("{count}\n"));
    }
    // The first bytes of the journal: the commit that made the store.
    let mut journal = OpenOptions::new()
        .write(true)
        .open(place.path("store/0.jnl"))
        .unwrap();
    journal.seek(SeekFrom::Start(20)).unwrap();
    journal.write_all(b"\xff\xff\xff\xff").unwrap();
    drop(journal);

    increment().failure(3, &["store", "--discard-damaged"]);
    let looked = place.cli(["verify", "--store", "fjall:store"]);
    looked.failure(3, &["store", "--discard-damaged"]);
    let given_up = place.cli(["verify", "--discard-damaged", "--store", "fjall:store"]);
    given_up.success_saying("note", &["store"]);
    assert_eq!(increment().success(), "1\n", "all was behind the damage");
}

#[test]
fn the_two_ways_out_are_not_taken_together() {
    let place = Place::new();
    place
        .cli(["verify", "--accept", "--discard-damaged"])
        .misuse(&["cannot be used with"]);
}
