//! Parts of a long call, and calls that are run again.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;

use rust_storage_interface_library::testing::{Failure, Host};
use rust_storage_interface_library::{self as storage, Counter, Error, Item, Kind, Map, store};

static STOCK: Map<&str, u32> = Map::new("stock");
static VISITS: Counter = Counter::new("visits");
static TEXT: Item<String> = Item::new("text");

type Result<T> = std::result::Result<T, Error>;

fn host() -> Host {
    Host::new().grant_parts()
}

/// A part with one write.
fn put(key: &str) -> Result<()> {
    storage::part(|| STOCK.put(key, &1))
}

fn stored(host: &Host, key: &str) -> Option<u32> {
    host.invoke(|| STOCK.get(key)).unwrap().unwrap()
}

#[test]
fn parts_stay_however_the_call_fails_and_the_caller_is_told_how_many() {
    fn parts() {
        put("a").unwrap();
        put("b").unwrap();
        STOCK.put("rest", &1).unwrap();
    }
    let failing: [fn(&Host) -> Failure; 4] = [
        |host| {
            let panics = host.invoke(|| {
                parts();
                panic!("out of ideas")
            });
            panics.unwrap_err()
        },
        |host| {
            let aborts = host.invoke(|| {
                parts();
                storage::abort("out of ideas")
            });
            aborts.unwrap_err()
        },
        |host| {
            let fails = host.call(b"", || {
                parts();
                storage::fail("out of ideas")
            });
            fails.unwrap_err()
        },
        |host| {
            let answers = host.try_invoke(|| {
                parts();
                Err::<(), _>("out of ideas")
            });
            answers.unwrap_err()
        },
    ];
    for failing in failing {
        let host = host();
        let failure = failing(&host);
        assert_eq!((failure.parts(), failure.kind()), (2, None));
        let text = failure.to_string();
        assert!(
            text.ends_with("out of ideas; 2 parts of the call stay"),
            "{text}"
        );
        assert_eq!(stored(&host, "b"), Some(1));
        assert_eq!(stored(&host, "rest"), None);
    }
}

#[test]
fn a_part_is_denied_where_the_host_does_not_grant_it_and_its_work_does_not_run() {
    let host = Host::new();
    let failure = host
        .try_invoke(|| storage::part(|| -> Result<()> { unreachable!("it is denied") }))
        .unwrap_err();
    assert_eq!(
        failure.to_string(),
        "part: commit: the host does not grant ending a part of a call"
    );
    host.invoke(|| {
        STOCK.put("before", &1).unwrap();
        assert_eq!(put("a").unwrap_err().kind(), Kind::Denied);
    })
    .unwrap();
    assert_eq!(stored(&host, "before"), Some(1), "the call went on");
    assert_eq!(stored(&host, "a"), None);
}

#[test]
fn there_is_no_part_in_an_attempt_or_in_another_part() {
    let host = host();
    let text = "part: a part cannot end while a savepoint is open";
    type Work = fn() -> Result<()>;
    let outer: [fn(Work) -> Result<()>; 2] =
        [|work| storage::attempt(work), |work| storage::part(work)];
    for outer in outer {
        let failure = host
            .try_invoke(|| {
                outer(|| {
                    STOCK.put("outer", &1)?;
                    storage::part(|| unreachable!("it is refused"))
                })
            })
            .unwrap_err();
        assert_eq!(failure.to_string(), text);
        assert_eq!(stored(&host, "outer"), None);
    }
}

