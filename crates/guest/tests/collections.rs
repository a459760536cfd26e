//! `Item`, `Map`, `Counter`: what each operation does and what it costs.

use rust_storage_interface_library::testing::Host;
use rust_storage_interface_library::{Counter, Item, Kind, Map, Namespace};

static LIMIT: Item<u32> = Item::new("limit");
static NAME: Item<String> = Item::new("name");
static STOCK: Map<&str, u32> = Map::new("stock");
static NOTES: Map<u64, String> = Map::new("notes");
static PLACES: Map<(u32, u64), Vec<f64>> = Map::new("places");
static BLOBS: Map<&[u8], Vec<u8>> = Map::new("blobs");
static VISITS: Counter = Counter::new("visits");

#[test]
fn an_item_does_each_thing_in_its_number_of_calls() {
    let host = Host::new();
    assert_eq!(host.assert_calls(1, || LIMIT.get()).unwrap(), None);
    assert!(!host.assert_calls(1, || LIMIT.exists()).unwrap());
    host.assert_calls(1, || LIMIT.put(&7)).unwrap();
    assert_eq!(host.assert_calls(1, || LIMIT.get()).unwrap(), Some(7));
    assert_eq!(host.assert_calls(1, || LIMIT.require()).unwrap(), 7);
    assert_eq!(
        host.assert_calls(2, || LIMIT.update(|old| old.unwrap() + 1))
            .unwrap(),
        8
    );
    assert_eq!(host.assert_calls(1, || LIMIT.replace(&9)).unwrap(), Some(8));
    assert!(!host.assert_calls(1, || LIMIT.put_new(&1)).unwrap());
    assert!(!host.assert_calls(1, || LIMIT.put_if_equal(&1, &2)).unwrap());
    assert!(
        host.assert_calls(1, || LIMIT.put_if_equal(&9, &10))
            .unwrap()
    );
    assert_eq!(host.assert_calls(1, || LIMIT.take()).unwrap(), Some(10));
    assert_eq!(host.assert_calls(1, || LIMIT.take()).unwrap(), None);
    assert!(
        !host
            .assert_calls(1, || LIMIT.put_if_equal(&9, &10))
            .unwrap()
    );
    assert_eq!(host.assert_calls(1, || LIMIT.replace(&1)).unwrap(), None);
    host.assert_calls(1, || LIMIT.delete()).unwrap();
    assert!(host.assert_calls(1, || LIMIT.put_new(&1)).unwrap());
    assert_eq!(host.invoke(|| LIMIT.get()).unwrap().unwrap(), Some(1));
    host.invoke(|| LIMIT.delete()).unwrap().unwrap();
    let error = host.invoke(|| LIMIT.require()).unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.to_string(), r#"Item::require: "limit" holds nothing"#);
}

#[test]
fn a_map_does_each_thing_in_its_number_of_calls() {
    let host = Host::new();
    assert_eq!(host.assert_calls(1, || STOCK.get("a")).unwrap(), None);
    assert!(!host.assert_calls(1, || STOCK.has("a")).unwrap());
    host.assert_calls(1, || STOCK.put("a", &7)).unwrap();
    assert_eq!(host.assert_calls(1, || STOCK.get("a")).unwrap(), Some(7));
    assert_eq!(host.assert_calls(1, || STOCK.require("a")).unwrap(), 7);
    assert_eq!(
        host.assert_calls(2, || STOCK.update("a", |n| n.unwrap_or(0) + 5))
            .unwrap(),
        12
    );
    assert_eq!(
        host.assert_calls(1, || STOCK.replace("a", &9)).unwrap(),
        Some(12)
    );
    assert!(!host.assert_calls(1, || STOCK.put_new("a", &1)).unwrap());
    assert!(host.assert_calls(1, || STOCK.put_new("b", &1)).unwrap());
    assert!(
        host.assert_calls(1, || STOCK.put_if_equal("b", &1, &2))
            .unwrap()
    );
    assert!(
        !host
            .assert_calls(1, || STOCK.put_if_equal("b", &1, &3))
            .unwrap()
    );
    assert_eq!(host.assert_calls(1, || STOCK.take("b")).unwrap(), Some(2));
    host.assert_calls(1, || STOCK.delete("a")).unwrap();
    assert!(!host.invoke(|| STOCK.has("a")).unwrap().unwrap());
    let error = host.invoke(|| STOCK.require("a")).unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"Map::require: "stock" key "a" holds nothing"#
    );
}

