//! Builds std for the target with a stable compiler, from source of exactly its version.
//!
//! Invariant: the source matches the compiler. Another version's does not compile: std uses lang
//! items and intrinsics that only its own compiler knows.
//!
//! `-Zbuild-std` of cargo does the work; `RUSTC_BOOTSTRAP` lets a stable toolchain use it, which
//! is what std's own build does.

use super::cache::Scratch;
use super::compiler::Compiler;
use super::{TARGET, say};
use crate::error::{At, Error, Result};
use crate::process;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Cargo asks for a crate to build std for; its own rlib is left behind.
const SEED: &str = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\
                    [lib]\npath = \"seed.rs\"\n[workspace]\n";

/// Builds with `cargo` and `compiler` from `library` (the source tree's folder of that name) and
/// returns the folder with std's rlibs, in `scratch`.
pub(super) fn build(
    compiler: &Compiler,
    cargo: Command,
    library: &Path,
    scratch: &Scratch,
) -> Result<PathBuf> {
    let seed = scratch.folder("seed")?;
    let manifest = seed.join("Cargo.toml");
    fs::write(&manifest, SEED).at("write", &manifest)?;
    fs::write(seed.join("seed.rs"), "").at("write to", &seed)?;
    let library = fs::canonicalize(library).at("find", library)?;
    // Guests are built with LTO, which needs the bitcode. The panic messages of std name its
    // files: by the paths that rustup's std has, not by paths of this machine.
    let flags = [
        "-Cembed-bitcode=yes".to_owned(),
        format!(
            "--remap-path-prefix={}=/rust/deps",
            process::cargo_home()?.display()
        ),
        format!(
            "--remap-path-prefix={}=/rustc/{}/library",
            library.display(),
            compiler.commit()
        ),
    ];
    say("building std, half a minute to 5 minutes");
    let target = seed.join("target");
    let mut cargo = process::hermetic(cargo);
    cargo
        .current_dir(&seed)
        .args(["build", "--release", "--lib", "--target", TARGET])
        .arg("-Zbuild-std=std,panic_abort,proc_macro")
        .env("__CARGO_TESTS_ONLY_SRC_ROOT", &library)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTC", &compiler.rustc)
        .env("RUSTC_BOOTSTRAP", "1");
    process::run(&mut cargo)?;
    collect(
        &target.join(TARGET).join("release/deps"),
        &scratch.folder("lib")?,
    )
}

/// Moves std's rlibs out of cargo's folder.
fn collect(deps: &Path, lib: &Path) -> Result<PathBuf> {
    let mut core = false;
    for entry in fs::read_dir(deps).at("read", deps)? {
        let from = entry.at("read", deps)?.path();
        let name = from
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if from.extension() != Some(OsStr::new("rlib")) || name.starts_with("libseed") {
            continue;
        }
        core |= name.starts_with("libcore-");
        fs::rename(&from, lib.join(&name)).at("move", &from)?;
    }
    if core {
        return Ok(lib.to_path_buf());
    }
    Err(Error::new(format!(
        "cargo built no std into {}",
        deps.display()
    )))
}
