//! Adds to a `Counter`, both ways, errors as values: at most 1 KiB and no allocator.
#![no_std]

use rust_storage_interface_library::{self as storage, Counter};

storage::panic_handler!();

#[global_allocator]
static HEAP: storage::NoAllocator = storage::NoAllocator;

static VISITS: Counter = Counter::new("visits");

/// Counts a visit; how many there are, -1 if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn visit() -> i64 {
    VISITS.add(1).unwrap_or(-1)
}

/// Counts a visit without a conflict; whether it did.
#[unsafe(no_mangle)]
pub extern "C" fn pass() -> i32 {
    i32::from(VISITS.increment(1).is_ok())
}