#[test]
fn long_values_and_keys_go_through_every_operation() {
    let host = Host::new();
    for len in [0, 200, 230, 256, 300, 100_000] {
        let (old, new) = ("o".repeat(len), "n".repeat(len));
        host.invoke(|| {
            let key = len as u64;
            assert!(NOTES.put_new(key, &old).unwrap());
            assert_eq!(NOTES.replace(key, &new).unwrap().as_ref(), Some(&old));
            assert_eq!(NOTES.put_if_equal(key, &old, &old).unwrap(), old == new);
            assert!(NOTES.put_if_equal(key, &new, &old).unwrap());
            assert_eq!(NOTES.take(key).unwrap().as_ref(), Some(&old));
            assert_eq!(NOTES.get(key).unwrap(), None);
        })
        .unwrap();
    }
    for len in [1, 100, 128, 200, 4000] {
        let key = vec![0_u8; len / 2];
        host.invoke(|| {
            BLOBS.put(&key, &key).unwrap();
            assert_eq!(BLOBS.get(&key[..]).unwrap().as_ref(), Some(&key));
            assert_eq!(BLOBS.replace(&key, b"").unwrap().as_ref(), Some(&key));
            assert_eq!(BLOBS.get(&key).unwrap(), Some(vec![]));
        })
        .unwrap();
    }
    let error = BLOBS.get(vec![0_u8; 2048]).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
}

#[test]
fn literals_and_owned_and_borrowed_keys_find_their_types() {
    let owned = String::from("a");
    STOCK.put(&owned, &1).unwrap();
    STOCK.put(owned.clone(), &2).unwrap();
    STOCK.put(owned.as_str(), &3).unwrap();
    assert_eq!(STOCK.get("a").unwrap(), Some(3));
    PLACES.put((7, 0), &[0.5, 1.5]).unwrap();
    let place = (7, 1);
    PLACES.put(place, &vec![2.5]).unwrap();
    let (shelf, number) = (&7, &1);
    assert!(PLACES.has((shelf, number)).unwrap());
    assert_eq!(PLACES.get((7, 0)).unwrap(), Some(vec![0.5, 1.5]));
    NOTES.put(1, "text").unwrap();
    NOTES.put(1, &String::from("text")).unwrap();
    NAME.put("text").unwrap();
    assert_eq!(NOTES.get(1).unwrap(), NAME.get().unwrap());
    BLOBS.put(b"k", b"v").unwrap();
    assert_eq!(BLOBS.get(b"k").unwrap(), Some(b"v".to_vec()));
}

#[test]
fn absent_empty_zero_and_undecodable_are_four_answers() {
    static TEXT: Item<String> = Item::new("four");
    static NUMBER: Item<u32> = Item::new("four");
    assert_eq!(TEXT.get().unwrap(), None);
    TEXT.put("").unwrap();
    assert_eq!(TEXT.get().unwrap(), Some(String::new()));
    NUMBER.put(&0).unwrap();
    assert_eq!(NUMBER.get().unwrap(), Some(0));
    assert_eq!(TEXT.get().unwrap_err().kind(), Kind::TypeMismatch);
}

#[test]
fn what_replace_and_take_cannot_read_is_an_error_of_theirs() {
    static TEXT: Map<&str, String> = Map::new("mixed");
    static NUMBER: Map<&str, u32> = Map::new("mixed");
    TEXT.put("k", "text").unwrap();
    let error = NUMBER.replace("k", &1).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"Map::replace: "mixed" key "k" holds string, not u32"#
    );
    assert_eq!(
        NUMBER.get("k").unwrap(),
        Some(1),
        "the new value is stored all the same"
    );
    assert!(TEXT.take("k").is_err());
    assert_eq!(NUMBER.get("k").unwrap(), None);
}

#[test]
fn a_counter_counts() {
    let host = Host::new();
    assert_eq!(host.assert_calls(1, || VISITS.get()).unwrap(), 0);
    assert_eq!(host.assert_calls(1, || VISITS.add(2)).unwrap(), 2);
    host.assert_calls(1, || VISITS.increment(-5)).unwrap();
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), -3);
    host.assert_calls(1, || VISITS.set(i64::MAX)).unwrap();
    let error = host.invoke(|| VISITS.add(1)).unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Overflow);
    assert!(
        error.to_string().starts_with(r#"Counter::add: "visits" "#),
        "{error}"
    );
    assert_eq!(host.invoke(|| VISITS.get()).unwrap().unwrap(), i64::MAX);
    // An i64 entry like any other.
    static AS_ITEM: Item<i64> = Item::new("visits");
    assert_eq!(
        host.invoke(|| AS_ITEM.require()).unwrap().unwrap(),
        i64::MAX
    );
}

