//! A program of 2020: every public function of `store` and `load`, in exports that
//! need no arguments.
//!
//! It is in three guests: over the crate of 2020, over that of 2021, and over this
//! project's `compat`. What one has stored, another checks (`check_all`).
//!
//! Every export answers how many values it has stored or compared. A value that is
//! not what it must be is a panic.

use serde::{Deserialize, Serialize};

use crate::{load, store};

/// A key of our own: 32 bytes, since the host looks at no end mark.
const COUNTER: &str = "2020-counter-0123456789abcdefghi";
/// Where `store_all` notes the keys it has been given.
const INDEX: &str = "2020-index---0123456789abcdefghi";
/// A vector of raw numbers.
const VECTOR: &str = "2020-vector--0123456789abcdefghi";
/// Nothing is ever stored here.
const NOTHING: &str = "2020-nothing-0123456789abcdefghi";
/// A key that another value is under.
const REPLACED: &str = "2020-replaced-123456789abcdefghi";

const _: () = {
    let mut keys: &[&str] = &[COUNTER, INDEX, VECTOR, NOTHING, REPLACED];
    while let [key, rest @ ..] = keys {
        assert!(key.len() == 32);
        keys = rest;
    }
};

/// What a user might have stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    sku: String,
    count: u32,
    price: f64,
    gift: bool,
    note: Option<String>,
    sizes: Vec<u16>,
    place: (i8, char),
    total: Option<i128>,
    kind: Kind,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Dated(u64),
    Split {
        parts: u8,
    },
}

fn order() -> Order {
    Order {
        sku: "Tür 7 🚪".into(),
        count: u32::MAX,
        price: -0.25,
        gift: true,
        note: Some(String::new()),
        sizes: vec![0, 1, 256, u16::MAX],
        place: (i8::MIN, '€'),
        total: Some(i128::MIN),
        kind: Kind::Dated(u64::MAX),
    }
}

fn orders() -> Vec<Order> {
    let other = Order {
        kind: Kind::Split { parts: 3 },
        ..Order::default()
    };
    vec![order(), other, Order::default()]
}

/// A text whose packed form ends in one, in two and in three bytes.
const TEXTS: [&str; 4] = ["", "a", "ab", "Grüße, 世界"];

/// Stores a value, loads it, compares.
macro_rules! round_trips {
    ($($(#[$doc:meta])* $export:ident: $load:ident, $unpack:ident, $t:ty = [$($value:expr),*];)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $export() -> i32 {
            let mut checked = 0;
            $(
                let value: $t = $value;
                let key = store::store(value.clone());
                assert_eq!(key.len(), 32);
                assert_eq!(load::$load(&key), value);
                let packed = store::serialize_unknown_to_vec_i32(value.clone());
                assert_eq!(load::$unpack(packed), value);
                checked += 1;
            )*
            checked
        }
    )*};
}
round_trips! {
    /// Booleans.
    round_trip_bool: load_as_bool, deserialize_vec_i32_to_bool, bool = [true, false];
    /// Characters of one to four bytes.
    round_trip_char: load_as_char, deserialize_vec_i32_to_char, char = ['a', 'ß', '€', '🚪'];
    /// Signed bytes.
    round_trip_i8: load_as_i8, deserialize_vec_i32_to_i8, i8 = [0, i8::MIN, i8::MAX];
    /// i16.
    round_trip_i16: load_as_i16, deserialize_vec_i32_to_i16, i16 = [0, i16::MIN, i16::MAX];
    /// i32.
    round_trip_i32: load_as_i32, deserialize_vec_i32_to_i32, i32 = [0, -1, 1_234_567_890, i32::MIN, i32::MAX];
    /// i64.
    round_trip_i64: load_as_i64, deserialize_vec_i32_to_i64, i64 = [0, -1, i64::MIN, i64::MAX];
    /// Bytes.
    round_trip_u8: load_as_u8, deserialize_vec_i32_to_u8, u8 = [0, 100, u8::MAX];
    /// Texts.
    round_trip_string: load_as_string, deserialize_vec_i32_to_string, String =
        [TEXTS[0].into(), TEXTS[1].into(), TEXTS[2].into(), TEXTS[3].into()];
}

/// A struct with all that serde has, and a vector of them.
#[unsafe(no_mangle)]
pub extern "C" fn round_trip_struct() -> i32 {
    let key = store::store(order());
    assert_eq!(load::load_as_struct(&key, Order::default()), order());
    let key = store::store(orders());
    assert_eq!(load::load_as_struct(&key, Vec::<Order>::new()), orders());
    let packed = store::serialize_unknown_to_vec_i32(orders());
    assert_eq!(
        load::deserialize_vec_i32_to_unknown(packed, Vec::<Order>::new()),
        orders()
    );
    3
}

/// The packed forms that are known, and the names of types.
#[unsafe(no_mangle)]
pub extern "C" fn known_forms() -> i32 {
    assert_eq!(
        store::serialize_unknown_to_vec_i32(1_234_567_890_i32),
        [1_210_002_150, 73]
    );
    assert_eq!(
        store::serialize_unknown_to_vec_i32(i64::MAX),
        [1_255_255_255, 1_255_255_255, 2_000_255_127]
    );
    assert_eq!(store::serialize_unknown_to_vec_i32(-2_i8), [254]);
    assert_eq!(
        store::serialize_unknown_to_vec_i32(String::from("1000")),
        [1_004_000_000, 1_000_000_000, 1_000_000_049, 1_048_048_048]
    );
    assert_eq!(store::type_of(7_u8), "u8");
    assert_eq!(store::type_of(String::new()), "alloc::string::String");
    6
}

