//! What each import means, for any runtime.
#![forbid(unsafe_code)]
