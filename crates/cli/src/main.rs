//! The command line `wasm-storage`.
#![forbid(unsafe_code)]
fn main() {}
