//! Fails in every way after it has stored something: shows that nothing of a call
//! stays that did not come to its end, and that a call which has finished stays.

use rust_storage_interface_library as storage;
use storage::Item;

static FIRST: Item<u32> = Item::new("first");
static SECOND: Item<u32> = Item::new("second");

/// Stores twice and returns: what the others would leave if they could.
#[unsafe(no_mangle)]
pub extern "C" fn store_twice() {
    let stored = FIRST.put(&1).and_then(|()| SECOND.put(&2));
    if let Err(error) = stored {
        error.end();
    }
}

/// Stores twice, then traps.
#[unsafe(no_mangle)]
pub extern "C" fn store_twice_then_trap() {
    store_twice();
    core::arch::wasm32::unreachable()
}

/// Stores twice, then aborts with a message.
#[unsafe(no_mangle)]
pub extern "C" fn store_twice_then_abort() {
    store_twice();
    storage::abort("out of luck")
}

/// Stores twice, then reports an error.
#[unsafe(no_mangle)]
pub extern "C" fn store_twice_then_fail() -> i32 {
    store_twice();
    storage::fail("out of stock")
}

/// Stores twice, then panics: the text of the panic reaches the caller.
#[unsafe(no_mangle)]
pub extern "C" fn store_twice_then_panic() {
    storage::report_panics!();
    store_twice();
    panic!("out of ideas")
}

/// Stores twice, finishes with a result, then traps: the result counts.
#[unsafe(no_mangle)]
pub extern "C" fn store_then_finish_then_trap() -> i32 {
    store_twice();
    storage::finish(b"stored");
    core::arch::wasm32::unreachable()
}
