//! From a store's URL to the store.
#![forbid(unsafe_code)]
