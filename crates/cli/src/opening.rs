//! The store and the namespace of a command: made by those that write, required
//! by those that read.

use wasm_storage_connect::{Options, open_with_notes};
use wasm_storage_engine::{NamespaceId, Store};

use crate::failure::Failure;
use crate::say;
use crate::settings::Settings;

/// Opens the store, made if it is missing.
pub(crate) fn to_write(settings: &Settings) -> Result<Store, Failure> {
    open(settings, &Options::default())
}

/// Opens the store and finds the namespace. Neither is made.
pub(crate) fn to_read(settings: &Settings) -> Result<(Store, NamespaceId), Failure> {
    let options = Options {
        create: false,
        ..Options::default()
    };
    let store = open(settings, &options)?;
    let ns = store.namespace(&settings.namespace, false)?;
    Ok((store, ns))
}

/// Opens the store, and tells what happened to it.
fn open(settings: &Settings, options: &Options) -> Result<Store, Failure> {
    let opened = open_with_notes(&settings.store, options).map_err(Failure::Opening)?;
    for note in &opened.notes {
        say("note", note);
    }
    Ok(opened.store)
}
