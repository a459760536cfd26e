#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! | file | idea |
//! |---|---|
//! | `config` | where the store is and what it may use |
//! | `backend` | [`OrderedKv`](wasm_storage_engine::kv::OrderedKv) over redb |
//! | `place` | what is at the path before redb sees it |
//! | `mark` | `PATH.needs-check`, left by a write that failed |
//! | `error` | redb's errors as the engine's kinds, the path named |
#![forbid(unsafe_code)]

mod backend;
mod config;
mod error;
mod mark;
mod place;

pub use backend::{Redb, RedbSnapshot};
pub use config::Config;

/// The scheme of this backend's URLs.
pub const SCHEME: &str = "redb";
