//! A `Map` with update and scan, errors as values: at most 10 KiB above a module
//! that allocates.

use rust_storage_interface_library::{self as storage, Map};

static STOCK: Map<&str, u32> = Map::new("stock");

/// Adds to the stock of the article whose name is the input; the new stock, 0 if
/// that fails.
#[unsafe(no_mangle)]
pub extern "C" fn add(count: u32) -> u32 {
    let sku = storage::input();
    let sku = core::str::from_utf8(&sku).unwrap_or("unknown");
    let stock = STOCK.update(sku, |stock| stock.unwrap_or(0) + count);
    stock.unwrap_or(0)
}

/// Everything in stock, 0 if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn total() -> u32 {
    summed().unwrap_or(0)
}

fn summed() -> storage::Result<u32> {
    let mut sum = 0_u32;
    for row in STOCK.range("a"..).rev().limit(1000) {
        let (sku, count) = row?;
        sum = sum.wrapping_add(if sku.is_empty() { 0 } else { count });
    }
    Ok(sum)
}
