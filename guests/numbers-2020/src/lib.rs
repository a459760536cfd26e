//! The crate of 2020, version 0.1.22, as it was published: keys are numbers that the
//! host draws.
//!
//! Every public function of `store` and `load`, in exports that need no arguments. There is no
//! `update`, so no key is known beforehand: what a call has stored under is its result.
//! `load_as_string` reads one i32 for each character, which nothing but
//! `store_as_i32_vector` writes: in this version `store` and `load_as_string` do not fit.

use serde::{Deserialize, Serialize};
use ssvm_2020::ssvm_storage::{load, store};

/// What a user might have stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    sku: String,
    count: u32,
    gift: Option<bool>,
}

fn order() -> Order {
    Order {
        sku: "Tür 7".into(),
        count: u32::MAX,
        gift: Some(true),
    }
}

/// Stores a value, loads it, compares.
macro_rules! round_trips {
    ($($(#[$doc:meta])* $export:ident: $load:ident, $unpack:ident, $t:ty = [$($value:expr),*];)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $export() -> i32 {
            let mut checked = 0;
            $(
                let value: $t = $value;
                let key: i32 = store::store(value);
                assert_eq!(load::$load(key), value);
                assert_eq!(load::$unpack(store::serialize_unknown_to_vec_i32(value)), value);
                checked += 1;
            )*
            checked
        }
    )*};
}
round_trips! {
    /// Booleans.
    round_trip_bool: load_as_bool, deserialize_vec_i32_to_bool, bool = [true, false];
    /// Characters.
    round_trip_char: load_as_char, deserialize_vec_i32_to_char, char = ['a', '€'];
    /// i8.
    round_trip_i8: load_as_i8, deserialize_vec_i32_to_i8, i8 = [i8::MIN, i8::MAX];
    /// i16.
    round_trip_i16: load_as_i16, deserialize_vec_i32_to_i16, i16 = [i16::MIN, i16::MAX];
    /// i32.
    round_trip_i32: load_as_i32, deserialize_vec_i32_to_i32, i32 = [i32::MIN, i32::MAX];
    /// i64.
    round_trip_i64: load_as_i64, deserialize_vec_i32_to_i64, i64 = [i64::MIN, i64::MAX];
    /// u8.
    round_trip_u8: load_as_u8, deserialize_vec_i32_to_u8, u8 = [0, u8::MAX];
}

/// Structs and vectors.
#[unsafe(no_mangle)]
pub extern "C" fn round_trip_struct() -> i32 {
    let key = store::store(order());
    assert_eq!(load::load_as_struct(key, Order::default()), order());
    let key = store::store(String::from("text"));
    assert_eq!(load::load_as_struct(key, String::new()), "text");
    let packed = store::serialize_unknown_to_vec_i32(order());
    assert_eq!(
        load::deserialize_vec_i32_to_unknown(packed, Order::default()),
        order()
    );
    assert_eq!(store::type_of(7_u8), "u8");
    4
}

/// Raw numbers; as text, if they are characters.
#[unsafe(no_mangle)]
pub extern "C" fn round_trip_vector() -> i32 {
    let key = store::store_as_i32_vector(vec![i32::MIN, -1, 0, i32::MAX]);
    assert_eq!(load::load_as_i32_vector(key), [i32::MIN, -1, 0, i32::MAX]);
    let text = "Grüße, 世界";
    let key = store::store_as_i32_vector(text.chars().map(|c| c as i32).collect());
    assert_eq!(load::load_as_string(key), text);
    2
}

/// Stores a struct and a list of its key; the list's key is the result.
#[unsafe(no_mangle)]
pub extern "C" fn store_all() -> i32 {
    let keys = vec![store::store(order()), store::store(i64::MIN)];
    store::store_as_i32_vector(keys)
}

/// What `store_all` has stored is there.
#[unsafe(no_mangle)]
pub extern "C" fn check_all(key: i32) -> i32 {
    let keys = load::load_as_i32_vector(key);
    let [order_key, number] = keys[..] else {
        panic!("{} keys", keys.len());
    };
    assert_eq!(load::load_as_struct(order_key, Order::default()), order());
    assert_eq!(load::load_as_i64(number), i64::MIN);
    3
}

/// Loads what is nowhere.
#[unsafe(no_mangle)]
pub extern "C" fn load_nothing() -> i32 {
    load::load_as_i32(0)
}
