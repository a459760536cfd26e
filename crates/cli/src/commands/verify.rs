//! `verify`: all that a store holds, read once, so that every checksum is made; and
//! the two ways to open again a store that is refused.
//!
//! Invariant: without an option nothing is changed.

use std::io::{self, Write};

use wasm_storage_connect::{Options, accept, discard_damaged, verify};

use crate::failure::Failure;
use crate::say;
use crate::settings::{Settings, Verify};

/// Runs the command.
pub(crate) fn run(settings: &Settings, what: Verify) -> Result<(), Failure> {
    let look = match what {
        Verify::Look => verify,
        Verify::Accept => accept,
        Verify::DiscardDamaged => discard_damaged,
    };
    let report = look(&settings.store, &Options::default()).map_err(Failure::Opening)?;
    for note in &report.notes {
        say("note", note);
    }
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: in order, {} entries, {} bytes, last commit {}",
        settings.store, report.entries, report.bytes, report.commits
    )?;
    match (&report.mark, what) {
        (Some(mark), Verify::Accept) => writeln!(out, "no longer marked; the mark said: {mark}")?,
        (Some(mark), _) => writeln!(
            out,
            "marked for a check, and not opened before `verify --accept`: {mark}"
        )?,
        (None, _) => {}
    }
    out.flush()?;
    Ok(())
}
