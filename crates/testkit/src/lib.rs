//! Test support that every backend and runtime shares, as library code.
//!
//! | file | idea |
//! |---|---|
//! | [`conformance`] | what every [`OrderedKv`](wasm_storage_engine::kv::OrderedKv) must do |
//! | `sessions` | what every [`Store`](wasm_storage_engine::Store) must do: [`conformance::store`] |
//! | `conflicts` | the same, where sessions meet |
//! | `random` | random sessions, one after the other |
//! | [`model`] | random operations, compared with a `BTreeMap` |
//! | [`fault`] | an engine whose writes fail, panic or wait on command |
//! | [`schedule`] | threads that commit, held and let go at any moment |
//! | [`rival`] | an engine under which another call is always faster |
//! | [`torn`] | what a power failure leaves of a write, by the thousand |
//! | [`history`] | whether concurrent invocations were strictly serializable |
//! | [`guests`] | where the guest programs are that the tests run |
//!
//! A backend's `tests/conformance.rs` makes an empty store for each case and
//! hands the maker over; the cases choose themselves by its capabilities. All of
//! it panics where a test would: a failed case names itself and, where random
//! choices led there, the seed.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod conflicts;
pub mod conformance;
pub mod fault;
pub mod guests;
pub mod history;
pub mod model;
mod random;
pub mod rival;
pub mod schedule;
mod sessions;
mod support;
pub mod torn;
