//! `cargo xtask demo`: the promise of this project, shown on the real command line and checked.
//!
//! Every step is a process of its own on one store in a temporary folder. Each command is printed
//! as a user would type it, with its output and its time; the first check that fails ends the demo
//! with an error. How a command is run is in [`cli`], what words are is in [`words`].

mod cli;
mod words;

use crate::error::{At, Error, Result};
use crate::guests::Guests;
use crate::workspace::Workspace;
use cli::{Call, Cli};
use std::fs;
use std::path::{Path, PathBuf};
use words::Counts;

/// Real text that every Debian has.
const LICENCES: &str = "/usr/share/common-licenses";

/// The range asked of the word counts: from the first word to before the second.
const RANGE: (&str, &str) = ("lib", "lif");

/// Runs the demo over `texts`, or over texts found on this machine.
pub(crate) fn run(workspace: &Workspace, texts: &[PathBuf]) -> Result<()> {
    let texts = if texts.is_empty() {
        found(workspace)?
    } else {
        texts.to_vec()
    };
    let guests = Guests::of(workspace)?.build()?;
    let cli = Cli::build(workspace, guests)?;
    counter(&cli)?;
    count_words(&cli, &texts)?;
    trap(&cli)?;
    of_2020(&cli)?;
    println!("\nWhat the store holds, decoded by its tags:");
    let scan = cli.scan()?;
    check(!scan.is_empty(), "the scan shows entries")?;
    println!("\ndemo: every check held");
    Ok(())
}

fn counter(cli: &Cli<'_>) -> Result<()> {
    println!("\nA counter in three processes; the number outlives each:");
    for expected in ["1", "2", "3"] {
        let output = cli.run(&Call::of("counter", "increment"))?;
        check(
            output.trim() == expected,
            &format!("the counter says {expected}"),
        )?;
    }
    Ok(())
}

fn count_words(cli: &Cli<'_>, texts: &[PathBuf]) -> Result<()> {
    println!(
        "\nThe words of {} files, each file fed by a process of its own:",
        texts.len()
    );
    for text in texts {
        cli.run(&Call::of("words", "feed").input(text))?;
    }
    let reference = words::by_shell(texts)?;

    let top = words::parse(&cli.run(&Call::of("words", "top"))?)?;
    let most = reference.most(10);
    let counts = |counts: &Counts| {
        counts
            .most(10)
            .into_iter()
            .map(|(_, count)| count)
            .collect()
    };
    let top_counts: Vec<u64> = counts(&top);
    let expected: Vec<u64> = most.iter().map(|(_, count)| *count).collect();
    check(
        top_counts == expected && reference.agrees_on(&top),
        &format!("the top {} are those of the shell", most.len()),
    )?;

    let (from, to) = RANGE;
    let range = cli.run(&Call::of("words", "range").text(&format!("{from} {to}")))?;
    let range = words::parse(&range)?;
    check(
        range == reference.range(from, to),
        &format!(
            "the range {from} to {to} has the shell's {} words",
            range.distinct()
        ),
    )?;

    let all = words::parse(&cli.run(&Call::of("words", "all"))?)?;
    if let Some(difference) = reference.difference(&all) {
        return Err(Error::new(format!(
            "the guest and the shell count differently: {difference}"
        )));
    }
    check(
        all == reference,
        &format!(
            "all {} words, {} in total, are counted as by tr | sort | uniq -c",
            all.distinct(),
            all.total()
        ),
    )
}

fn trap(cli: &Cli<'_>) -> Result<()> {
    println!("\nA guest that stores twice, then traps; nothing of it stays:");
    let before = cli.scan_quietly()?;
    let status = cli.fail(&Call::of("trap_midway", "store_twice_then_trap"))?;
    check(status == Some(1), "the exit code is 1")?;
    check(
        cli.scan_quietly()? == before,
        "a scan shows the same entries as before",
    )
}

fn of_2020(cli: &Cli<'_>) -> Result<()> {
    println!(
        "\nPrograms over the storage crates of 2020 as they were published; what one stores, every other reads:"
    );
    let stored = cli.run(&Call::of("ssvm_2020", "store_all"))?;
    for module in ["ssvm_2020", "wasmedge_2020", "compat_2020"] {
        let checked = cli.run(&Call::of(module, "check_all"))?;
        check(
            checked == stored && !stored.trim().is_empty(),
            &format!("{module} finds all {} values", stored.trim()),
        )?;
    }
    Ok(())
}

/// Prints a check that holds; one that does not is an error.
fn check(holds: bool, what: &str) -> Result<()> {
    if holds {
        println!("  ok: {what}");
        return Ok(());
    }
    Err(Error::new(format!(
        "the demo's check does not hold: {what}"
    )))
}

/// The licences of this machine, else the documentation of this project.
fn found(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let root = &workspace.root;
    for folder in [Path::new(LICENCES), root, &root.join("docs")] {
        let texts = files(folder)?;
        if !texts.is_empty() {
            return Ok(texts);
        }
    }
    Err(
        Error::new("there is no text on this machine to count words in")
            .remedy("name some: cargo xtask demo FILE..."),
    )
}

/// The text files directly in a folder, in the order of their names; links would count twice.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let licences = folder == Path::new(LICENCES);
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.at("read", folder)?;
        let (path, kind) = (entry.path(), entry.file_type().at("look at", folder)?);
        let markdown = path.extension().is_some_and(|extension| extension == "md");
        if kind.is_file() && (licences || markdown) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
