//! `get`: the entry under one key, decoded or as it is. It waits for nobody
//! and makes nothing.

use std::io::{self, Write};

use wasm_storage_engine::SessionOptions;

use crate::failure::Failure;
use crate::settings::{Get, Settings};
use crate::{opening, show};

/// Runs the command.
pub(crate) fn run(settings: &Settings, get: &Get) -> Result<(), Failure> {
    let (store, ns) = opening::to_read(settings)?;
    let mut session = store.begin(SessionOptions::read_only());
    let mut value = Vec::new();
    if !session.get(ns, &get.key, |bytes| value = bytes.to_vec())? {
        return Err(Failure::Missing(format!(
            "nothing is stored under the key {} in namespace {:?}",
            show::Key(&get.key),
            settings.namespace
        )));
    }
    let mut out = io::stdout().lock();
    if get.raw {
        out.write_all(&value)?;
    } else {
        writeln!(
            out,
            "{}",
            show::Value {
                key: &get.key,
                value: &value
            }
        )?;
    }
    out.flush()?;
    Ok(())
}
