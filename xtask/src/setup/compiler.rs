//! What is known of a Rust compiler: its version, host and folders.

use crate::error::{Error, Result};
use crate::process;
use std::path::PathBuf;

/// The program a plain `cargo build` would compile with.
pub(super) fn default_rustc() -> PathBuf {
    std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from)
}

/// A compiler that can be run.
pub(super) struct Compiler {
    /// The program itself, not rustup's stand-in for it.
    pub(super) rustc: PathBuf,
    /// `1.95.0`
    pub(super) release: String,
    commit: String,
    /// `x86_64-unknown-linux-gnu`
    pub(super) host: String,
    pub(super) sysroot: PathBuf,
}

impl Compiler {
    /// The compiler of a plain `cargo build`.
    pub(super) fn default() -> Result<Self> {
        let rustc = default_rustc();
        let mut compiler = Self::of(rustc)?;
        let real = compiler.sysroot.join("bin").join("rustc");
        if real.is_file() {
            compiler.rustc = real;
        }
        Ok(compiler)
    }

    /// Asks a compiler for its facts.
    pub(super) fn of(rustc: PathBuf) -> Result<Self> {
        let facts = process::output(process::command(&rustc).arg("-vV"))?;
        let fact = |name: &str| {
            let line = facts
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
                .ok_or_else(|| Error::new(format!("{} -vV names no {name}", rustc.display())))
        };
        let (release, commit, host) = (fact("release")?, fact("commit-hash")?, fact("host")?);
        let sysroot = process::output(process::command(&rustc).args(["--print", "sysroot"]))?;
        Ok(Self {
            rustc,
            release,
            commit,
            host,
            sysroot: PathBuf::from(sysroot.trim_end()),
        })
    }

    /// Version and commit: two compilers of the same name read each other's files.
    pub(super) fn name(&self) -> String {
        let commit: String = self.commit.chars().take(12).collect();
        format!("{}-{commit}", self.release)
    }

    /// The commit the compiler was built from.
    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// Where the toolchain keeps what it links Wasm with.
    pub(super) fn linker(&self) -> PathBuf {
        self.sysroot
            .join("lib/rustlib")
            .join(&self.host)
            .join("bin/rust-lld")
    }
}
