//! The scalar functions, errors as values: at most 1 KiB and no allocator. What
//! error texts add is in `sizes-plain`.
#![no_std]

use rust_storage_interface_library::{self as storage, load, store};

storage::panic_handler!();

#[global_allocator]
static HEAP: storage::NoAllocator = storage::NoAllocator;

/// Stores a number under a fresh key; 0 if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn keep(number: i32) -> i64 {
    store::try_store_single_i32(number).unwrap_or(0)
}

/// The number under a key that `keep` has answered, -1 without one.
#[unsafe(no_mangle)]
pub extern "C" fn kept(key: i64) -> i32 {
    match load::try_load_single_i32(key) {
        Ok(Some(number)) => number,
        Ok(None) | Err(_) => -1,
    }
}
