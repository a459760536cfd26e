//! load and store for Rust programs compiled to Wasm: data that outlives the call.
//!
//! A program stores values under keys; the host keeps them in a database. One
//! exported call is one transaction: what it has stored becomes visible and durable
//! together when the call returns, and nothing of it stays if the call traps,
//! panics or fails. Calls that run at the same time behave as if they ran one
//! after the other: one that lost to another is run again by the host, from its start
//! and with fresh memory.
//!
//! ```
//! use rust_storage_interface_library as storage;
//! use storage::{Counter, Map, load, store};
//!
//! static STOCK: Map<&str, u32> = Map::new("stock");
//! static VISITS: Counter = Counter::new("visits");
//!
//! #[unsafe(no_mangle)]
//! pub extern "C" fn visit() -> i64 {
//!     let key = store::store_string("hello"); // the host mints the key
//!     assert_eq!(load::load_string(key), "hello");
//!     STOCK.update("sku-1", |count| count.unwrap_or(0) + 5).unwrap();
//!     VISITS.add(1).unwrap()
//! }
//!
//! let host = storage::testing::Host::new(); // natively, for tests: a host in this process
//! assert_eq!(host.invoke(|| visit()).unwrap(), 1);
//! assert_eq!(host.invoke(|| visit()).unwrap(), 2);
//! ```
//!
//! | what | where |
//! |---|---|
//! | values under keys that the host makes, or that you choose | [`store`], [`load`] |
//! | one value, many ordered values, a number under a name | [`Item`], [`Map`], [`Counter`] |
//! | scans, pages, cursors | [`Scan`], [`Page`], [`Cursor`] |
//! | types of your own as values, their versions | [`Record`], [`record`] |
//! | what can be a value, what can be a key | [`Value`], [`Key`], [`AtKey`] |
//! | input, result and end of the call | [`input`], [`finish`], [`fail`], [`abort`] |
//! | undo some of a call | [`attempt`] |
//! | a long call that commits in parts | [`part`] |
//! | other namespaces | [`Namespace`] |
//! | what can go wrong | [`Error`], [`Kind`] |
//! | the functions of 2020 | [`compat`] |
//! | tests without Wasm | `testing` (not in Wasm) |
//!
//! # Size
//!
//! The crate is `no_std`. Scalars, `Item` of a scalar and `Counter` need no allocator:
//! a module that has them is smaller than 1 KiB, and error texts, where a program
//! wants them, add about 2 KiB. A `no_std` program says [`panic_handler!`] and names an allocator,
//! `NoAllocator` if it has none.
//!
//! # What it is not
//!
//! Not a cache: every call of a storage function is a call of the host, and `put`
//! means put. Not a database client: there are no connections and no queries.
//! Natively it is for tests only.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(not(target_family = "wasm"), forbid(unsafe_code))]

#[cfg(all(target_family = "wasm", target_env = "p2"))]
compile_error!(
    "wasm32-wasip2 links components, and the storage imports are for core modules: \
     build for wasm32-unknown-unknown or wasm32-wasip1"
);

// The way of one call, `store::store_string`: `store` (the function) → `plain` (or `host`, for the
// `try_` forms: the same with an `Error`) → `value` (the bytes of the entry) → `sys` (the import).
// What comes back is a length, a handle or a negative status; `host` and `plain` sort it.
extern crate alloc;
#[cfg(not(target_family = "wasm"))]
extern crate std;

mod call;
pub mod compat;
mod counter;
mod error;
mod exec;
mod host;
mod item;
mod keys;
pub mod load;
mod map;
mod namespace;
mod numbers;
mod part;
mod plain;
pub mod record;
mod savepoint;
pub mod store;
mod sys;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod text;
mod unreadable;
mod value;

pub use call::{abort, end_panic, fail, finish, input, input_text};
pub use counter::Counter;
pub use error::{Error, Result};
pub use item::Item;
pub use map::{Cursor, IntoRange, Iter, Keys, KeysIter, Map, Page, Scan};
pub use namespace::Namespace;
pub use numbers::Number;
pub use part::part;
pub use record::Record;
pub use savepoint::attempt;
#[cfg(target_family = "wasm")]
pub use sys::NoAllocator;
pub use unreadable::{TypeName, Unreadable};
pub use value::{Encode, StoreAs, Value};
pub use wasm_storage_abi::Kind;
pub use wasm_storage_codec::{AsKey, AtKey, Composite, Key, KeyBuf};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So does that of the guide.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/from-2020.md")]
struct From2020;
