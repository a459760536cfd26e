//! The contract that guests and hosts share: what a guest may import, what the
//! answers mean, how large things may be, and which keys belong to whom.
//!
//! `no_std`, no dependencies, no code that runs on a hot path: everything here
//! is a constant or a table. `docs/abi.md` says the same in prose.
//!
//! | module | holds |
//! |---|---|
//! | [`v1`] | the import table of `wasm_storage_v1` |
//! | [`legacy`] | the import table of 2020: `ssvm_native`, `wasmedge_native` |
//! | [`kind`] | error kinds = status codes |
//! | [`limits`] | every limit, with its unit |
//! | [`keyspace`] | the first bytes of every key, and who writes them |
//! | [`tag`] | the first byte of every stored entry |
//! | [`wire`] | flag bits and op codes of `scan` and `exec`, capability bits of `info` |
#![no_std]
#![forbid(unsafe_code)]

pub mod keyspace;
pub mod kind;
pub mod legacy;
pub mod limits;
pub mod tag;
pub mod v1;
pub mod wire;

pub use kind::{Kind, Remedy};
