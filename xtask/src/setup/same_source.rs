//! std of exactly the default compiler's version, built by that compiler.
//!
//! The rlibs live in the cache, in a folder named after the compiler; the toolchain sees them by
//! one link, `SYSROOT/lib/rustlib/wasm32-unknown-unknown`. So plain `cargo build` works afterwards,
//! `rustup update` cannot mix two versions, and removing the link undoes everything.

use super::cache::{self, Cache, Scratch};
use super::compiler::Compiler;
use super::link::symlink;
use super::{TARGET, WasmToolchain, debian, say, std_build};
use crate::error::{At, Error, Result};
use crate::process;
use std::fs;
use std::path::{Path, PathBuf};

/// Builds std and shows it to the toolchain.
pub(super) fn install(compiler: &Compiler, cache: &Cache) -> Result<WasmToolchain> {
    if std::env::var_os("WASM_STORAGE_SKIP_SAME_SOURCE").is_some() {
        return Err(Error::new("left out, WASM_STORAGE_SKIP_SAME_SOURCE is set"));
    }
    // Known before the minutes of work: a toolchain that takes no link makes them useless.
    make_room(compiler, cache)?;
    symlink(&kept(compiler, cache), &place(compiler))?;
    make_room(compiler, cache)?;
    if !compiler.linker().is_file() {
        debian::provide_linker(&compiler.linker())?;
    }
    let scratch = cache.scratch()?;
    let library = source(compiler, &scratch)?;
    let lib = std_build::build(compiler, process::cargo(), &library, &scratch)?;
    cache::publish(&lib, &kept(compiler, cache).join("lib"))?;
    link(compiler, cache)?;
    Ok(WasmToolchain::default())
}

/// Links what an earlier run built; whether there was something to link.
pub(super) fn link_cached(compiler: &Compiler, cache: &Cache) -> Result<bool> {
    let wanted = std::env::var_os("WASM_STORAGE_SKIP_SAME_SOURCE").is_none();
    if !wanted || !kept(compiler, cache).join("lib").is_dir() {
        return Ok(false);
    }
    make_room(compiler, cache)?;
    link(compiler, cache)?;
    Ok(true)
}

/// Removes a link of ours, whichever version it shows; leaves anything else.
pub(super) fn unlink(compiler: &Compiler, cache: &Cache) -> Result<()> {
    let place = place(compiler);
    match fs::read_link(&place) {
        Ok(original) if cache.contains(&original) => {
            fs::remove_file(&place).at("remove the link", &place)
        }
        _ => Ok(()),
    }
}

/// Like [`unlink`], but anything else there is an error.
fn make_room(compiler: &Compiler, cache: &Cache) -> Result<()> {
    unlink(compiler, cache)?;
    let place = place(compiler);
    if fs::symlink_metadata(&place).is_err() {
        return Ok(());
    }
    Err(Error::new(format!(
        "{} is there, but {} cannot use it",
        place.display(),
        compiler.name()
    ))
    .remedy("remove that folder, or install the target again by the means it came from"))
}

fn link(compiler: &Compiler, cache: &Cache) -> Result<()> {
    let (place, kept) = (place(compiler), kept(compiler, cache));
    symlink(&kept, &place)?;
    say(&format!("linked {} -> {}", place.display(), kept.display()));
    say(&format!("to undo: rm {}", place.display()));
    Ok(())
}

fn place(compiler: &Compiler) -> PathBuf {
    compiler.sysroot.join("lib/rustlib").join(TARGET)
}

fn kept(compiler: &Compiler, cache: &Cache) -> PathBuf {
    cache.path("wasm-std").join(compiler.name())
}

/// The source of std: what lies on this machine, else Debian's package of it.
fn source(compiler: &Compiler, scratch: &Scratch) -> Result<PathBuf> {
    let usual = Path::new("usr/src").join(format!("rustc-{}/library", compiler.release));
    let here = [
        compiler.sysroot.join("lib/rustlib/src/rust/library"),
        Path::new("/").join(&usual),
    ];
    if let Some(library) = here
        .into_iter()
        .find(|library| library.join("core").is_dir())
    {
        say(&format!("source of std: {}", library.display()));
        return Ok(library);
    }
    let unpacked = debian::source_of_std(&compiler.release, scratch)?;
    Ok(unpacked.join(usual))
}