#[test]
fn what_a_part_wrote_is_undone_if_it_fails_and_the_call_goes_on() {
    let host = host();
    host.invoke(|| {
        put("a").unwrap();
        let failed: Result<()> = storage::part(|| {
            STOCK.put("undone", &1)?;
            STOCK.delete("a")?;
            STOCK.require("missing").map(drop)
        });
        assert_eq!(failed.unwrap_err().kind(), Kind::NotFound);
        assert_eq!(STOCK.get("undone").unwrap(), None);
        put("b").unwrap();
    })
    .unwrap();
    assert_eq!(
        host.dump(),
        "\"stock\" key \"a\" u32 1\n\"stock\" key \"b\" u32 1\n"
    );
    // An error of the program's own, and no part.
    let result: std::result::Result<(), Failure> = host.try_invoke(|| {
        storage::part(|| {
            STOCK.put("undone", &1)?;
            Err(Sold(None))
        })
    });
    let failure = result.unwrap_err();
    assert_eq!((failure.to_string().as_str(), failure.parts()), ("sold", 0));
}

struct Sold(Option<Error>);

impl From<Error> for Sold {
    fn from(error: Error) -> Self {
        Sold(Some(error))
    }
}

impl std::fmt::Display for Sold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("sold"),
            Some(error) => error.fmt(f),
        }
    }
}

#[test]
fn the_first_part_that_lost_runs_the_whole_call_again_and_a_later_one_itself() {
    let host = host();
    let (calls, first, second) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    host.fail_next_commit(Kind::Conflict);
    host.try_invoke(|| {
        count(&calls);
        storage::part(|| {
            count(&first);
            VISITS.add(1)
        })?;
        for _ in 0..3 {
            host.fail_next_commit(Kind::Conflict);
        }
        storage::part(|| {
            count(&second);
            VISITS.add(10)
        })
    })
    .unwrap();
    assert_eq!((calls.get(), first.get(), second.get()), (2, 2, 4));
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), 11);
}

/// Writes outside of parts were lost with the part that followed them, in silence:
/// they cannot be done again with it.
#[test]
fn what_was_written_before_a_part_is_a_part_of_its_own_and_its_loss_is_an_error() {
    let host = host();
    let failure = host
        .try_invoke(|| {
            STOCK.put("before", &1)?;
            put("a")?;
            STOCK.put("between", &1)?;
            host.fail_next_commit(Kind::Conflict);
            storage::part(|| -> Result<()> { unreachable!("it would be without `between`") })
        })
        .unwrap_err();
    assert!(failure.to_string().starts_with("part: "), "{failure}");
    assert!(
        failure.to_string().ends_with("; 2 parts of the call stay"),
        "{failure}"
    );
    assert_eq!(stored(&host, "before"), Some(1));
    assert_eq!(stored(&host, "a"), Some(1));
    assert_eq!(stored(&host, "between"), None);
}

#[test]
fn the_end_that_lost_after_a_part_is_a_conflict_and_is_not_run_again() {
    let host = host();
    let mut runs = 0;
    let failure = host
        .try_invoke(|| {
            runs += 1;
            put("a")?;
            host.fail_next_commit(Kind::Conflict);
            STOCK.put("rest", &1)
        })
        .unwrap_err();
    assert_eq!(runs, 1);
    assert_eq!((failure.kind(), failure.parts()), (Some(Kind::Conflict), 1));
    assert_eq!(stored(&host, "rest"), None);
}

#[test]
fn after_a_part_of_unknown_outcome_every_operation_says_so_and_the_caller_too() {
    let host = host();
    let failure = host
        .invoke(|| {
            put("a").unwrap();
            host.fail_next_commit(Kind::UnknownOutcome);
            assert_eq!(put("b").unwrap_err().kind(), Kind::UnknownOutcome);
            let later = [
                STOCK.put("c", &1).unwrap_err(),
                STOCK.get("a").unwrap_err(),
                VISITS.increment(1).unwrap_err(),
                put("c").unwrap_err(),
            ];
            assert!(later.iter().all(|e| e.kind() == Kind::UnknownOutcome));
        })
        .unwrap_err();
    assert_eq!(failure.kind(), Some(Kind::UnknownOutcome));
    assert_eq!(failure.parts(), 1);
    let text = failure.to_string();
    assert!(text.contains("may or may not have happened"), "{text}");
}

