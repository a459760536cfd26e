//! Transactions over key-value stores: sessions, namespaces, commit.
#![forbid(unsafe_code)]
