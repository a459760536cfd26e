//! The bytes that guests and hosts agree on, written and read in one place.
//!
//! | module | bytes of | invariant |
//! |---|---|---|
//! | [`key`] | keys | byte order is `Ord`, decoding is total |
//! | [`record`] | stored entries | a wrong type is an error, never a wrong value |
//! | [`scan`] | the spec and the pages of `scan` | whole entries only |
//! | [`exec`] | the commands and replies of `exec` | an unknown operation can be skipped |
//!
//! Everything that reads takes arbitrary bytes: it answers or refuses, it does
//! not panic. Everything that writes fills a [`KeyBuf`] over memory that the
//! caller owns: no allocator, no formatting and no panic path is linked into a
//! guest that only writes. (`Vec` is used by decoding of text keys and by the
//! writers for hosts, [`scan::PageWriter`] and [`exec::ReplyWriter`].)
//!
//! Elsewhere: the numbers of tags, flags and op codes stand in
//! `wasm_storage_abi`; limits are checked by the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod buf;
mod bytes;
pub mod exec;
pub mod key;
pub mod record;
pub mod scan;

pub use key::{AsKey, AtKey, Composite, Key, KeyBuf, Malformed};
