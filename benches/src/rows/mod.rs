//! The rows by the numbers of their goals. E1 and E2 compare the engines and have
//! no goal; E3 has none but that no call fails.

mod callers;
mod calls;
mod command;
mod durable;
mod invocation;
mod legacy;
pub(crate) mod repair;
mod start;

use std::path::Path;

use clap::ValueEnum;

use crate::table::Row;
use crate::{Options, Result};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(crate) enum RowId {
    /// get of 100 B
    P1,
    /// own writes
    P2,
    /// bytes against the protocol of 2020
    P3,
    /// values of 1 MiB
    P4,
    /// one invocation, not durable
    P6,
    /// one durable invocation
    P7,
    /// durable invocations of 64 callers
    P8,
    /// disk bytes of a durable invocation
    P9,
    /// `wasm-storage run`
    P12,
    /// opening and closing a store
    E1,
    /// opening after a kill
    E2,
    /// 64 callers on one key
    E3,
}

impl RowId {
    /// Measures it with stores in `folder`.
    pub(crate) fn measure(self, options: &Options, folder: &Path) -> Result<Vec<Row>> {
        match self {
            RowId::P1 => calls::get(options, folder),
            RowId::P2 => calls::own_writes(options),
            RowId::P3 => legacy::bytes(options),
            RowId::P4 => calls::large(options, folder),
            RowId::P6 => invocation::measure(options, folder),
            RowId::P7 => durable::time(options, folder),
            RowId::P8 => callers::durable(options, folder),
            RowId::P9 => durable::bytes(folder),
            RowId::P12 => command::run(options, folder),
            RowId::E1 => start::open_and_close(folder),
            RowId::E2 => repair::after_a_kill(options, folder),
            RowId::E3 => callers::one_key(options, folder),
        }
    }
}
