//! Reads and writes an `Item<u32>`, errors as values: at most 1 KiB and no allocator.
#![no_std]

use rust_storage_interface_library::{self as storage, Item};

storage::panic_handler!();

#[global_allocator]
static HEAP: storage::NoAllocator = storage::NoAllocator;

static LIMIT: Item<u32> = Item::new("limit");

/// Raises the limit by one, from 0; `u32::MAX` if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn raise() -> u32 {
    raised().unwrap_or(u32::MAX)
}

fn raised() -> storage::Result<u32> {
    let limit = LIMIT.get()?.unwrap_or(0).wrapping_add(1);
    LIMIT.put(&limit)?;
    Ok(limit)
}
