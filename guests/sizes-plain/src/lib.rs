//! The plain scalar functions, under minted keys and under text: what fails ends the call
//! with a text that names function, key and types. The texts are most of the size; no
//! allocator.
#![no_std]

use rust_storage_interface_library::{self as storage, load, store};

storage::panic_handler!();

#[global_allocator]
static HEAP: storage::NoAllocator = storage::NoAllocator;

/// Stores a number under a fresh key.
#[unsafe(no_mangle)]
pub extern "C" fn keep(number: i32) -> i64 {
    store::store_single_i32(number)
}

/// The number under a key that `keep` has answered.
#[unsafe(no_mangle)]
pub extern "C" fn kept(key: i64) -> i32 {
    load::load_single_i32(key)
}

/// Stores the latest number.
#[unsafe(no_mangle)]
pub extern "C" fn note(number: i32) {
    store::store_single_i32_at("latest", number);
}

/// The latest number.
#[unsafe(no_mangle)]
pub extern "C" fn noted() -> i32 {
    load::load_single_i32_at("latest")
}
