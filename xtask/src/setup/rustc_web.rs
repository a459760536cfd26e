//! Debian's `rustc-web`: a compiler of its own, for the guests only.
//!
//! The packages bring compiler, cargo and source of one version. Their std for Wasm is built into
//! a private sysroot in the cache, and a two-line wrapper starts the compiler with it. Cargo takes
//! the wrapper as `RUSTC`: flags stay free for guests.

use super::cache::{self, Cache};
use super::compiler::Compiler;
use super::link::{make_executable, symlink};
use super::{TARGET, WasmToolchain, debian, std_build};
use crate::error::{At, Error, Result};
use crate::process;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the packages put their programs.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const LIBRARY: &str = "/usr/lib/rustlib/src/rust/library";

/// The wrapper of an earlier run; it may no longer work.
pub(super) fn installed(cache: &Cache) -> Option<PathBuf> {
    Some(wrapper(cache)).filter(|wrapper| wrapper.is_file())
}

/// Installs the packages and builds their std for Wasm.
pub(super) fn install(default: &Compiler, cache: &Cache) -> Result<WasmToolchain> {
    debian::install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    let library = Path::new(LIBRARY);
    if !library.join("core").is_dir() {
        return Err(Error::new(format!(
            "Debian's rust-web-src brought no {LIBRARY}"
        )));
    }
    let compiler = Compiler::of(PathBuf::from(RUSTC))?;
    let sysroot = cache.path("rustc-web");
    if sysroot.exists() {
        fs::remove_dir_all(&sysroot).at("remove", &sysroot)?;
    }
    let host = sysroot.join("lib/rustlib").join(&compiler.host);
    // Proc macros and build scripts are compiled for the host, by the same compiler.
    let own = compiler.sysroot.join("lib/rustlib").join(&compiler.host);
    symlink(&own.join("lib"), &host.join("lib"))?;
    let linker = host.join("bin/rust-lld");
    if default.linker().is_file() {
        symlink(&default.linker(), &linker)?;
    } else {
        debian::provide_linker(&linker)?;
    }
    let scratch = cache.scratch()?;
    let lib = std_build::build(&compiler, process::command(CARGO), library, &scratch)?;
    cache::publish(&lib, &sysroot.join("lib/rustlib").join(TARGET).join("lib"))?;
    Ok(WasmToolchain {
        rustc: Some(write_wrapper(cache, &sysroot)?),
    })
}

fn wrapper(cache: &Cache) -> PathBuf {
    cache.path("rustc-web/bin/rustc")
}

fn write_wrapper(cache: &Cache, sysroot: &Path) -> Result<PathBuf> {
    let wrapper = wrapper(cache);
    if let Some(folder) = wrapper.parent() {
        fs::create_dir_all(folder).at("make the folder", folder)?;
    }
    let script = format!(
        "#!/bin/sh\nexec {RUSTC} --sysroot '{}' \"$@\"\n",
        sysroot.display()
    );
    fs::write(&wrapper, script).at("write", &wrapper)?;
    make_executable(&wrapper)?;
    Ok(wrapper)
}
