//! Storage imports for Wasmtime.
#![forbid(unsafe_code)]
