//! Counts its calls.

use rust_storage_interface_library::Counter;

static COUNTER: Counter = Counter::new("counter");

/// Adds one; the new value.
#[unsafe(no_mangle)]
pub extern "C" fn increment() -> i64 {
    COUNTER.add(1).unwrap_or_else(|error| error.end())
}

/// The value.
#[unsafe(no_mangle)]
pub extern "C" fn value() -> i64 {
    COUNTER.get().unwrap_or_else(|error| error.end())
}
