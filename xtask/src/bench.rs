//! `cargo xtask bench`: measures rows of the performance goals and keeps them in
//! `docs/performance.md`.
//!
//! Invariant: between the two markers of that file stands what this command has printed and nothing
//! else: the machine, and the last result of each row. Rows that were not measured this time stay,
//! unless they are of another machine. The measuring itself is the program in `benches/`.

use crate::artifacts::{self, Artifact};
use crate::error::{At, Error, Result};
use crate::guests::Guests;
use crate::process;
use crate::setup::{self, TARGET};
use crate::workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BEGIN: &str = "<!-- begin: written by cargo xtask bench -->";
const END: &str = "<!-- end -->";
const HEAD: &str = "\
| row | what | measured | beside it | ratio | goal | met | on |
|---|---|---|---|---|---|---|---|";

/// What is measured if nothing is said; E2 writes a gigabyte.
const USUAL: [&str; 11] = [
    "P1", "P2", "P3", "P4", "P6", "P7", "P8", "P9", "P12", "E1", "E3",
];
const LARGE: &str = "E2";

/// How the command is called.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The rows, such as P7,P9 [default: all but E2]
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Also E2: opening after a kill, with 1 GB stored
    #[arg(long)]
    large: bool,
    /// Keys stored for P1
    #[arg(long, value_name = "N")]
    keys: Option<u64>,
    /// Megabytes stored for E2
    #[arg(long, value_name = "N")]
    megabytes: Option<u64>,
}

/// Builds, measures, and writes the table.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let target = workspace.root.join("benches").join("target");
    let mut command = measuring(workspace, &target)?;
    command.arg("--rows").arg(arguments.rows().join(","));
    for (name, number) in [
        ("--keys", arguments.keys),
        ("--megabytes", arguments.megabytes),
    ] {
        if let Some(number) = number {
            command.arg(name).arg(number.to_string());
        }
    }
    let printed = process::output(&mut command)?;
    let page = workspace.root.join("docs").join("performance.md");
    let old = fs::read_to_string(&page).at("read", &page)?;
    let new = replaced(&old, &printed).ok_or_else(|| {
        Error::new(format!("{} lacks a marker", page.display()))
            .remedy(format!("it needs the lines {BEGIN} and {END}"))
    })?;
    fs::write(&page, new).at("write", &page)?;
    print!("{printed}");
    println!("kept in {}", workspace.short(&page).display());
    Ok(())
}

impl Arguments {
    fn rows(&self) -> Vec<&str> {
        let mut rows: Vec<&str> = self.rows.iter().map(String::as_str).collect();
        if rows.is_empty() {
            rows.extend(USUAL);
        }
        if self.large && !rows.contains(&LARGE) {
            rows.push(LARGE);
        }
        rows
    }
}

/// The program that measures, with all that it needs built.
fn measuring(workspace: &Workspace, target: &Path) -> Result<Command> {
    let guests = guests(workspace, target)?;
    let counters = Guests::of(workspace)?.artifacts("release", |name| name == "counter")?;
    let counter = file(&counters, "counter", "wasm")?;

    let mut cargo = release(workspace, target);
    cargo.current_dir(workspace.root.join("benches"));
    let benches = artifacts::build(&mut cargo)?;
    let mut cargo = release(workspace, target);
    let cli = artifacts::build(cargo.args(["--package", "wasm-storage-cli"]))?;

    let mut command = process::command(file(&benches, "bench", "")?);
    command.arg("run");
    for (name, path) in [
        ("--folder", target.join("stores")),
        ("--guest", file(&guests, "bench_guest", "wasm")?),
        ("--invocation", file(&guests, "bench_invocation", "wasm")?),
        ("--counter", counter),
        ("--cli", file(&cli, "wasm-storage", "")?),
        ("--open-store", file(&benches, "open-store", "")?),
    ] {
        command.arg(name).arg(path);
    }
    Ok(command)
}

