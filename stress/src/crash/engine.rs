//! The engines that are killed, opened by name.
//!
//! fjall and redb are opened here with everything around them that a test may want
//! ([`Around`]); any other name is the scheme of a URL and opened as users do.
//!
//! From the outside in: where the process ends ([`Mortal`]), waiting for a crowd
//! ([`Gathered`]), failures that are injected ([`FaultyKv`]), a disk that is full
//! ([`OnDisk`]), planted bugs ([`Planted`]), the engine.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use wasm_storage_connect as connect;
use wasm_storage_engine::kv::OrderedKv;
use wasm_storage_engine::{Coordinator, Durability, Error, Kind, Store};
use wasm_storage_fjall::Fjall;
use wasm_storage_redb::Redb;
use wasm_storage_testkit::fault::FaultyKv;

use super::crowd::{Crowd, Gathered, Watch};
use super::disk::{Disk, OnDisk};
use super::plant::{ByNumber, Plant, Planted};
use super::points::{Mortal, Points};
use super::trouble::Troubles;

/// What is put around an engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    pub(crate) points: Arc<Points>,
    pub(crate) plant: Option<Plant>,
    /// The threads that will write.
    pub(crate) crowd: Arc<Crowd>,
}

/// A store, and how to make trouble in it: not where it was opened by a URL.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) troubles: Option<Troubles>,
}

/// Which engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Fjall,
    Redb,
    /// Opened by a URL of this scheme.
    Url(String),
}

impl FromStr for Engine {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(match name {
            wasm_storage_fjall::SCHEME => Engine::Fjall,
            wasm_storage_redb::SCHEME => Engine::Redb,
            scheme => Engine::Url(scheme.to_owned()),
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Fjall => wasm_storage_fjall::SCHEME,
            Engine::Redb => wasm_storage_redb::SCHEME,
            Engine::Url(scheme) => scheme,
        })
    }
}

/// What an acknowledged commit is to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Word {
    Synced,
    OsBuffer,
    Memory,
}

impl Word {
    fn durability(self) -> Durability {
        match self {
            Word::Synced => Durability::Synced,
            Word::OsBuffer => Durability::OsBuffer,
            Word::Memory => Durability::Memory,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.durability().fmt(f)
    }
}

impl Engine {
    /// Whether [`Points`] in and around `apply` are passed.
    pub(crate) fn has_hooks(&self) -> bool {
        !matches!(self, Engine::Url(_))
    }

    /// Opens the store at `path`, or makes it there.
    pub(crate) fn open(&self, path: &Path, word: Word, around: &Around) -> Result<Opened, Error> {
        match self {
            Engine::Fjall => {
                let kv = Fjall::open(&wasm_storage_fjall::Config::new(path))?;
                surrounded(kv, path, word, around)
            }
            Engine::Redb => {
                let kv = Redb::open(&wasm_storage_redb::Config::new(path))?;
                surrounded(kv, path, word, around)
            }
            Engine::Url(_) if around.plant.is_some() => Err(Error::new(
                Kind::Unsupported,
                format!("{self}: bugs can be planted in fjall and redb only"),
            )),
            Engine::Url(_) => {
                let options = connect::Options {
                    durability: Some(word.durability()),
                    ..connect::Options::default()
                };
                Ok(Opened {
                    store: connect::open(&self.url(path), &options)?,
                    troubles: None,
                })
            }
        }
    }

    /// What users call the store at `path`.
    pub(crate) fn url(&self, path: &Path) -> String {
        match self {
            Engine::Url(scheme) if scheme == "memory" => "memory:".to_owned(),
            _ => format!("{self}:{}", path.display()),
        }
    }
}

fn surrounded(
    kv: impl OrderedKv,
    path: &Path,
    word: Word,
    around: &Around,
) -> Result<Opened, Error> {
    let disk = Disk::new(path);
    let planted = Planted::new(kv, around.plant)?;
    let group = planted.group();
    let (faulty, faults) = FaultyKv::new(OnDisk::new(planted, Arc::clone(&disk)));
    let gathered = Gathered::new(faulty, Arc::clone(&around.crowd));
    let kv = Mortal::new(gathered, Arc::clone(&around.points));
    let watch = Watch(Arc::clone(&around.crowd));
    let backend = Coordinator::open_with_hooks(kv, Some(word.durability()), watch)?;
    let store = match around.plant {
        Some(Plant::OutcomeByNumber) => Store::new(ByNumber { backend, group }),
        _ => Store::new(backend),
    };
    Ok(Opened {
        store,
        troubles: Some(Troubles { faults, disk }),
    })
}
