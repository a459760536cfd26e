//! Conformance suite and test support, as library code.
#![forbid(unsafe_code)]
