//! The call as a whole: commit and rollback, input and result, parts that are
//! undone; and the `Host` of tests itself.

use std::panic::catch_unwind;

use rust_storage_interface_library::testing::Host;
use rust_storage_interface_library::{
    self as storage, Counter, Error, Item, Kind, Map, load, store,
};

static STOCK: Map<&str, u32> = Map::new("stock");
static VISITS: Counter = Counter::new("visits");

#[test]
fn a_call_that_returns_is_committed() {
    let host = Host::new();
    let key = host.invoke(|| store::store_string("kept")).unwrap();
    assert_eq!(host.invoke(|| load::load_string(key)).unwrap(), "kept");
}

#[test]
fn a_call_that_panics_aborts_or_fails_leaves_nothing() {
    let host = Host::new();
    let write = || STOCK.put("k", &1).unwrap();
    let texts = [
        host.invoke(|| {
            write();
            panic!("{}", "out of paper")
        }),
        host.invoke(|| {
            write();
            storage::abort("no such customer")
        }),
        host.invoke(|| {
            write();
            storage::fail("sold out");
        }),
        host.invoke(|| {
            write();
            load::load_string(77);
        }),
        host.try_invoke(|| {
            write();
            STOCK.require("other").map(drop)
        }),
    ]
    .map(|result| result.unwrap_err().to_string());
    assert_eq!(
        texts,
        [
            "panicked: out of paper",
            "no such customer",
            "sold out",
            "load_string: key 77 holds nothing",
            r#"Map::require: "stock" key "other" holds nothing"#,
        ]
    );
    assert_eq!(host.dump(), "");
}

#[test]
fn input_goes_in_and_the_result_comes_out() {
    fn shout() -> i32 {
        VISITS.increment(1).unwrap();
        storage::finish(storage::input_text().to_uppercase().as_bytes())
    }
    let host = Host::new();
    for len in [0, 1, 256, 257, 100_000] {
        let text = "x".repeat(len);
        let result = host.call(text.as_bytes(), shout).unwrap();
        assert_eq!(result, text.to_uppercase().as_bytes());
    }
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), 5);
    let failure = host.call(b"\xff", shout).unwrap_err();
    assert_eq!(failure.to_string(), "input_text: the input is not UTF-8");
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), 5);
    assert_eq!(host.call(b"", || 0).unwrap(), b"");
    assert_eq!(host.invoke(storage::input).unwrap(), b"");
}

#[test]
fn after_finish_storage_functions_trap_and_the_result_stays() {
    let host = Host::new();
    let result = host.call(b"", || {
        STOCK.put("k", &1).unwrap();
        let status = storage::finish(b"done");
        let _ = STOCK.put("k", &2);
        status
    });
    assert_eq!(result.unwrap(), b"done");
    assert_eq!(host.invoke(|| STOCK.get("k")).unwrap().unwrap(), Some(1));
}

#[test]
fn what_an_attempt_wrote_is_undone_if_it_fails() {
    let host = Host::new();
    host.invoke(|| {
        STOCK.put("before", &1).unwrap();
        let result: Result<(), Error> = storage::attempt(|| {
            STOCK.put("inside", &1)?;
            STOCK.delete("before")?;
            VISITS.increment(1)?;
            storage::attempt(|| STOCK.put("inner", &1))?;
            STOCK.require("missing").map(drop)
        });
        assert_eq!(result.unwrap_err().kind(), Kind::NotFound);
        let kept: Result<u32, Error> = storage::attempt(|| {
            let undone: Result<(), MyError> = storage::attempt(|| {
                STOCK.put("inner", &1)?;
                Err(MyError::Sold)
            });
            assert!(matches!(undone, Err(MyError::Sold)));
            STOCK.put("kept", &1)?;
            Ok(7)
        });
        assert_eq!(kept.unwrap(), 7);
    })
    .unwrap();
    assert_eq!(
        host.dump(),
        "\"stock\" key \"before\" u32 1\n\"stock\" key \"kept\" u32 1\n"
    );
    host.assert_calls(2, || storage::attempt(|| Ok::<(), Error>(())).unwrap());
    host.assert_calls(3, || {
        storage::attempt(|| Err::<(), MyError>(MyError::Sold)).is_err()
    });
}

