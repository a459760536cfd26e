#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod config;
mod error;

pub use backend::{Redb, RedbSnapshot};
pub use config::Config;

/// The scheme of this backend's URLs.
pub const SCHEME: &str = "redb";
