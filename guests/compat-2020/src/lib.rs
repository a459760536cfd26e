//! The same program over this project's crate: the `use` line below is all that
//! differs from the one over the crate of 2020.

#[path = "../../ssvm-2020/src/program.rs"]
mod program;

use rust_storage_interface_library::compat::ssvm_storage::{load, store};
