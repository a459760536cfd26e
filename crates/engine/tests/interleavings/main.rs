//! The commit protocol, one interleaving at a time: each is made on purpose by a
//! [`Schedule`](wasm_storage_testkit::schedule::Schedule), so none depends on luck,
//! and none sleeps.
//!
//! | file | idea |
//! |---|---|
//! | `world` | a store that is watched, and groups of one's own choice |
//! | `groups` | who is in a group with whom, who loses, who is told when |
//! | `order` | durable, then visible, then acknowledged |
//! | `reads` | what was read conflicts with what others write, and nothing else does |
//! | `blind` | writes that read nothing |
//! | `rerun` | parts, re-runs, many threads |
//! | `failures` | rejected, unknown, panics, close |
//! | `reservations` | who has lost three times cannot lose again |
//! | `recent` | long transactions, and what the store remembers |
//! | `names` | namespaces and minted keys |
//! | `planted` | the scenarios fail on coordinators with a defect each |
//!
//! A scenario is a function of a [`World`](world::World), so that its test and its
//! planted twin run the same.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod blind;
mod failures;
mod groups;
mod names;
mod order;
mod planted;
mod reads;
mod recent;
mod rerun;
mod reservations;
mod world;