#[test]
fn collections_of_another_namespace_are_others() {
    let host = Host::new().grant("a").grant("b");
    host.invoke(|| {
        let a = Namespace::open("a").unwrap();
        let b = Namespace::open("b").unwrap();
        assert_eq!(a, Namespace::open("a").unwrap());
        assert_ne!(a, b);
        STOCK.put("k", &1).unwrap();
        STOCK.at(&a).put("k", &2).unwrap();
        LIMIT.at(&b).put(&3).unwrap();
        VISITS.at(&b).increment(4).unwrap();
    })
    .unwrap();
    host.invoke(|| {
        let (a, b) = (Namespace::open("a").unwrap(), Namespace::open("b").unwrap());
        assert_eq!(STOCK.get("k").unwrap(), Some(1));
        assert_eq!(STOCK.at(&a).replace("k", &5).unwrap(), Some(2));
        assert_eq!(STOCK.at(&b).get("k").unwrap(), None);
        assert_eq!(STOCK.at(&a).iter().count().unwrap(), 1);
        assert_eq!(STOCK.at(&a).iter().delete().unwrap(), 1);
        assert_eq!(LIMIT.at(&b).get().unwrap(), Some(3));
        assert_eq!(VISITS.at(&b).get().unwrap(), 4);
        let error = Namespace::open("c").unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        assert!(
            error.to_string().starts_with(r#"Namespace::open: "c" "#),
            "{error}"
        );
    })
    .unwrap();
}

#[test]
fn names_are_checked() {
    fn refused(name: &'static str) -> bool {
        std::panic::catch_unwind(|| Item::<u32>::new(name)).is_err()
            && std::panic::catch_unwind(|| Map::<u32, u32>::new(name)).is_err()
            && std::panic::catch_unwind(|| Counter::new(name)).is_err()
    }
    const LONGEST: &str = "0123456789012345678901234567890123456789012345678901234567890123";
    static AT_THE_LIMIT: Item<u32> = Item::new(LONGEST);
    AT_THE_LIMIT.put(&1).unwrap();
    assert!(refused(""));
    assert!(refused("tab\t"));
    assert!(refused("zero\0"));
    assert!(refused(
        "01234567890123456789012345678901234567890123456789012345678901234"
    ));
    assert!(!refused("Größe, ganz"));
}

#[test]
fn one_name_with_and_without_a_map_are_two_places() {
    static AS_ITEM: Item<u32> = Item::new("same");
    static AS_MAP: Map<&str, u32> = Map::new("same");
    static EMPTY_KEY: Map<(), u32> = Map::new("same");
    AS_ITEM.put(&1).unwrap();
    AS_MAP.put("", &2).unwrap();
    assert_eq!(AS_ITEM.get().unwrap(), Some(1));
    assert_eq!(AS_MAP.iter().count().unwrap(), 1);
    assert_eq!(EMPTY_KEY.get(()).unwrap(), None);
}

/// In a `static` another name does not compile; here the same check is made at run time.
#[test]
fn a_name_of_64_bytes_is_taken_and_one_of_65_or_with_a_control_character_is_not() {
    let taken = |name: String| {
        let name: &'static str = name.leak();
        let handles: [fn(&'static str); 3] = [
            |name| _ = Item::<u32>::new(name),
            |name| _ = Map::<u32, u32>::new(name),
            |name| _ = Counter::new(name),
        ];
        handles.map(|make| std::panic::catch_unwind(|| make(name)).is_ok())
    };
    for (name, expected) in [
        ("n".repeat(64), true),
        ("n".repeat(65), false),
        (String::new(), false),
        ("a b".to_string(), true),
        ("a\u{1f}b".to_string(), false),
    ] {
        assert_eq!(taken(name.clone()), [expected; 3], "{name:?}");
    }

    let longest: Item<u32> = Item::new("n".repeat(64).leak());
    longest.put(&7).unwrap();
    assert_eq!(longest.get().unwrap(), Some(7));
}
