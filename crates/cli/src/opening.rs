//! The store and the namespace of a command: made by those that write, required
//! by those that read.

use wasm_storage_connect::{Options, open};
use wasm_storage_engine::{NamespaceId, Store};

use crate::failure::Failure;
use crate::settings::Settings;

/// Opens the store, made if it is missing.
pub(crate) fn to_write(settings: &Settings) -> Result<Store, Failure> {
    open(&settings.store, &Options::default()).map_err(Failure::Opening)
}

/// Opens the store and finds the namespace. Neither is made.
pub(crate) fn to_read(settings: &Settings) -> Result<(Store, NamespaceId), Failure> {
    let options = Options {
        create: false,
        ..Options::default()
    };
    let store = open(&settings.store, &options).map_err(Failure::Opening)?;
    let ns = store.namespace(&settings.namespace, false)?;
    Ok((store, ns))
}
