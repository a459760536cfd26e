//! The functions of 2020: `store`, `update`, `load_as_*` over text keys, as the crates
//! `rust_storage_interface_library` 0.1.30, `ssvm_storage_interface` 0.1.30 and
//! `wasmedge_storage_interface` 0.2.0 had them.
//!
//! A program of that time compiles after one line is changed:
//!
//! ```
//! // use rust_storage_interface_library::ssvm_storage;
//! use rust_storage_interface_library::compat::ssvm_storage;
//!
//! let key: String = ssvm_storage::store::store(String::from("hello"));
//! assert_eq!(ssvm_storage::load::load_as_string(&key), "hello");
//! ssvm_storage::store::update(&key, 88_i32);
//! assert_eq!(ssvm_storage::load::load_as_i32(&key), 88);
//! ```
//!
//! What the old crates have stored is read here, and the other way round: same keys, same
//! bytes. But a value is one host call here, not one for every three bytes. New
//! programs use [`store`](crate::store) and [`load`](crate::load), whose entries say their type.
//!
//! What differs:
//!
//! - A failure ends the call with a text that names the function, the key and the
//!   type. The old crates panicked without one, and a missing key ended the server.
//! - A value that does not fill its record to the end is refused: an `i64` is no `i8`.
//! - Keys: the first 32 bytes count, as then. A shorter key is that key; then it was
//!   followed by whatever came next in the memory. A NUL in a key is refused, as then.
//! - A key that `store` makes is unique in the store, but not random: it is made of a minted
//!   number (32 hex digits, a UUID of version 8). Who wants a secret key brings one, to `update`.
//! - [`store_as_i32_vector`](ssvm_storage::store::store_as_i32_vector) is sound.
//! - Nothing is printed.
//!
//! The format: `docs/guide/from-2020.md`. Serde's data model is written as bincode 1 does
//! (`encode`, `decode`), then three bytes to a number (`packing`). bincode itself is
//! not used: it needs std, and nobody maintains it any more (RUSTSEC-2025-0141).

mod decode;
mod encode;
mod packing;
mod place;
pub mod ssvm_storage;

/// What the crate of 2021 had: the same, renamed.
pub mod wasmedge_storage {
    pub use super::ssvm_storage::{load, store};
}
