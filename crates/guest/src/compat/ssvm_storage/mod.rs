//! What the crates of 2020 had.

pub mod load;
pub mod store;
