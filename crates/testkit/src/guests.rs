//! Where the guest programs are: small Wasm modules that `cargo xtask guests`
//! builds, for tests that run one.

use std::path::{Path, PathBuf};

/// Names the folder of the built guests, if it is not the workspace's own.
pub const VARIABLE: &str = "WASM_STORAGE_GUESTS";

/// A guest in WAT that is called as those of wasm-bindgen 0.2.61 are: `say` and others.
/// It checks what its allocator is given back, and stores what was freed from outside.
pub const BINDGEN: &str = include_str!("bindgen.wat");

/// Where the module of guest `name` is.
///
/// # Panics
///
/// If it has not been built; the message says how to.
pub fn path(name: &str) -> PathBuf {
    let file = folder().join(format!("{name}.wasm"));
    assert!(
        file.is_file(),
        "the guest {name:?} is not at {}: run `cargo xtask guests` first",
        file.display()
    );
    file
}

/// The module of guest `name`.
///
/// # Panics
///
/// If it has not been built or cannot be read.
pub fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return folder.into();
    }
    // This crate is crates/testkit.
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = crate_folder.ancestors().nth(2).unwrap_or(crate_folder);
    // Tests run in their crate's folder, cargo in the workspace's.
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    workspace.join(target).join("guests")
}

#[cfg(test)]
mod tests {
    #[test]
    #[should_panic(expected = "run `cargo xtask guests` first")]
    fn a_guest_that_is_not_built_says_how_to_build_it() {
        super::path("no-such-guest");
    }
}
