//! What setup takes from Debian, by Debian's own tools.
//!
//! Invariant: looking for source changes nothing on the machine. It uses package lists of its own
//! and unpacks without installing; only [`install`] installs, and says so.

use super::cache::Scratch;
use super::link::symlink;
use super::say;
use crate::error::{At, Error, Result};
use crate::process;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps source of recent compilers, the likeliest first.
const SUITES: &str = "trixie-backports forky sid";

/// Debian's keys, where the machine's own list names them file by file.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Downloads and unpacks `rust-src` of exactly this release; returns the root it was unpacked in.
pub(super) fn source_of_std(release: &str, scratch: &Scratch) -> Result<PathBuf> {
    only_debian()?;
    let mirror = mirror()?;
    let suites = std::env::var("WASM_STORAGE_DEBIAN_SUITES").unwrap_or_else(|_| SUITES.to_owned());
    for suite in suites.split_whitespace() {
        say(&format!("looking for rust-src {release} in Debian {suite}"));
        let lists = Lists::of(&mirror, suite, scratch)?;
        let Some(version) = lists.version_of_source(release)? else {
            continue;
        };
        say(&format!("downloading rust-src {version}, about 45 MB"));
        return lists.unpack(&version, scratch);
    }
    Err(
        Error::new(format!("Debian has no rust-src {release} in: {suites}"))
            .remedy("WASM_STORAGE_DEBIAN_SUITES names the suites to search"),
    )
}

/// Installs packages on this machine.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    only_debian()?;
    let user = process::output(process::command("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err(
            Error::new(format!("installing {} needs root", packages.join(" ")))
                .remedy(format!("as root: apt-get install {}", packages.join(" "))),
        );
    }
    say(&format!("apt-get install {}", packages.join(" ")));
    process::run(apt_get().args(["-qq", "update"]))?;
    process::run(
        apt_get()
            .args(["-qq", "install", "--no-install-recommends"])
            .args(packages),
    )
}

/// Makes `place` a linker for Wasm, where the toolchain brought none.
pub(super) fn provide_linker(place: &Path) -> Result<()> {
    let found = match process::on_path("wasm-ld") {
        Some(linker) => linker,
        None => {
            install(&["lld"])?;
            process::on_path("wasm-ld")
                .ok_or_else(|| Error::new("Debian's package lld brought no wasm-ld"))?
        }
    };
    say(&format!("linker: {}", found.display()));
    symlink(&found, place)
}

fn only_debian() -> Result<()> {
    if process::on_path("apt-get").is_some() && process::on_path("dpkg-deb").is_some() {
        return Ok(());
    }
    Err(Error::new("this is not Debian"))
}

fn apt_get() -> Command {
    let mut command = process::command("apt-get");
    command
        .arg("--assume-yes")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// The mirror that apt uses on this machine.
fn mirror() -> Result<String> {
    let mut command = process::command("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
    ]);
    let mirrors = process::output(&mut command)?;
    let main = mirrors
        .lines()
        .find(|mirror| !mirror.is_empty() && !mirror.contains("security"));
    main.map(str::to_owned).ok_or_else(|| {
        Error::new("apt knows no mirror").remedy("check /etc/apt/sources.list and sources.list.d")
    })
}

/// Package lists of one suite, apart from the machine's own.
struct Lists {
    options: Vec<String>,
}

impl Lists {
    fn of(mirror: &str, suite: &str, scratch: &Scratch) -> Result<Self> {
        let (lists, cache) = (scratch.folder("apt/lists")?, scratch.folder("apt/cache")?);
        scratch.folder("apt/lists/partial")?;
        scratch.folder("apt/cache/archives/partial")?;
        let sources = scratch.folder("apt")?.join("sources.list");
        let line = format!("deb {}{mirror} {suite} main\n", signed_by());
        fs::write(&sources, line).at("write", &sources)?;
        let options = [
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", lists.display()),
            format!("Dir::Cache={}", cache.display()),
            "APT::Get::List-Cleanup=0".to_owned(),
            // apt's own unprivileged user cannot write under a home folder.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ];
        let this = Self {
            options: options.into(),
        };
        process::run(this.with(apt_get()).args(["-qq", "update"]))?;
        Ok(this)
    }

    fn with(&self, mut command: Command) -> Command {
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    fn version_of_source(&self, release: &str) -> Result<Option<String>> {
        let mut apt_cache = self.with(process::command("apt-cache"));
        let table = process::output(apt_cache.args(["madison", "rust-src"]))?;
        Ok(pick(&table, release))
    }

    fn unpack(&self, version: &str, scratch: &Scratch) -> Result<PathBuf> {
        let folder = scratch.folder("deb")?;
        let mut download = self.with(apt_get());
        download.current_dir(&folder).args(["-qq", "download"]);
        process::run(download.arg(format!("rust-src={version}")))?;
        let root = scratch.folder("source")?;
        for entry in fs::read_dir(&folder).at("read", &folder)? {
            let package = entry.at("read", &folder)?.path();
            process::run(
                process::command("dpkg-deb")
                    .arg("-x")
                    .arg(package)
                    .arg(&root),
            )?;
        }
        Ok(root)
    }
}

/// The first version in `apt-cache madison`'s table that is this release, in any packaging.
fn pick(table: &str, release: &str) -> Option<String> {
    let versions = table
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .map(str::trim);
    let of_release = |version: &&str| {
        // 1.95.0+dfsg1-2 and 1.95.0-1, but neither 1.95.01 nor 1.95.0~beta.
        version
            .strip_prefix(release)
            .is_some_and(|rest| rest.starts_with(['+', '-']))
    };
    versions.into_iter().find(of_release).map(str::to_owned)
}

/// Names Debian's keys where the folder that apt trusts by default lacks them.
fn signed_by() -> String {
    let trusted = fs::read_dir("/etc/apt/trusted.gpg.d").is_ok_and(|mut keys| {
        keys.any(|key| key.is_ok_and(|key| key.file_name().to_string_lossy().contains("debian")))
    });
    let keyring = KEYRINGS
        .into_iter()
        .find(|keyring| Path::new(keyring).is_file());
    match keyring {
        Some(keyring) if !trusted => format!("[signed-by={keyring}] "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn picks_the_exact_release_in_any_packaging() {
        let table = "  rust-src | 1.96.0+dfsg1-1~bpo13+1 | mirror suite/main amd64 Packages\n  \
                     rust-src | 1.95.0~beta.3-1 | mirror suite/main amd64 Packages\n  \
                     rust-src | 1.95.0+dfsg1-2~bpo13+1 | mirror suite/main amd64 Packages\n";
        assert_eq!(
            pick(table, "1.95.0").as_deref(),
            Some("1.95.0+dfsg1-2~bpo13+1")
        );
        assert_eq!(pick(table, "1.94.0"), None);
        assert_eq!(pick("", "1.95.0"), None);
    }
}
