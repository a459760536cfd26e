//! From a store's URL to the store: the only crate that knows all backends.
//!
//! | URL | store | cargo feature |
//! |---|---|---|
//! | `memory:` | a new one in memory, lost with the process | |
//! | `fjall:PATH`, or a bare path | a folder, one process at a time ([`wasm_storage_fjall`]) | `fjall` (default) |
//!
//! A scheme is two letters or more before a colon, so `C:\data` is a path; a path
//! that looks like a URL is written `fjall:PATH` or `./PATH`.
//!
//! A store that another process holds is waited for, [`Options::wait`] long; then
//! the error names the path and the process, from an advisory file beside the
//! store (`holder`).
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
    not(feature = "fjall"),
    allow(rustdoc::broken_intra_doc_links, reason = "the backend is not there")
)]

#[cfg(feature = "fjall")]
mod holder;
mod url;

use std::time::Duration;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{Coordinator, Durability, Error, Store};

use url::Target;

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

/// Opens the store that `url` names.
///
/// Errors: `InvalidArgument` for a URL or a path where no store can be, or none is
/// and `options.create` is false; `Unsupported` for a backend that this program
/// was built without, or a durability that it cannot make true; `Unavailable` if
/// another process holds the store to the end of `options.wait`; `Corrupt`; `Io`.
pub fn open(url: &str, options: &Options) -> Result<Store, Error> {
    match url::parse(url)? {
        Target::Memory => coordinate(MemoryKv::new(), options),
        Target::Fjall(path) => open_fjall(path, options),
    }
}

#[cfg(feature = "fjall")]
fn open_fjall(path: std::path::PathBuf, options: &Options) -> Result<Store, Error> {
    use wasm_storage_fjall::{Config, Fjall};

    let config = Config {
        create: options.create,
        ..Config::new(path)
    };
    let kv = holder::open(&config.path, options.wait, || Fjall::open(&config))?;
    coordinate(kv, options)
}

#[cfg(not(feature = "fjall"))]
fn open_fjall(path: std::path::PathBuf, _options: &Options) -> Result<Store, Error> {
    Err(Error::new(
        wasm_storage_engine::Kind::Unsupported,
        format!(
            "{}: this program was built without fjall; \
             build it with the feature \"fjall\" of wasm-storage-connect",
            path.display()
        ),
    ))
}

fn coordinate(kv: impl OrderedKv, options: &Options) -> Result<Store, Error> {
    Ok(Store::new(Coordinator::open(kv, options.durability)?))
}
