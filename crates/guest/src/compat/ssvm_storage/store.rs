//! The functions of 2020 that store.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use crate::compat::encode::encode;
use crate::compat::packing::pack;
use crate::compat::place::{end, fresh_key, write};

/// Stores a value under a fresh key: 32 hex digits.
///
/// Host calls: 3. Reads nothing.
pub fn store<V: Serialize>(v: V) -> String {
    let key = fresh_key("store");
    write("store", &key, pack(&bytes("store", &v)));
    key
}

/// Stores numbers under a fresh key, as they are.
///
/// Host calls: 3. Reads nothing.
pub fn store_as_i32_vector(i32_vector: Vec<i32>) -> String {
    const NAME: &str = "store_as_i32_vector";
    let key = fresh_key(NAME);
    write(NAME, &key, i32_vector.into_iter());
    key
}

/// Stores a value under a key, whatever is there.
///
/// Host calls: 1. Reads nothing.
pub fn update<V: Serialize>(string_key: &str, v: V) {
    write("update", string_key, pack(&bytes("update", &v)));
}

/// Stores numbers under a key, as they are, whatever is there.
///
/// Host calls: 1. Reads nothing.
pub fn update_as_i32_vector(string_key: &str, i32_vector: Vec<i32>) {
    write("update_as_i32_vector", string_key, i32_vector.into_iter());
}

/// The numbers that a value is stored as.
///
/// Host calls: none.
pub fn serialize_unknown_to_vec_i32<V: Serialize>(v: V) -> Vec<i32> {
    pack(&bytes("serialize_unknown_to_vec_i32", &v)).collect()
}

/// The name of a value's type, as Rust calls it.
pub fn type_of<T>(_: T) -> &'static str {
    core::any::type_name::<T>()
}

fn bytes<V: Serialize>(operation: &'static str, value: &V) -> Vec<u8> {
    match encode(value) {
        Ok(bytes) => bytes,
        Err(fault) => end::<V>(operation, "cannot store this ", fault),
    }
}
