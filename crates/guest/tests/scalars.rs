//! The functions of `store` and `load`: what was stored comes back, and what
//! cannot is said in words.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fmt::Debug;

use proptest::prelude::*;
use rust_storage_interface_library::testing::Host;
use rust_storage_interface_library::{AtKey, Encode, Kind, Value, load, store};

/// Stored by one invocation and loaded by the next.
macro_rules! singles {
    ($($t:ident: $store:ident $load:ident, $try_store:ident $try_load:ident = $($value:expr),*;)*) => {
        #[test]
        fn every_scalar_comes_back() {
            let host = Host::new();
            $($(
                let value: $t = $value;
                let key = host.assert_calls(1, || store::$store(value));
                let other = host.assert_calls(1, || store::$try_store(value)).unwrap();
                assert_ne!(key, other);
                assert_eq!(host.assert_calls(1, || load::$load(key)), value);
                assert_eq!(host.assert_calls(1, || load::$try_load(other)).unwrap(), Some(value));
                assert_eq!(host.invoke(|| load::$try_load(i64::MAX)).unwrap().unwrap(), None);
            )*)*
        }

        #[test]
        fn a_scalar_is_no_other_scalar() {
            let host = Host::new();
            let mut keys: Vec<(&str, i64)> = Vec::new();
            $($(let _ = $value;)* keys.push((stringify!($t), host.invoke(|| store::$store([$($value),*][0])).unwrap()));)*
            for (stored, key) in keys {
                $(if stored != stringify!($t) {
                    let failure = host.invoke(|| load::$load(key)).unwrap_err();
                    let expected = format!(
                        "{}: key {key} holds {stored}, not {}",
                        stringify!($load),
                        stringify!($t)
                    );
                    assert_eq!(failure.to_string(), expected);
                    let error = host.invoke(|| load::$try_load(key)).unwrap().unwrap_err();
                    assert_eq!(error.kind(), Kind::TypeMismatch);
                })*
            }
        }
    };
}
singles! {
    i8: store_single_i8 load_single_i8, try_store_single_i8 try_load_single_i8 = i8::MIN, 0, i8::MAX;
    i16: store_single_i16 load_single_i16, try_store_single_i16 try_load_single_i16 = i16::MIN, -1, i16::MAX;
    i32: store_single_i32 load_single_i32, try_store_single_i32 try_load_single_i32 = i32::MIN, 88, i32::MAX;
    i64: store_single_i64 load_single_i64, try_store_single_i64 try_load_single_i64 = i64::MIN, 1, i64::MAX;
    i128: store_single_i128 load_single_i128, try_store_single_i128 try_load_single_i128 = i128::MIN, 1, i128::MAX;
    u8: store_single_u8 load_single_u8, try_store_single_u8 try_load_single_u8 = 0, 255;
    u16: store_single_u16 load_single_u16, try_store_single_u16 try_load_single_u16 = 0, u16::MAX;
    u32: store_single_u32 load_single_u32, try_store_single_u32 try_load_single_u32 = 0, u32::MAX;
    u64: store_single_u64 load_single_u64, try_store_single_u64 try_load_single_u64 = 0, u64::MAX;
    u128: store_single_u128 load_single_u128, try_store_single_u128 try_load_single_u128 = 0, u128::MAX;
    f32: store_single_f32 load_single_f32, try_store_single_f32 try_load_single_f32 = -0.0, f32::MAX, f32::NEG_INFINITY;
    f64: store_single_f64 load_single_f64, try_store_single_f64 try_load_single_f64 = 0.1, f64::MIN_POSITIVE, f64::INFINITY;
    bool: store_single_bool load_single_bool, try_store_single_bool try_load_single_bool = true, false;
    char: store_single_char load_single_char, try_store_single_char try_load_single_char = 'a', '\u{10FFFF}';
}

#[test]
fn scalars_under_chosen_keys_come_back() {
    let host = Host::new();
    host.assert_calls(1, || store::store_single_i32_at("hits", -3));
    host.assert_calls(1, || store::store_single_i64_at(7, i64::MIN));
    host.assert_calls(1, || store::store_single_f32_at(("a", 1), 0.5));
    host.assert_calls(1, || store::store_single_f64_at(b"raw", f64::NAN));
    host.invoke(|| {
        assert_eq!(load::load_single_i32_at("hits"), -3);
        assert_eq!(load::load_single_i64_at(7), i64::MIN);
        assert_eq!(load::load_single_f32_at(("a", 1)), 0.5);
        assert!(load::load_single_f64_at(b"raw").is_nan());
        assert_eq!(load::try_load_single_i32_at("misses").unwrap(), None);
        // Integers are widened: one key. Signed and unsigned are two.
        store::store_at(7_u8, "unsigned");
        assert_eq!(load::load_at::<String>(7_u64), "unsigned");
        assert_eq!(load::load_single_i64_at(7_i8), i64::MIN);
    })
    .unwrap();
}

