//! The engines that are killed, opened by name.
//!
//! fjall and redb are opened here with hooks around them ([`Mortal`], [`Torn`]); any
//! other name is the scheme of a URL and opened as users do, without hooks.

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

use super::plant::{Plant, Torn};
use super::points::{Mortal, Points};

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
    pub(crate) fn open(
        &self,
        path: &Path,
        word: Word,
        points: &Arc<Points>,
        plant: Option<Plant>,
    ) -> Result<Store, Error> {
        match self {
            Engine::Fjall => {
                let kv = Fjall::open(&wasm_storage_fjall::Config::new(path))?;
                hooked(kv, word, points, plant)
            }
            Engine::Redb => {
                let kv = Redb::open(&wasm_storage_redb::Config::new(path))?;
                hooked(kv, word, points, plant)
            }
            Engine::Url(_) if plant == Some(Plant::TornApply) => Err(Error::new(
                Kind::Unsupported,
                format!("{self}: a torn apply can be planted in fjall and redb only"),
            )),
            Engine::Url(scheme) => {
                let url = match scheme.as_str() {
                    "memory" => "memory:".to_owned(),
                    scheme => format!("{scheme}:{}", path.display()),
                };
                let options = connect::Options {
                    durability: Some(word.durability()),
                    ..connect::Options::default()
                };
                connect::open(&url, &options)
            }
        }
    }
}

fn hooked(
    kv: impl OrderedKv,
    word: Word,
    points: &Arc<Points>,
    plant: Option<Plant>,
) -> Result<Store, Error> {
    let kv = Mortal::new(Torn::new(kv, plant), Arc::clone(points));
    let coordinator = Coordinator::open(kv, Some(word.durability()))?;
    Ok(Store::new(coordinator))
}
