//! load and store for Rust programs compiled to Wasm: data that outlives the call.
#![forbid(unsafe_code)]