/// Stores under keys of our own, replaces what is there.
#[unsafe(no_mangle)]
pub extern "C" fn update_replaces() -> i32 {
    store::update(REPLACED, 1_i32);
    assert_eq!(load::load_as_i32(REPLACED), 1);
    store::update(REPLACED, String::from("another type"));
    assert_eq!(load::load_as_string(REPLACED), "another type");
    store::update_as_i32_vector(REPLACED, vec![i32::MIN, -1, 0, i32::MAX]);
    assert_eq!(
        load::load_as_i32_vector(REPLACED),
        [i32::MIN, -1, 0, i32::MAX]
    );
    store::update_as_i32_vector(REPLACED, vec![]);
    assert_eq!(load::load_as_i32_vector(REPLACED), [0; 0]);
    4
}

/// Before the first `increment`: in 2020 there was no way to ask whether a key is in use.
#[unsafe(no_mangle)]
pub extern "C" fn start_counting() {
    store::update(COUNTER, 0_i32);
}

/// Counts its calls.
#[unsafe(no_mangle)]
pub extern "C" fn increment() -> i32 {
    let count = load::load_as_i32(COUNTER) + 1;
    store::update(COUNTER, count);
    count
}

/// Stores a value of each kind, and their keys under a known one.
#[unsafe(no_mangle)]
pub extern "C" fn store_all() -> i32 {
    let mut keys = vec![
        store::store(true),
        store::store('€'),
        store::store(i8::MIN),
        store::store(i16::MIN),
        store::store(i32::MIN),
        store::store(i64::MIN),
        store::store(u8::MAX),
        store::store(orders()),
    ];
    keys.extend(TEXTS.map(|text| store::store(String::from(text))));
    let mut different = keys.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), keys.len());
    store::update_as_i32_vector(VECTOR, vec![i32::MIN, -1, 0, i32::MAX]);
    let count = keys.len() as i32 + 1;
    store::update(INDEX, keys);
    count
}

/// What `store_all` has stored is there.
#[unsafe(no_mangle)]
pub extern "C" fn check_all() -> i32 {
    let keys: Vec<String> = load::load_as_struct(INDEX, vec![]);
    let [bool, char, i8, i16, i32, i64, u8, structs, texts @ ..] = keys.as_slice() else {
        panic!("{} keys", keys.len());
    };
    assert!(load::load_as_bool(bool));
    assert_eq!(load::load_as_char(char), '€');
    assert_eq!(load::load_as_i8(i8), i8::MIN);
    assert_eq!(load::load_as_i16(i16), i16::MIN);
    assert_eq!(load::load_as_i32(i32), i32::MIN);
    assert_eq!(load::load_as_i64(i64), i64::MIN);
    assert_eq!(load::load_as_u8(u8), u8::MAX);
    assert_eq!(load::load_as_struct(structs, Vec::<Order>::new()), orders());
    assert_eq!(texts.len(), TEXTS.len());
    for (key, text) in texts.iter().zip(TEXTS) {
        assert_eq!(load::load_as_string(key), text);
    }
    assert_eq!(
        load::load_as_i32_vector(VECTOR),
        [i32::MIN, -1, 0, i32::MAX]
    );
    keys.len() as i32 + 1
}

/// Stores, then loads what is not there.
#[unsafe(no_mangle)]
pub extern "C" fn load_nothing() -> i32 {
    store::update(REPLACED, 1_i32);
    load::load_as_i32(NOTHING)
}

/// Stores numbers, then loads them as a text.
#[unsafe(no_mangle)]
pub extern "C" fn load_another_type() -> i32 {
    store::update(REPLACED, vec![u64::MAX]);
    load::load_as_string(REPLACED).len() as i32
}

/// Stores numbers that are no packed form, then loads them as if they were.
#[unsafe(no_mangle)]
pub extern "C" fn load_raw_numbers() -> i32 {
    store::update_as_i32_vector(REPLACED, vec![1_256_000_000]);
    load::load_as_i32(REPLACED)
}

/// Stores under a key that no C string can be.
#[unsafe(no_mangle)]
pub extern "C" fn store_under_a_key_with_a_nul() {
    store::update("2020-nul\0----0123456789abcdefghi", 1_i32);
}

/// Stores, all of it, and then panics.
#[unsafe(no_mangle)]
pub extern "C" fn store_all_and_trap() {
    store_all();
    panic!("on purpose");
}

/// One number more than a value may have: with the count before them, 4,194,305 of 4 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn store_too_much() {
    store::update_as_i32_vector(REPLACED, vec![7; 4 << 20]);
}

/// As many numbers as a value may have.
#[unsafe(no_mangle)]
pub extern "C" fn store_much() -> i32 {
    store::update_as_i32_vector(REPLACED, vec![7; (4 << 20) - 1]);
    load::load_as_i32_vector(REPLACED).len() as i32
}
