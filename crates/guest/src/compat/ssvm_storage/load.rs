//! The functions of 2020 that load.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use crate::compat::decode::decode;
use crate::compat::encode::Fault;
use crate::compat::packing::unpack;
use crate::compat::place::{end, read};

macro_rules! loads {
    ($($t:ty: $load:ident, $unpack:ident;)*) => {$(
        #[doc = concat!("Loads the `", stringify!($t), "` under a key.")]
        ///
        /// Host calls: 1, and `fetch` for a record over 256 bytes. Reads: the key.
        pub fn $load(string_key: &str) -> $t {
            load(stringify!($load), string_key)
        }

        #[doc = concat!("The `", stringify!($t), "` that is stored as these numbers.")]
        ///
        /// Host calls: none.
        pub fn $unpack(value: Vec<i32>) -> $t {
            unpacked(stringify!($unpack), value)
        }
    )*};
}
loads! {
    bool: load_as_bool, deserialize_vec_i32_to_bool;
    char: load_as_char, deserialize_vec_i32_to_char;
    i8: load_as_i8, deserialize_vec_i32_to_i8;
    i16: load_as_i16, deserialize_vec_i32_to_i16;
    i32: load_as_i32, deserialize_vec_i32_to_i32;
    i64: load_as_i64, deserialize_vec_i32_to_i64;
    u8: load_as_u8, deserialize_vec_i32_to_u8;
    String: load_as_string, deserialize_vec_i32_to_string;
}

/// Loads a value of the type of `t` under a key; `t` itself does not matter.
///
/// Host calls: 1, and `fetch` for a record over 256 bytes. Reads: the key.
pub fn load_as_struct<T: DeserializeOwned>(string_key: &str, t: T) -> T {
    drop(t);
    load("load_as_struct", string_key)
}

/// The value of the type of `t` that is stored as these numbers; `t` itself does not
/// matter.
///
/// Host calls: none.
pub fn deserialize_vec_i32_to_unknown<T: DeserializeOwned>(value: Vec<i32>, t: T) -> T {
    drop(t);
    unpacked("deserialize_vec_i32_to_unknown", value)
}

/// Loads the numbers under a key, as they are.
///
/// Host calls: 1, and `fetch` for a record over 256 bytes. Reads: the key.
pub fn load_as_i32_vector(string_key: &str) -> Vec<i32> {
    read("load_as_i32_vector", string_key, |numbers| {
        Ok(numbers.collect())
    })
}

fn load<T: DeserializeOwned>(operation: &'static str, key: &str) -> T {
    read(operation, key, |numbers| value(numbers))
}

fn unpacked<T: DeserializeOwned>(operation: &'static str, numbers: Vec<i32>) -> T {
    match value(&mut numbers.into_iter()) {
        Ok(value) => value,
        Err(fault) => end::<T>(operation, "these numbers are no ", fault),
    }
}

fn value<T: DeserializeOwned>(numbers: &mut dyn ExactSizeIterator<Item = i32>) -> Result<T, Fault> {
    let bytes = unpack(numbers).ok_or(Fault("its numbers are no packed bytes"))?;
    decode(&bytes)
}
