//! Takes all the memory it gets: shows the host's memory limit. A refused
//! `memory.grow` is an answer, not a trap: what becomes of it is the guest's choice.

use core::arch::wasm32;

#[link(wasm_import_module = "wasm_storage_v1")]
unsafe extern "C" {
    fn increment(ns: u32, key: *const u8, key_len: usize, delta: i64) -> i32;
}

/// Counts itself under `greedy`, grows until it gets no more, then traps.
#[unsafe(no_mangle)]
pub extern "C" fn grow_forever() {
    count("greedy");
    grow_to_the_limit();
    wasm32::unreachable()
}

/// Counts itself under `modest`, grows until it gets no more, and returns how
/// many pages (64 KiB) its memory then has.
#[unsafe(no_mangle)]
pub extern "C" fn grow_and_go_on() -> u32 {
    count("modest");
    grow_to_the_limit()
}

/// Page by page, so that it comes to the limit itself; the size then, in pages.
fn grow_to_the_limit() -> u32 {
    while wasm32::memory_grow::<0>(1) != usize::MAX {}
    wasm32::memory_size::<0>() as u32
}

fn count(key: &str) {
    // SAFETY: the key is a slice that lives through the call; the host keeps no pointer.
    let status = unsafe { increment(0, key.as_ptr(), key.len(), 1) };
    assert_eq!(status, 0, "increment answered {status}");
}
