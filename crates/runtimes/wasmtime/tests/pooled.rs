//! The tests of `invocation.rs` once more, on a runtime that takes its instances
//! from a pool (`common::RUNTIME`): limits, messages and endings are the same.

#[path = "invocation.rs"]
mod invocation;
