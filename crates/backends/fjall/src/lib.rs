//! The fjall backend: embedded, pure Rust, durable.
#![forbid(unsafe_code)]
