//! The tests of `invocation.rs`, `again.rs` and `convention.rs` once more, on a runtime
//! that takes its instances from a pool (`common::RUNTIME`): limits, messages and endings are the same,
//! and an attempt sees nothing of the one before it.
#![allow(clippy::duplicate_mod, reason = "either file has its own `common`")]

#[path = "again.rs"]
mod again;
#[path = "convention.rs"]
mod convention;
#[path = "invocation.rs"]
mod invocation;
