//! The two file operations of setup that std has for Unix only.
//!
//! The routes that need them are Debian's; elsewhere they fail by these errors, and xtask builds.

use crate::error::{At, Result};
use std::path::Path;

/// Makes `link` a symbolic link to `original`, and the folder it is in.
pub(super) fn symlink(original: &Path, link: &Path) -> Result<()> {
    if let Some(folder) = link.parent() {
        std::fs::create_dir_all(folder).at("make the folder", folder)?;
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(original, link);
    #[cfg(not(unix))]
    let made = Err(only_unix(original));
    made.at("make the link", link)
}

/// Makes a script one that can be run.
pub(super) fn make_executable(script: &Path) -> Result<()> {
    #[cfg(unix)]
    let made =
        std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    #[cfg(not(unix))]
    let made = Err(only_unix(script));
    made.at("make executable", script)
}

#[cfg(not(unix))]
fn only_unix(_path: &Path) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}
