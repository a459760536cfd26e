//! The functions of 2020 (`compat`), natively: what was stored comes back, in the bytes
//! of then, and what cannot is said in words. (Against the crates of 2020 themselves:
//! `guests/cross-2020`, run by `crates/runtimes/wasmtime/tests/legacy.rs`.)
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use rust_storage_interface_library::compat::{ssvm_storage, wasmedge_storage};
use rust_storage_interface_library::testing::Host;
use serde::{Deserialize, Serialize};
use ssvm_storage::{load, store};

const KEY: &str = "a-key-of-32-bytes-0123456789abcd";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    sku: String,
    count: u32,
    price: f64,
    note: Option<String>,
    sizes: Vec<u16>,
    place: (i8, char),
    kind: Kind,
    tags: BTreeMap<String, i128>,
    nothing: (),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Dated(u64),
    Split {
        parts: u8,
        of: u8,
    },
    Pair(u8, bool),
}

fn orders() -> Vec<Order> {
    let order = Order {
        sku: "Tür 7 🚪".into(),
        count: u32::MAX,
        price: -0.25,
        note: Some(String::new()),
        sizes: vec![0, 256, u16::MAX],
        place: (i8::MIN, '€'),
        kind: Kind::Dated(u64::MAX),
        tags: [("a".into(), i128::MIN)].into(),
        nothing: (),
    };
    let kinds = [
        Kind::Plain,
        Kind::Split { parts: 1, of: 2 },
        Kind::Pair(3, true),
    ];
    let others = kinds.map(|kind| Order {
        kind,
        ..Order::default()
    });
    [order].into_iter().chain(others).collect()
}

macro_rules! come_back {
    ($($load:ident $unpack:ident: $t:ty = $($value:expr),*;)*) => {
        #[test]
        fn every_type_comes_back_in_the_next_call() {
            let host = Host::new();
            $($(
                let value: $t = $value;
                let key = host.assert_calls(3, || store::store(value.clone()));
                assert_eq!(host.assert_calls(1, || load::$load(&key)), value);
                host.assert_calls(1, || store::update(KEY, value.clone()));
                assert_eq!(host.invoke(|| load::$load(KEY)).unwrap(), value);
                let packed = host.assert_calls(0, || store::serialize_unknown_to_vec_i32(value.clone()));
                assert_eq!(host.assert_calls(0, || load::$unpack(packed)), value);
            )*)*
        }
    };
}
come_back! {
    load_as_bool deserialize_vec_i32_to_bool: bool = true, false;
    load_as_char deserialize_vec_i32_to_char: char = 'a', 'ß', '€', '🚪', '\0';
    load_as_i8 deserialize_vec_i32_to_i8: i8 = 0, i8::MIN, i8::MAX;
    load_as_i16 deserialize_vec_i32_to_i16: i16 = 0, i16::MIN, i16::MAX;
    load_as_i32 deserialize_vec_i32_to_i32: i32 = 0, i32::MIN, i32::MAX;
    load_as_i64 deserialize_vec_i32_to_i64: i64 = 0, i64::MIN, i64::MAX;
    load_as_u8 deserialize_vec_i32_to_u8: u8 = 0, u8::MAX;
    load_as_string deserialize_vec_i32_to_string: String =
        String::new(), "a".into(), "ab".into(), "Grüße, 世界".into();
}

#[test]
fn structs_come_back_short_and_long_ones() {
    let host = Host::new();
    let key = host.invoke(|| store::store(orders())).unwrap();
    let back = host.invoke(|| load::load_as_struct(&key, Vec::<Order>::new()));
    assert_eq!(back.unwrap(), orders());
    let bytes = vec![7_u8; 100_000];
    host.invoke(|| store::update(KEY, &bytes)).unwrap();
    // One call, and one for what did not fit on the stack.
    let back: Vec<u8> = host.assert_calls(2, || load::load_as_struct(KEY, vec![]));
    assert_eq!(back, bytes);
    let packed = store::serialize_unknown_to_vec_i32(orders());
    assert_eq!(
        load::deserialize_vec_i32_to_unknown(packed, Vec::<Order>::new()),
        orders()
    );
    assert_eq!(store::type_of(7_u8), "u8");
}

/// The bytes that a module of 2020 stored for `1000`, as `specs/legacy-wasm-abi.md` has them
/// (section 2).
#[test]
fn a_stored_text_is_the_numbers_that_it_was_in_2020() {
    let host = Host::new();
    host.invoke(|| store::update(KEY, String::from("1000")))
        .unwrap();
    assert_eq!(
        host.invoke(|| load::load_as_i32_vector(KEY)).unwrap(),
        [1_004_000_000, 1_000_000_000, 1_000_000_049, 1_048_048_048]
    );
    let dump = host.dump();
    assert_eq!(dump, format!("key {KEY:?} 20 bytes of 2020\n"));
}

