//! One call that writes to two namespaces: its own, and `ledger`, which the host
//! must grant (`wasm-storage run --grant ledger`). Both writes are one transaction.

use rust_storage_interface_library::{Counter, Namespace, Result};

/// The same name in both namespaces: two balances.
static BALANCE: Counter = Counter::new("balance");

/// Adds to the balance in the guest's own namespace, and to the one in the ledger.
#[unsafe(no_mangle)]
pub extern "C" fn put(own: i64, ledger: i64) {
    let stored = BALANCE.add(own).and_then(|_| {
        let granted = Namespace::open("ledger")?;
        BALANCE.at(&granted).add(ledger)
    });
    or_end(stored);
}

/// The same, and a trap when both are written.
#[unsafe(no_mangle)]
pub extern "C" fn put_then_trap(own: i64, ledger: i64) {
    put(own, ledger);
    core::arch::wasm32::unreachable()
}

/// The balance in the guest's own namespace.
#[unsafe(no_mangle)]
pub extern "C" fn own() -> i64 {
    or_end(BALANCE.get())
}

/// The balance in the ledger.
#[unsafe(no_mangle)]
pub extern "C" fn ledger() -> i64 {
    or_end(Namespace::open("ledger").and_then(|granted| BALANCE.at(&granted).get()))
}

/// What the host says to opening the ledger: 0, or a negative status.
#[unsafe(no_mangle)]
pub extern "C" fn try_ledger() -> i32 {
    match Namespace::open("ledger") {
        Ok(_) => 0,
        Err(error) => error.kind().status().unwrap_or(i32::MIN),
    }
}

fn or_end<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| error.end())
}
