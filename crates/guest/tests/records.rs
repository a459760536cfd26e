//! Types of the user's own: versions, damage, and what serde refuses.

use rust_storage_interface_library::testing::Host;
use rust_storage_interface_library::{Item, Kind, Map, Record, Unreadable, record};
use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Status {
    Open,
    Paid { by: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    sku: String,
    count: u64,
    status: Status,
    notes: Vec<Option<String>>,
}
impl Record for Order {}

fn order(count: u64) -> Order {
    Order {
        sku: "sku-1".into(),
        count,
        status: Status::Paid { by: "Ada".into() },
        notes: vec![None, Some("fragile ".repeat(40))],
    }
}

static ORDER: Item<Order> = Item::new("order");
static ORDERS: Map<(u32, u64), Order> = Map::new("orders");
static LISTS: Map<&str, Vec<Order>> = Map::new("lists");

#[test]
fn records_and_vecs_of_records_come_back() {
    let host = Host::new();
    host.invoke(|| {
        ORDER.put(&order(1)).unwrap();
        ORDERS.put((7, 1), &order(2)).unwrap();
        LISTS.put("all", &vec![order(1), order(2)]).unwrap();
        LISTS.put("none", &Vec::new()).unwrap();
    })
    .unwrap();
    host.invoke(|| {
        assert_eq!(ORDER.require().unwrap(), order(1));
        assert_eq!(ORDERS.get((7, 1)).unwrap(), Some(order(2)));
        assert_eq!(LISTS.require("all").unwrap(), [order(1), order(2)]);
        assert_eq!(LISTS.require("none").unwrap(), []);
    })
    .unwrap();
    // Over 256 bytes: one fetch more.
    host.assert_calls(2, || ORDER.require().unwrap());
    host.assert_calls(1, || ORDER.put(&order(1)).unwrap());
}

mod before {
    use super::*;

    #[derive(Serialize, Deserialize)]
    pub(super) struct Config {
        pub(super) limit: u8,
    }
    impl Record for Config {}
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Config {
    limit: u32,
    name: String,
}

impl Record for Config {
    const VERSION: u32 = 300;

    fn upgrade(from: u32, body: &[u8]) -> Result<Self, Unreadable> {
        match from {
            0 => {
                let old: before::Config = record::decode(body)?;
                Ok(Config {
                    limit: old.limit.into(),
                    name: "unnamed".into(),
                })
            }
            _ => Err(record::unknown_version::<Self>(from)),
        }
    }

    fn upgrade_vec(from: u32, body: &[u8]) -> Result<Vec<Self>, Unreadable> {
        match from {
            0 => Ok(record::decode::<Vec<before::Config>>(body)?
                .into_iter()
                .map(|old| Config {
                    limit: old.limit.into(),
                    name: String::new(),
                })
                .collect()),
            _ => Err(record::unknown_version::<Self>(from)),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Newer {
    limit: u32,
}
impl Record for Newer {
    const VERSION: u32 = 301;
}

static OLD: Item<before::Config> = Item::new("config");
static NEW: Item<Config> = Item::new("config");
static NEWER: Item<Newer> = Item::new("config");

#[test]
fn an_older_version_is_upgraded_when_it_is_read() {
    OLD.put(&before::Config { limit: 7 }).unwrap();
    let config = Config {
        limit: 7,
        name: "unnamed".into(),
    };
    assert_eq!(NEW.require().unwrap(), config);
    NEW.put(&config).unwrap();
    assert_eq!(NEW.require().unwrap(), config);

    static OLD_LIST: Item<Vec<before::Config>> = Item::new("configs");
    static NEW_LIST: Item<Vec<Config>> = Item::new("configs");
    OLD_LIST.put(&vec![before::Config { limit: 1 }]).unwrap();
    assert_eq!(NEW_LIST.require().unwrap()[0].limit, 1);
}

#[test]
fn a_version_that_nobody_reads_is_named() {
    NEWER.put(&Newer { limit: 1 }).unwrap();
    let error = NEW.get().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(
        error.to_string(),
        r#"Item::get: "config" holds version 301, this program knows version 300"#
    );
    let error = NEWER.get().map(|newer| newer.map(|newer| newer.limit));
    assert_eq!(error.unwrap(), Some(1));
    NEW.put(&Config {
        limit: 1,
        name: String::new(),
    })
    .unwrap();
    let error = NEWER.get().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("holds version 300, this program knows version 301")
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Short {
    a: u8,
}
impl Record for Short {}
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Long {
    a: u8,
    b: u8,
}
impl Record for Long {}

#[test]
fn left_over_and_missing_bytes_are_damage() {
    static SHORT: Item<Short> = Item::new("x");
    static LONG: Item<Long> = Item::new("x");
    LONG.put(&Long { a: 1, b: 2 }).unwrap();
    assert_eq!(SHORT.get().unwrap_err().kind(), Kind::Corrupt);
    SHORT.put(&Short { a: 1 }).unwrap();
    assert_eq!(LONG.get().unwrap_err().kind(), Kind::Corrupt);
    static NUMBER: Item<u8> = Item::new("x");
    assert_eq!(
        NUMBER.get().unwrap_err().to_string(),
        r#"Item::get: "x" holds record, not u8"#
    );
    NUMBER.put(&1).unwrap();
    assert_eq!(
        LONG.get().unwrap_err().to_string(),
        r#"Item::get: "x" holds u8, not record"#
    );
}

/// Serde types may refuse to be written, for example paths that are not UTF-8.
#[derive(Deserialize)]
struct Refusing;
impl Serialize for Refusing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}
impl Record for Refusing {}

#[test]
fn what_serde_refuses_is_an_error_and_writes_nothing() {
    static REFUSING: Item<Refusing> = Item::new("refusing");
    let error = REFUSING.put(&Refusing).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert_eq!(
        error.to_string(),
        r#"Item::put: "refusing" cannot be written: serde refuses the value"#
    );
    assert!(!REFUSING.exists().unwrap());
    assert!(REFUSING.replace(&Refusing).is_err());
    assert!(REFUSING.put_if_equal(&Refusing, &Refusing).is_err());
}