#[test]
fn values_of_every_length_come_back() {
    let host = Host::new();
    // Around the buffers on the stack (256 bytes with the header) and beyond a page.
    for len in [
        0, 1, 22, 29, 30, 31, 253, 254, 255, 256, 257, 4095, 4097, 70_000,
    ] {
        let text = "x".repeat(len);
        let bytes = vec![0xFE_u8; len];
        let numbers: Vec<u32> = (0..).take(len).collect();
        let keys = host.invoke(|| {
            (
                store::store_string(&text),
                store::store_bytes(&bytes),
                store::store_array(&numbers),
            )
        });
        let (at, bt, ct) = keys.unwrap();
        host.invoke(|| {
            assert_eq!(load::load_string(at), text);
            assert_eq!(load::load_bytes(bt), bytes);
            assert_eq!(load::load_array::<u8>(bt), bytes, "an array of u8 is bytes");
            assert_eq!(load::load_array::<u32>(ct), numbers);
            let mut room = vec![7_u32; len + 1];
            assert_eq!(load::load_array_into(ct, &mut room), len);
            assert_eq!(room.last(), Some(&7), "what is behind the numbers stays");
        })
        .unwrap();
        let calls = if len + 2 > 256 { 2 } else { 1 };
        host.assert_calls(calls, || load::load_string(at));
        host.assert_calls(1, || store::store_string(&text));
    }
}

#[test]
fn an_array_that_does_not_fit_is_an_error_and_copies_nothing() {
    let host = Host::new();
    let key = host.invoke(|| store::store_array(&[1.5, 2.5])).unwrap();
    let mut room = [0.0];
    let error = host
        .invoke(|| load::try_load_array_into(key, &mut room))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(
        error.to_string(),
        format!("try_load_array_into: key {key} holds more numbers than fit")
    );
    assert_eq!(room, [0.0]);
}

/// What a call says that ends with an error.
fn said<R: Debug>(host: &Host, program: impl FnMut() -> R) -> String {
    host.invoke(program).unwrap_err().to_string()
}

#[test]
fn plain_functions_end_the_call_with_function_key_and_types() {
    let host = Host::new();
    let key = host.invoke(|| store::store_string("short")).unwrap();
    assert_eq!(
        said(&host, || load::load_single_i64(key)),
        format!("load_single_i64: key {key} holds string, not i64")
    );
    let key = host.invoke(|| store::store_array(&[1_u16, 2])).unwrap();
    assert_eq!(
        said(&host, || load::load_array::<i64>(key)),
        format!("load_array: key {key} holds array of u16, not array of i64")
    );
    assert_eq!(
        said(&host, || load::load_string(key)),
        format!("load_string: key {key} holds array of u16, not string")
    );
    let key = host
        .invoke(|| store::store_string(&"long ".repeat(20)))
        .unwrap();
    assert_eq!(
        said(&host, || load::load_single_char(key)),
        format!("load_single_char: key {key} holds something else, not char")
    );
    assert_eq!(
        said(&host, || load::load_single_u8(-3)),
        "load_single_u8: key -3 holds nothing"
    );
    assert_eq!(
        said(&host, || load::load_bytes(12)),
        "load_bytes: key 12 holds nothing"
    );
    assert_eq!(
        said(&host, || store::update(12, &1)),
        "update: key 12 holds nothing"
    );
    assert_eq!(
        said(&host, || store::update_at("k", &1)),
        r#"update_at: key "k" holds nothing"#
    );
}

