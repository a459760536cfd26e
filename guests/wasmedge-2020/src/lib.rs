//! Over the crate of 2021, version 0.2.0, as it was published.

#[path = "../../ssvm-2020/src/program.rs"]
mod program;

use wasmedge_storage_interface::wasmedge_storage::{load, store};
