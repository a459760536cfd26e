//! The embedded engines behind one door: from a place to the engine that is open
//! there, whichever it is. What they have in common beyond `OrderedKv` is
//! [`Embedded`]; what is done with one is [`With`].

use std::path::PathBuf;

use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{Error, Kind};

use crate::Options;
use crate::holder::Held;
use crate::url::Target;

/// Why a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be used. One that is marked for a check is refused.
    Use,
    /// To be checked. It is not made, and a mark does not matter.
    Check,
    /// The same, and what is behind damage is given up where it can be.
    Mend,
}

/// An engine whose store is a place in the file system.
pub(crate) trait Embedded: OrderedKv {
    /// What its owner should hear of how it was opened.
    fn notes(&self) -> Vec<String>;

    /// Why it is marked for a check.
    fn mark(&self) -> Option<&str>;

    /// Takes the mark away.
    fn accept(&self) -> Result<(), Error>;
}

/// Something to do with any of them.
pub(crate) trait With {
    /// What comes of it.
    type Output;

    /// Does it.
    fn with<K: Embedded>(self, kv: Held<K>) -> Result<Self::Output, Error>;
}

/// Opens what is at a place and does something with it.
///
/// Errors: `Unsupported` for an engine that this program was built without, or a
/// place that is none; those of the engine.
pub(crate) fn open<W: With>(
    place: Target,
    options: &Options,
    purpose: Purpose,
    with: W,
) -> Result<W::Output, Error> {
    match place {
        Target::Memory => Err(Error::new(
            Kind::Unsupported,
            "a store in memory is in no place",
        )),
        Target::Fjall(path) => fjall(path, options, purpose, with),
        Target::Redb(path) => redb(path, options, purpose, with),
    }
}

#[cfg(feature = "fjall")]
fn fjall<W: With>(
    path: PathBuf,
    options: &Options,
    purpose: Purpose,
    with: W,
) -> Result<W::Output, Error> {
    use wasm_storage_fjall::{Config, Fjall};

    let check = purpose != Purpose::Use;
    let config = Config {
        create: options.create && !check,
        although_marked: check,
        discard_damaged: purpose == Purpose::Mend,
        ..Config::new(path)
    };
    with.with(crate::holder::open(&config.path, options.wait, || {
        Fjall::open(&config)
    })?)
}

#[cfg(feature = "fjall")]
impl Embedded for wasm_storage_fjall::Fjall {
    fn notes(&self) -> Vec<String> {
        self.repair().map(ToString::to_string).into_iter().collect()
    }

    fn mark(&self) -> Option<&str> {
        self.mark()
    }

    fn accept(&self) -> Result<(), Error> {
        self.accept()
    }
}

#[cfg(not(feature = "fjall"))]
fn fjall<W: With>(
    path: PathBuf,
    _options: &Options,
    _purpose: Purpose,
    _with: W,
) -> Result<W::Output, Error> {
    Err(not_built_in(&path, "fjall"))
}

#[cfg(feature = "redb")]
fn redb<W: With>(
    path: PathBuf,
    options: &Options,
    purpose: Purpose,
    with: W,
) -> Result<W::Output, Error> {
    use wasm_storage_redb::{Config, Redb};

    let check = purpose != Purpose::Use;
    let config = Config {
        create: options.create && !check,
        although_marked: check,
        ..Config::new(path)
    };
    with.with(crate::holder::open(&config.path, options.wait, || {
        Redb::open(&config)
    })?)
}

#[cfg(feature = "redb")]
impl Embedded for wasm_storage_redb::Redb {
    /// It repairs itself and says nothing.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    fn mark(&self) -> Option<&str> {
        self.mark()
    }

    fn accept(&self) -> Result<(), Error> {
        self.accept()
    }
}

#[cfg(not(feature = "redb"))]
fn redb<W: With>(
    path: PathBuf,
    _options: &Options,
    _purpose: Purpose,
    _with: W,
) -> Result<W::Output, Error> {
    Err(not_built_in(&path, "redb"))
}

#[cfg(not(all(feature = "fjall", feature = "redb")))]
fn not_built_in(path: &std::path::Path, name: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!(
            "{}: this program was built without {name}; \
             build it with the feature \"{name}\" of wasm-storage-connect",
            path.display()
        ),
    )
}
