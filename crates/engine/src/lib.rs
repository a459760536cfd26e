//! Transactions over key-value stores: what one call of a guest reads and
//! writes becomes one atomic, durable commit.
//!
//! The way of one call, top to bottom:
//!
//! | file | idea |
//! |---|---|
//! | [`store`] | the front door: open sessions, run an invocation |
//! | [`session`] | one attempt: reads see its own writes, savepoints, limits |
//! | [`backend`] | the seam to shared servers: a conversation that ends in `commit` |
//! | [`coordinator`] | that seam, over any embedded engine: conflict check, group commit |
//! | [`kv`] | the seam to embedded engines: owned snapshots, one atomic `apply` |
//! | [`memory`] | the reference engine, in memory |
//!
//! [`layout`] holds the bytes that the engine itself writes, [`error`] what can
//! go wrong. The engine names no runtime and no database.
#![forbid(unsafe_code)]

pub mod backend;
pub mod coordinator;
pub mod error;
pub mod kv;
pub mod layout;
pub mod memory;
mod merge;
mod overlay;
pub mod session;
pub mod store;

pub use backend::{
    Backend, Capabilities, Commit, CommitId, Durability, Key, KeyRange, Mode, NamespaceId,
    NamespaceName, Order, Outcome, OwnedKey, PageHint, Transaction, TxError, Visit, Why, Write,
};
pub use coordinator::Coordinator;
pub use error::Error;
pub use session::{OpError, SavepointId, Session};
pub use store::{Attempt, Done, RunError, RunOptions, SessionOptions, Store};
pub use wasm_storage_abi::Kind;