#[derive(Debug)]
enum MyError {
    Sold,
    Storage(Error),
}

impl From<Error> for MyError {
    fn from(error: Error) -> Self {
        MyError::Storage(error)
    }
}

#[test]
fn attempts_nest_to_the_limit_and_no_deeper() {
    fn nested(depth: u32) -> Result<u32, MyError> {
        storage::attempt(|| match depth {
            0 => Ok(0),
            _ => nested(depth - 1).map(|n| n + 1),
        })
    }
    assert_eq!(nested(63).unwrap(), 63);
    match nested(64) {
        Err(MyError::Storage(error)) => assert_eq!(error.kind(), Kind::TooLarge),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_shows_what_is_stored() {
    static CONFIG: Item<String> = Item::new("config");
    let host = Host::new();
    host.invoke(|| {
        CONFIG.put("text").unwrap();
        STOCK.put("sku-1", &3).unwrap();
        store::store_at(("a", -1), &[1_i16, 2][..]);
        store::store_single_bool(true)
    })
    .unwrap();
    assert_eq!(
        host.dump(),
        "key 1 bool true\n\
         key \"\\x01a\\x00\\x00\\x04\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff\" i16[2] 1 2\n\
         \"config\" string \"text\"\n\
         \"stock\" key \"sku-1\" u32 3\n"
    );
}

#[test]
fn each_host_has_a_store_of_its_own() {
    let (one, other) = (Host::new(), Host::new());
    one.invoke(|| STOCK.put("k", &1)).unwrap().unwrap();
    assert_eq!(other.invoke(|| STOCK.get("k")).unwrap().unwrap(), None);
}

#[test]
fn misuse_of_a_host_is_a_panic_that_says_so() {
    fn text(program: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = catch_unwind(program).unwrap_err();
        match payload.downcast::<String>() {
            Ok(text) => *text,
            Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
        }
    }
    let outside = text(|| {
        let _host = Host::new();
        let _ = STOCK.get("k");
    });
    assert_eq!(outside, "get: no invocation; call it inside `Host::invoke`");
    let twice = text(|| {
        let host = Host::new();
        let inner = host.invoke(|| host.invoke(|| ()).is_ok());
        panic!("{}", inner.unwrap_err());
    });
    assert!(
        twice.contains("an invocation is running on this thread already"),
        "{twice}"
    );
    let count = text(|| {
        let host = Host::new();
        host.assert_calls(2, || VISITS.get().unwrap());
    });
    assert_eq!(count, "1 host calls, expected 2");
    // Without a host, what ends the call is a panic with its text.
    let alone = text(|| {
        load::load_single_i32(4);
    });
    assert_eq!(alone, "load_single_i32: key 4 holds nothing");
}

#[test]
fn calls_are_counted_inside_an_invocation_too() {
    let host = Host::new();
    host.invoke(|| {
        STOCK.put("a", &1).unwrap();
        host.assert_calls(2, || STOCK.update("a", |n| n.unwrap() + 1).unwrap());
    })
    .unwrap();
}

#[test]
fn an_overflow_of_increments_is_refused_at_the_latest_at_the_commit() {
    let host = Host::new();
    host.invoke(|| VISITS.set(i64::MAX)).unwrap().unwrap();
    let failure = host.try_invoke(|| VISITS.increment(1)).unwrap_err();
    assert!(
        failure.to_string().contains("9223372036854775807"),
        "{failure}"
    );
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), i64::MAX);
}

#[test]
fn an_error_has_its_text_when_the_call_is_over() {
    let host = Host::new();
    let large = vec![0_u8; 17 << 20];
    let error = host
        .invoke(|| store::try_store_at("k", &large[..]))
        .unwrap()
        .unwrap_err();
    host.invoke(|| STOCK.put("k", &1)).unwrap().unwrap();
    assert!(error.to_string().contains("16777216"), "{error}");
}
