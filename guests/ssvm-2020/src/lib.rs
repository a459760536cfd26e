//! Over the crate of 2020, version 0.1.30, as it was published.

mod program;

use ssvm_2020::ssvm_storage::{load, store};
