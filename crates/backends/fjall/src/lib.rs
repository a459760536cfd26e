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
//! | `journal` | the format of fjall's journal |
//! | `tail` | damage of a journal told from a torn last write |
//! | `repair` | the end of a journal, cut off and kept |
//! | `sparse` | reading files that are mostly holes |
//! | `mark` | `NEEDS_CHECK`, left by a write that failed |
//! | `error` | fjall's errors as the engine's kinds, the path named |
#![forbid(unsafe_code)]

mod backend;
mod config;
mod error;
mod folder;
mod journal;
mod manifest;
mod mark;
mod repair;
mod sparse;
mod tail;

pub use backend::{Fjall, FjallSnapshot};
pub use config::Config;
pub use repair::Repair;

/// The scheme of this backend's URLs: `fjall:PATH`.
pub const SCHEME: &str = "fjall";