#[test]
fn a_part_that_the_store_refuses_is_undone_and_the_call_goes_on() {
    let host = host();
    host.invoke(|| {
        TEXT.put("no number").unwrap();
    })
    .unwrap();
    static TEXT_AS_COUNTER: Counter = Counter::new("text");
    host.invoke(|| {
        put("a").unwrap();
        host.fail_next_commit(Kind::TooLarge);
        assert_eq!(put("b").unwrap_err().kind(), Kind::TooLarge);
        let mixed = storage::part(|| {
            STOCK.put("b", &1)?;
            TEXT_AS_COUNTER.increment(1)
        });
        let error: Error = mixed.unwrap_err();
        assert_eq!(error.kind(), Kind::TypeMismatch);
        assert!(error.to_string().contains("text"), "{error}");
        put("c").unwrap();
    })
    .unwrap();
    assert_eq!(stored(&host, "b"), None);
    assert_eq!(stored(&host, "c"), Some(1));
}

#[test]
fn a_part_is_four_host_calls_and_three_more_for_each_loss() {
    let host = host();
    host.invoke(|| {
        host.assert_calls(5, || put("a").unwrap());
        host.fail_next_commit(Kind::Conflict);
        host.fail_next_commit(Kind::Conflict);
        host.assert_calls(5 + 2 * (3 + 1), || put("a").unwrap());
        host.assert_calls(4, || storage::part(|| Err::<(), _>(Sold(None))).is_err());
    })
    .unwrap();
}

#[test]
fn an_increment_that_cannot_be_made_fails_where_it_stands_when_the_call_is_run_again() {
    let host = Host::new();
    host.invoke(|| VISITS.set(i64::MAX)).unwrap().unwrap();
    let mut seen = Vec::new();
    host.invoke(|| seen.push(VISITS.increment(1).map_err(|error| error.kind())))
        .unwrap();
    assert_eq!(seen, [Ok(()), Err(Kind::Overflow)]);
}

/// The value of an attempt that lost was answered if the next one had none.
#[test]
fn nothing_of_a_lost_attempt_is_answered() {
    let host = Host::new();
    host.fail_next_commit(Kind::Conflict);
    let mut runs = 0;
    let failure = host
        .invoke(|| {
            runs += 1;
            let key = store::store_single_i32(runs);
            if runs == 2 {
                storage::finish(b"");
                panic!("afterwards");
            }
            key
        })
        .unwrap_err();
    assert!(failure.to_string().contains("committed"), "{failure}");

    host.fail_next_commit(Kind::Conflict);
    let mut runs = 0;
    let result = host.call(b"input", || {
        runs += 1;
        store::store_single_i32(1);
        assert_eq!(storage::input(), b"input");
        if runs == 1 {
            storage::finish(b"lost")
        } else {
            0
        }
    });
    assert_eq!((result.unwrap(), runs), (vec![], 2));
}

#[test]
fn a_commit_that_is_told_to_fail_fails_once_and_only_if_it_writes() {
    for kind in [Kind::Unavailable, Kind::Io, Kind::UnknownOutcome] {
        let host = Host::new();
        host.fail_next_commit(kind);
        host.invoke(|| STOCK.get("a")).unwrap().unwrap();
        let failure = host.try_invoke(|| STOCK.put("a", &1)).unwrap_err();
        assert_eq!(failure.kind(), Some(kind));
        assert_eq!(stored(&host, "a"), None);
        host.try_invoke(|| STOCK.put("a", &1)).unwrap();
    }
    let host = Host::new().without_rerun();
    host.fail_next_commit(Kind::Conflict);
    let mut runs = 0;
    let failure = host
        .try_invoke(|| {
            runs += 1;
            STOCK.put("a", &1)
        })
        .unwrap_err();
    assert_eq!((failure.kind(), runs), (Some(Kind::Conflict), 1));
}