/// A release build, the same on every machine. Both workspaces share the folder, so
/// Wasmtime is built once.
fn release(workspace: &Workspace, target: &Path) -> Command {
    let mut cargo = process::hermetic(process::cargo());
    cargo
        .current_dir(&workspace.root)
        .env("CARGO_TARGET_DIR", target)
        .args(["build", "--release"]);
    cargo
}

/// The modules of `benches/guests`.
fn guests(workspace: &Workspace, target: &Path) -> Result<Vec<Artifact>> {
    let toolchain = setup::run()?;
    let mut cargo = toolchain.cargo();
    cargo
        .current_dir(workspace.root.join("benches").join("guests"))
        .env("CARGO_BUILD_TARGET", TARGET)
        .env(
            "CARGO_TARGET_DIR",
            target.join(format!("guests{}", toolchain.folder_suffix()?)),
        )
        .args(["build", "--release", "--workspace"]);
    if toolchain.rustc.is_some() {
        cargo.arg("--ignore-rust-version");
    }
    artifacts::build(&mut cargo)
}

fn file(built: &[Artifact], name: &str, extension: &str) -> Result<PathBuf> {
    let named = built.iter().filter(|artifact| artifact.name == name);
    named
        .filter_map(|artifact| artifact.file(extension))
        .next()
        .map(Path::to_path_buf)
        .ok_or_else(|| Error::new(format!("cargo built no {name}")))
}

/// The page with its table brought up to date; `None` if it has no markers.
fn replaced(page: &str, printed: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (old, after) = rest.split_once(END)?;
    let machine = line(printed, "machine: ")?;
    let mut rows: Vec<&str> = rows(printed).collect();
    if line(old, "Machine: ") == Some(machine) {
        let measured: Vec<&str> = rows.iter().filter_map(|row| id(row)).collect();
        let again = |row: &&str| id(row).is_some_and(|id| measured.contains(&id));
        rows.extend(self::rows(old).filter(|row| !again(row)));
    }
    // Stable: the lines of a row keep their order.
    rows.sort_by_key(|row| place(id(row).unwrap_or_default()));
    let rows = rows.join("\n");
    Some(format!(
        "{before}{BEGIN}\nMachine: {machine}\n\n{HEAD}\n{rows}\n{END}{after}"
    ))
}

fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    let row = |line: &&str| line.starts_with("| P") || line.starts_with("| E");
    text.lines().filter(row)
}

/// `P12` of `| P12 | ...`.
fn id(row: &str) -> Option<&str> {
    row.split(' ').nth(1)
}

/// P before E, then by number.
fn place(id: &str) -> (bool, u32) {
    let number = id.get(1..).and_then(|number| number.parse().ok());
    (!id.starts_with('P'), number.unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, HEAD, replaced};

    const PRINTED: &str = "machine: M\n| P7 | new a |\n| P7 | new b |\n";

    fn page(machine: &str, rows: &str) -> String {
        format!("# T\n{BEGIN}\nMachine: {machine}\n\n{HEAD}\n{rows}\n{END}\nafter\n")
    }

    #[test]
    fn measured_rows_replace_their_like_and_others_stay_in_order() {
        let old = page("M", "| P1 | x |\n| P7 | old |\n| P12 | y |\n| E1 | z |");
        let new = page(
            "M",
            "| P1 | x |\n| P7 | new a |\n| P7 | new b |\n| P12 | y |\n| E1 | z |",
        );
        assert_eq!(replaced(&old, PRINTED).unwrap(), new);
    }

    #[test]
    fn rows_of_another_machine_go() {
        let old = page("other", "| P1 | x |");
        let new = page("M", "| P7 | new a |\n| P7 | new b |");
        assert_eq!(replaced(&old, PRINTED).unwrap(), new);
    }

    #[test]
    fn a_page_without_markers_is_left_alone() {
        assert_eq!(replaced("# T\n", PRINTED), None);
    }
}
