#![doc = include_str!("../README.md")]
//!
//! # Files
//!
//! | file | idea |
//! |---|---|
//! | `config` | where the store is and what it may use |
//! | `backend` | [`OrderedKv`](wasm_storage_engine::kv::OrderedKv) over fjall |
//! | `folder` | what is at the path before fjall sees it, and what fjall leaves unsynced |
//! | `manifest` | fjall's pointers to its own state, checked before fjall follows them |
//! | `error` | fjall's errors as the engine's kinds, the path named |
#![forbid(unsafe_code)]

mod backend;
mod config;
mod error;
mod folder;
mod manifest;

pub use backend::{Fjall, FjallSnapshot};
pub use config::Config;

/// The scheme of this backend's URLs: `fjall:PATH`.
pub const SCHEME: &str = "fjall";