#[test]
fn vectors_are_stored_as_they_are() {
    let host = Host::new();
    let numbers = vec![i32::MIN, -1, 0, i32::MAX];
    let key = host.assert_calls(3, || store::store_as_i32_vector(numbers.clone()));
    host.invoke(|| store::update_as_i32_vector(KEY, vec![]))
        .unwrap();
    let loaded = |key: &str| host.invoke(|| load::load_as_i32_vector(key)).unwrap();
    assert_eq!(loaded(&key), numbers);
    assert_eq!(loaded(KEY), [0; 0]);
}

#[test]
fn a_fresh_key_is_32_hex_digits_that_no_random_uuid_has_and_leaves_nothing_else() {
    let host = Host::new();
    let keys: Vec<String> = (0..3)
        .map(|_| host.invoke(|| store::store(1_u8)).unwrap())
        .collect();
    for key in &keys {
        assert_eq!(key.len(), 32);
        assert!(
            key.bytes()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        );
        // RFC 9562: the version, then the variant.
        assert_eq!((&key[12..13], &key[16..17]), ("8", "8"));
    }
    assert!(keys[0] < keys[1] && keys[1] < keys[2], "{keys:?}");
    assert_eq!(host.dump().lines().count(), 3, "{}", host.dump());
}

#[test]
fn both_names_are_one() {
    let host = Host::new();
    host.invoke(|| wasmedge_storage::store::update(KEY, 5_i32))
        .unwrap();
    assert_eq!(host.invoke(|| load::load_as_i32(KEY)).unwrap(), 5);
}

#[test]
fn of_a_long_key_the_first_32_bytes_count_and_a_short_one_is_itself() {
    let host = Host::new();
    let long = format!("{KEY}and more");
    host.invoke(|| store::update(&long, 1_u8)).unwrap();
    assert_eq!(host.invoke(|| load::load_as_u8(KEY)).unwrap(), 1);
    // As the crate versions with number keys have it.
    host.invoke(|| store::update("4294967295", 2_u8)).unwrap();
    assert_eq!(host.invoke(|| load::load_as_u8("4294967295")).unwrap(), 2);
    assert!(host.invoke(|| load::load_as_u8("429496729")).is_err());
}

fn failure<R: std::fmt::Debug>(host: &Host, program: impl FnMut() -> R) -> String {
    host.invoke(program).unwrap_err().to_string()
}

#[test]
fn what_fails_names_the_function_the_key_and_the_type_and_leaves_nothing() {
    let host = Host::new();
    let text = failure(&host, || {
        store::update("another", 1_u8);
        load::load_as_i32(KEY)
    });
    assert_eq!(text, format!("load_as_i32: key {KEY:?} holds nothing"));
    assert_eq!(host.dump(), "");

    host.invoke(|| store::update(KEY, i64::MAX)).unwrap();
    assert_eq!(
        failure(&host, || load::load_as_i8(KEY)),
        format!("load_as_i8: key {KEY:?} holds something else than i8: there are bytes behind it")
    );
    let text = failure(&host, || load::load_as_struct(KEY, Order::default()));
    assert!(text.contains("compat::Order: it ends too early"), "{text}");
    host.invoke(|| store::update_as_i32_vector(KEY, vec![256]))
        .unwrap();
    let text = failure(&host, || load::load_as_u8(KEY));
    assert!(text.ends_with("its numbers are no packed bytes"), "{text}");

    assert_eq!(
        failure(&host, || load::deserialize_vec_i32_to_bool(vec![2])),
        "deserialize_vec_i32_to_bool: these numbers are no bool: its bool is neither 0 nor 1"
    );
    let text = failure(&host, || store::update("a\0b", 1_u8));
    assert!(text.contains("update: key \"a\\x00b\" has a NUL"), "{text}");
}

#[test]
fn a_record_at_the_limit_is_stored_and_one_number_more_is_not() {
    const MOST: usize = (4 << 20) - 1;
    let host = Host::new();
    host.invoke(|| store::update_as_i32_vector(KEY, vec![7; MOST]))
        .unwrap();
    let back = host.invoke(|| load::load_as_i32_vector(KEY)).unwrap();
    assert_eq!(back.len(), MOST);
    let text = failure(&host, || {
        store::update_as_i32_vector(KEY, vec![7; MOST + 1])
    });
    for part in ["update_as_i32_vector", KEY, "16777220", "16777216"] {
        assert!(text.contains(part), "{text}");
    }
}