#[test]
fn chosen_keys_are_shown_as_they_were_chosen() {
    fn shown(key: impl AtKey) -> String {
        let host = Host::new();
        let mut key = Some(key);
        said(&host, || load::load_single_i32_at(key.take().unwrap()))
            .strip_prefix("load_single_i32_at: ")
            .and_then(|text| text.strip_suffix(" holds nothing"))
            .unwrap()
            .to_owned()
    }
    assert_eq!(shown("hits"), r#"key "hits""#);
    assert_eq!(shown("tab\t\"ä"), r#"key "tab\x09"\xc3\xa4""#);
    assert_eq!(shown(7_u32), "key 7");
    assert_eq!(shown(u64::MAX), "key 18446744073709551615");
    assert_eq!(shown(-1_i8), "key -1");
    assert_eq!(shown(i64::MIN), "key -9223372036854775808");
    assert_eq!(shown(b"\x00\xff"), r#"key "\x00\xff\xff""#);
}

#[test]
fn the_errors_of_plain_and_generic_functions_read_alike() {
    let host = Host::new();
    let key = host.invoke(|| store::store_single_i32(3)).unwrap();
    let plain = said(&host, || load::load_single_i64(key));
    let tried = host
        .invoke(|| load::try_load_single_i64(key))
        .unwrap()
        .unwrap_err();
    assert_eq!(format!("try_{plain}"), tried.to_string());
    assert_eq!(
        format!("{tried:?}"),
        format!("Error(TYPE_MISMATCH, try_{plain})")
    );
    assert_eq!(tried.operation(), "try_load_single_i64");
}

#[test]
fn keys_up_to_the_limit_work_and_longer_ones_are_refused() {
    let host = Host::new();
    // Key space (2), kind (1), end mark (2).
    for len in [0, 1, 122, 123, 124, 4096 - 5] {
        let key = "k".repeat(len);
        host.invoke(|| store::store_single_i32_at(&key, 1)).unwrap();
        assert_eq!(host.invoke(|| load::load_at::<i32>(&key)).unwrap(), 1);
    }
    let key = "k".repeat(4096 - 4);
    let text = said(&host, || store::store_single_i32_at(&key, 1));
    assert!(
        text.ends_with("is over the limit of 4096 bytes for keys"),
        "{text}"
    );
    let error = host
        .invoke(|| load::try_load_at::<i32>(&key))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(
        error.to_string().starts_with(r#"try_load_at: key "kkkk"#),
        "{error}"
    );
    assert!(error.to_string().contains("... is over"), "{error}");
}

#[test]
fn a_value_that_the_host_refuses_is_named_in_the_hosts_words() {
    let host = Host::new();
    let large = vec![0_u8; 17 << 20];
    let text = said(&host, || store::store_bytes(&large));
    assert!(text.starts_with("store_bytes: "), "{text}");
    assert!(text.contains("16777216"), "{text}");
    let error = host
        .invoke(|| store::try_store_at("big", &large[..]))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
}

#[test]
fn an_error_keeps_its_own_text_when_others_come_after_it() {
    let large = vec![0_u8; 17 << 20];
    let first = store::try_store_at("first", &large[..]).unwrap_err();
    assert!(first.to_string().contains("16777216"), "{first}");
    let second = store::try_store_at("second", &large[..]).unwrap_err();
    assert_eq!(first.to_string(), r#"try_store_at: key "first" failed"#);
    assert!(second.to_string().contains("16777216"), "{second}");
}

#[test]
fn update_delete_exists_do_what_they_say() {
    let host = Host::new();
    let key = host.invoke(|| store::store_single_i32(1)).unwrap();
    host.assert_calls(2, || store::update(key, "another type"));
    assert_eq!(
        host.invoke(|| load::load_string(key)).unwrap(),
        "another type"
    );
    assert!(host.assert_calls(1, || load::exists(key)));
    host.assert_calls(1, || store::delete(key));
    assert!(!host.invoke(|| load::exists(key)).unwrap());
    let error = host
        .invoke(|| store::try_update(key, &1))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);

    host.invoke(|| {
        store::store_at("k", &vec![1_i8]);
        store::update_at("k", &[2_i8, 3]);
        assert_eq!(load::load_at::<Vec<i8>>("k"), [2, 3]);
        assert_eq!(load::load_at::<[i8; 2]>("k"), [2, 3]);
        assert!(load::try_load_at::<[i8; 3]>("k").is_err());
        store::delete_at("k");
        store::delete_at("k");
        assert!(!load::exists_at("k"));
        assert!(!load::try_exists_at("k").unwrap());
    })
    .unwrap();
}

#[test]
fn damaged_entries_are_errors() {
    /// Writes what it likes.
    struct Raw(&'static [u8]);
    impl Value for Raw {
        const TYPE: rust_storage_interface_library::TypeName =
            rust_storage_interface_library::TypeName::of(20);
        fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
            then(self.0)
        }
        fn read(_: &[u8]) -> Result<Self, rust_storage_interface_library::Unreadable> {
            Err(rust_storage_interface_library::Unreadable::Corrupt)
        }
    }
    fn load_as<V: Value + Debug>(entry: &'static [u8]) -> Kind {
        store::store_at("k", &Raw(entry));
        load::try_load_at::<V>("k").unwrap_err().kind()
    }
    assert_eq!(load_as::<bool>(b"\x0d\x00\x02"), Kind::Corrupt);
    assert_eq!(load_as::<char>(b"\x0e\x00\x00\xd8\x00\x00"), Kind::Corrupt);
    assert_eq!(load_as::<i32>(b"\x03\x00\x01"), Kind::Corrupt, "too short");
    assert_eq!(
        load_as::<i32>(b"\x03\x01\x01\0\0\0"),
        Kind::Corrupt,
        "a version"
    );
    assert_eq!(load_as::<i32>(b"\x03"), Kind::Corrupt);
    assert_eq!(load_as::<String>(b"\x0f\x00\xff"), Kind::Corrupt);
    assert_eq!(
        load_as::<Vec<u32>>(b"\x11\x00\x08\x01\x02\x03"),
        Kind::Corrupt
    );
    assert_eq!(load_as::<Vec<u32>>(b"\x11\x00\x09\x01"), Kind::TypeMismatch);
    assert_eq!(load_as::<i32>(b"\xee\x00"), Kind::TypeMismatch);
    let error = load::try_load_at::<i32>("k").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"try_load_at: key "k" holds something else, not i32"#
    );
    store::store_at("k", &Raw(b"\x0d\x00\x02"));
    let error = load::try_load_at::<bool>("k").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"try_load_at: key "k" holds damaged bytes"#
    );
}

#[test]
fn a_type_may_have_an_entry_of_its_own() {
    use rust_storage_interface_library::{Item, TypeName, Unreadable};

    /// Thousandths, stored in 4 bytes.
    #[derive(Debug, PartialEq)]
    struct Fixed(u16);
    const RAW: u8 = 20;
    impl Value for Fixed {
        const TYPE: TypeName = TypeName::of(RAW);
        const FIXED: Option<usize> = Some(4);

        fn with_record<R>(&self, then: impl FnOnce(&[u8]) -> R) -> R {
            let [low, high] = self.0.to_le_bytes();
            then(&[RAW, 0, low, high])
        }

        fn read(record: &[u8]) -> Result<Self, Unreadable> {
            match record {
                [RAW, 0, low, high] => Ok(Fixed(u16::from_le_bytes([*low, *high]))),
                [RAW, 0, ..] => Err(Unreadable::Version { found: 1, known: 0 }),
                _ => Err(Unreadable::Corrupt),
            }
        }
    }
    static PRICE: Item<Fixed> = Item::new("price");
    static OTHER: Item<u32> = Item::new("price");
    PRICE.put(&Fixed(1250)).unwrap();
    assert_eq!(PRICE.get().unwrap(), Some(Fixed(1250)));
    store::store_at("price", &Fixed(1));
    assert_eq!(load::load_at::<Fixed>("price"), Fixed(1));
    assert_eq!(
        OTHER.get().unwrap_err().to_string(),
        r#"Item::get: "price" holds raw, not u32"#
    );
    OTHER.put(&1).unwrap();
    assert_eq!(PRICE.get().unwrap_err().kind(), Kind::Corrupt);
}

fn round_trip<Q: Encode + ?Sized, V: Value>(value: &Q) -> V {
    store::store_at("round trip", value);
    load::load_at("round trip")
}

proptest! {
    #[test]
    fn texts_and_numbers_come_back(text: String, numbers: Vec<i64>, floats: Vec<u32>) {
        prop_assert_eq!(round_trip::<str, String>(&text), text);
        prop_assert_eq!(round_trip::<[i64], Vec<i64>>(&numbers), numbers);
        // Floats bit by bit, NaN included.
        let floats: Vec<f32> = floats.into_iter().map(f32::from_bits).collect();
        let back: Vec<f32> = round_trip(&floats);
        prop_assert!(floats.iter().map(|f| f.to_bits()).eq(back.iter().map(|f| f.to_bits())));
    }
}
