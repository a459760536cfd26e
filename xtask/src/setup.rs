//! `cargo xtask setup`: makes `wasm32-unknown-unknown` usable by cargo.
//!
//! Invariant: the target counts as usable only when a line of Rust was really compiled and linked
//! for it ([`probe`]), since files of another compiler version may lie where the target belongs.
//! The routes are tried from the cheapest to the dearest and each is followed by that probe:
//!
//! 1. it already works, or an earlier run's work only needs to be found again;
//! 2. `rustup target add`;
//! 3. std built by the default compiler from Debian's source of the same version ([`same_source`]);
//! 4. Debian's `rustc-web`, an older compiler of its own for the guests ([`rustc_web`]).

mod cache;
mod compiler;
mod debian;
mod link;
mod probe;
mod rustc_web;
mod same_source;
mod std_build;

use crate::error::{At, Error, Result};
use crate::process;
use cache::Cache;
use compiler::Compiler;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The target every guest is built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The longest a registry may keep `rustup target add` waiting.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

pub(crate) const HELP: &str = "\
Routes, in this order:
  1. the target is there                   nothing to do
  2. rustup target add                     seconds
  3. std built from Debian's rust-src of the same compiler version, kept in the cache
     folder and linked into the toolchain  1 to 5 minutes, once for each compiler
  4. Debian's rustc-web, for guests only   2 to 5 minutes, needs root

Environment:
  WASM_STORAGE_NO_RUSTUP=1         leave out route 2
  WASM_STORAGE_SKIP_SAME_SOURCE=1  leave out route 3
  WASM_STORAGE_DEBIAN_SUITES=...   suites searched by route 3 [trixie-backports forky sid]
  XDG_CACHE_HOME                   the cache folder is wasm-storage in it [~/.cache]";

/// How guests are compiled on this machine.
#[derive(Debug, Default, Clone)]
pub(crate) struct WasmToolchain {
    /// The compiler to give to cargo as `RUSTC`; none: the default one.
    pub(crate) rustc: Option<PathBuf>,
}

impl WasmToolchain {
    /// Cargo for a guest build: this toolchain's compiler, none of the caller's flags. The caller
    /// of this chooses a target folder by [`Self::folder_suffix`].
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = process::hermetic(process::cargo());
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
        cargo
    }

    /// Keeps apart what was built with one std and what with another: cargo goes by the compiler
    /// alone, and after the target came by another route it takes the old files for fresh, until a
    /// crate that it builds anew finds none of the others (E0463). The suffix is the hash in the
    /// name of the std's `core`.
    pub(crate) fn folder_suffix(&self) -> Result<String> {
        let rustc = self.rustc.clone().unwrap_or_else(compiler::default_rustc);
        let mut print = process::hermetic(process::command(rustc));
        let folder = process::output(print.args(["--print", "target-libdir", "--target", TARGET]))?;
        let folder = Path::new(folder.trim());
        for entry in std::fs::read_dir(folder).at("read", folder)? {
            let name = entry.at("read", folder)?.file_name();
            if let Some(hash) = core_hash(&name.to_string_lossy()) {
                return Ok(format!("-{hash}"));
            }
        }
        Err(
            Error::new(format!("no std for {TARGET} in {}", folder.display()))
                .remedy("cargo xtask setup"),
        )
    }
}

/// The hash in `libcore-0123456789abcdef.rlib`.
fn core_hash(name: &str) -> Option<&str> {
    name.strip_prefix("libcore-")?.strip_suffix(".rlib")
}

/// Makes the target usable and says with which compiler.
pub(crate) fn run() -> Result<WasmToolchain> {
    if probe::works(&compiler::default_rustc()) {
        return Ok(WasmToolchain::default());
    }
    let cache = Cache::open()?;
    // A second process that waited for the lock finds the work done here.
    let compiler = Compiler::default()?;
    if let Some(found) = found_again(&compiler, &cache)? {
        return Ok(found);
    }
    for (name, route) in ROUTES {
        match route(&compiler, &cache) {
            Ok(toolchain) if probe::works(&toolchain.rustc_or(&compiler)) => {
                say(&format!("{TARGET} works, by {name}"));
                return Ok(toolchain);
            }
            Ok(_) => say(&format!(
                "{name}: done, but a test program still does not build"
            )),
            Err(error) => say(&format!("{name}: {error}")),
        }
    }
    let what = format!(
        "cargo cannot build for {TARGET} with {}: no route led there",
        compiler.name()
    );
    Err(Error::new(what).remedy(format!(
        "give your Rust toolchain the target by the means it was installed with (rustup target \
         add {TARGET}; Fedora: rust-std-static-{TARGET}; Arch: rust-wasm), or run this on Debian \
         as root"
    )))
}

type Route = fn(&Compiler, &Cache) -> Result<WasmToolchain>;

const ROUTES: [(&str, Route); 3] = [
    ("rustup", rustup),
    ("std of the same version", same_source::install),
    ("Debian's rustc-web", rustc_web::install),
];

impl WasmToolchain {
    fn rustc_or(&self, default: &Compiler) -> PathBuf {
        self.rustc.clone().unwrap_or_else(|| default.rustc.clone())
    }
}

/// What an earlier run or another process left, if it still works.
fn found_again(compiler: &Compiler, cache: &Cache) -> Result<Option<WasmToolchain>> {
    if probe::works(&compiler.rustc) {
        return Ok(Some(WasmToolchain::default()));
    }
    if same_source::link_cached(compiler, cache)? && probe::works(&compiler.rustc) {
        return Ok(Some(WasmToolchain::default()));
    }
    let web = rustc_web::installed(cache).filter(|rustc| probe::works(rustc));
    Ok(web.map(|rustc| WasmToolchain { rustc: Some(rustc) }))
}

fn rustup(compiler: &Compiler, cache: &Cache) -> Result<WasmToolchain> {
    if std::env::var_os("WASM_STORAGE_NO_RUSTUP").is_some() {
        return Err(Error::new("left out, WASM_STORAGE_NO_RUSTUP is set"));
    }
    if process::on_path("rustup").is_none() {
        return Err(Error::new("there is no rustup here"));
    }
    // rustup would write through a link of ours, into the std of another compiler.
    same_source::unlink(compiler, cache)?;
    say(&format!("rustup target add {TARGET}"));
    let mut command = process::command("rustup");
    process::run_within(command.args(["target", "add", TARGET]), RUSTUP_LIMIT)?;
    Ok(WasmToolchain::default())
}

/// Progress, on standard error: standard output belongs to the command that called.
fn say(what: &str) {
    eprintln!("setup: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_std_is_told_by_the_name_of_its_core() {
        assert_eq!(core_hash("libcore-5d1c2e4a.rlib"), Some("5d1c2e4a"));
        for other in [
            "libcore-5d1c2e4a.rmeta",
            "libstd-5d1c2e4a.rlib",
            "core-1.rlib",
        ] {
            assert_eq!(core_hash(other), None, "{other}");
        }
    }
}
