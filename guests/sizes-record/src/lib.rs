//! Stores and loads a struct, errors as values: at most 6 KiB above a module that
//! allocates.

use rust_storage_interface_library::{self as storage, load, store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order {
    customer: u32,
    sku: String,
    count: u64,
    paid: bool,
}

impl storage::Record for Order {}

/// Stores an order; its key, 0 if that fails.
#[unsafe(no_mangle)]
pub extern "C" fn order(customer: u32, count: u64) -> i64 {
    let order = Order {
        customer,
        sku: "sku-1".into(),
        count,
        paid: false,
    };
    store::try_store_struct(&order).unwrap_or(0)
}

/// How many pieces an unpaid order is about, 0 without one.
#[unsafe(no_mangle)]
pub extern "C" fn pieces(key: i64) -> u64 {
    match load::try_load_struct::<Order>(key) {
        Ok(Some(order)) if !order.paid && order.customer > 0 && !order.sku.is_empty() => {
            order.count
        }
        _ => 0,
    }
}
