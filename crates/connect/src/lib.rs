//! From a store's URL to the store: the only crate that knows all backends.
//!
//! | URL | store | cargo feature |
//! |---|---|---|
//! | `memory:` | a new one in memory, lost with the process | |
//! | `fjall:PATH`, or a bare path | a folder, one process at a time ([`wasm_storage_fjall`]) | `fjall` (default) |
//! | `redb:PATH` | a file, one process at a time ([`wasm_storage_redb`]) | `redb` (default) |
//!
//! A scheme is two letters or more before a colon, so `C:\data` is a path; a path
//! that looks like a URL is written `fjall:PATH` or `./PATH`.
//!
//! A store that another process holds is waited for, [`Options::wait`] long; then
//! the error names the path and the process, from an advisory file beside the
//! store (`holder`).
//!
//! A store to which a write failed is refused until somebody has looked at it:
//! [`verify`], [`accept`].
//!
//! ```
//! use wasm_storage_connect::{Options, open};
//!
//! let store = open("memory:", &Options::default())?;
//! assert_eq!(store.capabilities().name, "memory");
//!
//! let error = open("mongodb://localhost", &Options::default()).unwrap_err();
//! assert!(error.to_string().contains("fjall:PATH"));
//! # Ok::<(), wasm_storage_engine::Error>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "fjall", feature = "redb")),
    allow(rustdoc::broken_intra_doc_links, reason = "a backend is not there")
)]
#![cfg_attr(
    not(any(feature = "fjall", feature = "redb")),
    allow(dead_code, reason = "there is no embedded engine to open")
)]

mod embedded;
mod holder;
mod url;
mod verify;

use std::time::Duration;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Durability, Error, Store};

use embedded::{Embedded, Purpose, With};
use holder::Held;
use url::Target;
pub use verify::{Report, accept, discard_damaged, verify};

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What an acknowledged commit survives; `None` takes the backend's default.
    pub durability: Option<Durability>,
    /// How long to wait for a store that another process holds. Default: 2 s.
    pub wait: Duration,
    /// Whether a store is made where there is none. Default: true. A store in
    /// memory is always a new one.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: None,
            wait: Duration::from_secs(2),
            create: true,
        }
    }
}

/// Checks that `url` is one of a store, without looking for it.
///
/// Errors: `InvalidArgument`, as [`open`] would report it.
pub fn check(url: &str) -> Result<(), Error> {
    url::parse(url).map(drop)
}

/// A store, and what its owner should hear of.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// What happened while it was opened, each a sentence: that an unfinished last
    /// write was cut off. Mostly empty.
    pub notes: Vec<String>,
}

/// Opens the store that `url` names.
///
/// Errors: `InvalidArgument` for a URL or a path where no store can be, or none is
/// and `options.create` is false; `Unsupported` for a backend that this program
/// was built without, or a durability that it cannot make true; `Unavailable` if
/// another process holds the store to the end of `options.wait`; `Corrupt`, also
/// for a store that must be checked first ([`verify`]); `Io`.
pub fn open(url: &str, options: &Options) -> Result<Store, Error> {
    Ok(open_with_notes(url, options)?.store)
}

/// The same as [`open`], with what happened.
pub fn open_with_notes(url: &str, options: &Options) -> Result<Opened, Error> {
    match url::parse(url)? {
        Target::Memory => Ok(Opened {
            store: coordinate(MemoryKv::new(), options)?,
            notes: Vec::new(),
        }),
        place => embedded::open(place, options, Purpose::Use, Coordinate(options)),
    }
}

/// Makes a [`Store`] of an embedded engine.
struct Coordinate<'a>(&'a Options);

impl With for Coordinate<'_> {
    type Output = Opened;

    fn with<K: Embedded>(self, kv: Held<K>) -> Result<Opened, Error> {
        let notes = kv.engine().notes();
        Ok(Opened {
            store: coordinate(kv, self.0)?,
            notes,
        })
    }
}

fn coordinate(kv: impl OrderedKv, options: &Options) -> Result<Store, Error> {
    Ok(Store::new(Coordinator::open(kv, options.durability)?))
}
