//! How many syncs a commit costs: counted from outside, by strace or by a small
//! library that is preloaded. Where there is neither, the test says so; in CI it fails.
//!
//! Opening and closing are taken out by subtraction: a run of 110 commits less a run
//! of 10. (Linux only; elsewhere nothing can be preloaded like this.)
//!
//! Of writers that commit together there are fewer syncs than commits. How many depends
//! on who comes in time; where each commit to the engine is held until all wait, on
//! nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SYNCS: &str = "trace=fsync,fdatasync,msync,sync_file_range,syncfs,sync";
const COMMITS: u64 = 100;
const WARM_UP: u64 = 10;

/// What counts.
enum Tool {
    Strace,
    Preload(PathBuf),
}

impl Tool {
    /// All that work here.
    fn found(folder: &Path) -> Vec<Tool> {
        let strace = Command::new("strace")
            .args(["-f", "-qq", "-e", SYNCS, "-o", "/dev/null", "true"])
            .stderr(Stdio::null())
            .status();
        let mut found = Vec::new();
        if strace.is_ok_and(|status| status.success()) {
            found.push(Tool::Strace);
        }
        let library = folder.join("count_syncs.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/count_syncs.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let built = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        if built.is_ok_and(|status| status.success()) {
            found.push(Tool::Preload(library));
        }
        found
    }

    fn name(&self) -> &'static str {
        match self {
            Tool::Strace => "strace",
            Tool::Preload(_) => "preload",
        }
    }

    /// Syncs of a process that opens a store, commits so often, and closes it.
    fn count(&self, folder: &Path, backend: &str, word: &str, more: &[&str]) -> u64 {
        let program = env!("CARGO_BIN_EXE_stress");
        let counted = folder.join("counted");
        let mut command = match self {
            Tool::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-e", SYNCS, "-o"]);
                command.arg(&counted).arg(program);
                command
            }
            Tool::Preload(library) => {
                let mut command = Command::new(program);
                command.env("LD_PRELOAD", library);
                command.env("COUNT_SYNCS_TO", &counted);
                command
            }
        };
        let status = command
            .args(["commits", "--backend", backend, "--durability", word])
            .args(more)
            .status()
            .unwrap();
        assert!(status.success(), "{backend} {word}: {status}");
        let text = fs::read_to_string(&counted).unwrap();
        fs::remove_file(&counted).unwrap();
        match self {
            // `12345 fsync(4) = 0`; one that another thread interrupts has a second
            // line, `<... fsync resumed>`; the rest are signals and exits.
            Tool::Strace => {
                let calls = text.lines().filter(|line| {
                    line.contains('(') && !line.contains("resumed>") && !line.contains("+++")
                });
                u64::try_from(calls.count()).unwrap()
            }
            Tool::Preload(_) => text.trim().parse().unwrap(),
        }
    }
}

/// All tools that work here; none is a failure in CI.
fn tools(folder: &Path) -> Vec<Tool> {
    let tools = Tool::found(folder);
    if tools.is_empty() {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        println!("skipped: neither strace nor a C compiler");
        assert!(!in_ci, "syncs must be counted in CI");
    }
    tools
}

#[test]
fn a_synced_commit_is_one_sync_on_each_engine_and_no_other_commit_is_any() {
    let expected = [
        ("fjall", "synced", 1),
        ("fjall", "os-buffer", 0),
        ("redb", "synced", 1),
        ("redb", "memory", 0),
        ("memory", "memory", 0),
    ];
    let folder = tempfile::tempdir().unwrap();
    for tool in tools(folder.path()) {
        for (backend, word, syncs) in expected {
            let count = |commits: u64| {
                let count = ["--count", &commits.to_string()];
                tool.count(folder.path(), backend, word, &count)
            };
            let few = count(WARM_UP);
            let many = count(WARM_UP + COMMITS);
            println!(
                "{}: {backend} {word}: {} syncs for {COMMITS} commits, {few} for opening, \
                 {WARM_UP} commits and closing",
                tool.name(),
                many - few
            );
            assert_eq!(
                many - few,
                syncs * COMMITS,
                "{}: {backend} {word}",
                tool.name()
            );
        }
    }
}

/// Held, the groups are as large as they can be: one writer is alone in a group, the
/// others are in the next. Not held, a group is one sync at most.
#[test]
fn writers_that_commit_together_share_their_syncs() {
    const WRITERS: u64 = 16;
    const EACH: u64 = 10;
    let folder = tempfile::tempdir().unwrap();
    for tool in tools(folder.path()) {
        for backend in ["fjall", "redb"] {
            for held in [true, false] {
                let count = |each: u64| {
                    let (writers, each) = (WRITERS.to_string(), each.to_string());
                    let words = ["--writers", &writers, "--count", &each, "--gathered"];
                    let words = &words[..if held { 5 } else { 4 }];
                    tool.count(folder.path(), backend, "synced", words)
                };
                let (none, all) = (count(0), count(EACH));
                let (syncs, commits) = (all - none, WRITERS * EACH);
                println!(
                    "{}: {backend}, {WRITERS} writers, {}: {syncs} syncs for {commits} commits, \
                     {}.{} commits for each",
                    tool.name(),
                    if held { "held" } else { "not held" },
                    commits / syncs,
                    commits * 10 / syncs % 10,
                );
                let most = if held { commits / 2 } else { commits };
                assert!(0 < syncs && syncs <= most, "{}: {backend}", tool.name());
            }
        }
    }
}
