//! The only test of a toolchain that counts: compile and link for the target.

use super::TARGET;
use crate::process;
use std::fs;
use std::path::Path;

/// Uses std and an allocation, and is linked: finds a missing std, one of another compiler, and a
/// missing linker.
const PROGRAM: &str = "#[unsafe(no_mangle)] pub extern \"C\" fn f(n: usize) -> usize { String::with_capacity(n).capacity() }\n";

/// Whether this compiler makes a Wasm module for [`TARGET`].
pub(super) fn works(rustc: &Path) -> bool {
    let folder = std::env::temp_dir().join(format!("wasm-storage-probe-{}", std::process::id()));
    let source = folder.join("probe.rs");
    if fs::create_dir_all(&folder).is_err() || fs::write(&source, PROGRAM).is_err() {
        return false;
    }
    let mut command = process::hermetic(process::command(rustc));
    command.args([
        "--target",
        TARGET,
        "--crate-type",
        "cdylib",
        "--crate-name",
        "probe",
    ]);
    let works = process::succeeds(command.arg("--out-dir").arg(&folder).arg(&source));
    // A temp folder that stays behind harms nobody.
    let _ = fs::remove_dir_all(&folder);
    works
}
