//! Calls in parts: what stays when one is stopped, that the next goes on there, and
//! what is said. The guest makes each entry once, and its value says so.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::fs::File;
use std::io::Read;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Ended, Place, run};
use wasm_storage_connect::{Options, open};
use wasm_storage_engine::CommitId;

/// Entries of a part.
const PART: usize = 100;

fn job(place: &Place, args: &[&str]) -> Ended {
    place.run("long_job", &[args, &["--parts"]].concat())
}

/// How many parts are stored: whole ones, each done once.
#[track_caller]
fn parts(place: &Place) -> usize {
    let shown = place.scan();
    let (next, done): (Vec<&str>, Vec<&str>) =
        shown.lines().partition(|line| line.starts_with("next\t"));
    assert!(done.iter().all(|line| line.ends_with("\tu32 1")), "{shown}");
    let parts = match next[..] {
        [] => 0,
        [line] => line.strip_prefix("next\tu32 ").unwrap().parse().unwrap(),
        _ => panic!("{shown}"),
    };
    assert_eq!(done.len(), parts * PART, "whole parts");
    parts
}

#[test]
fn a_job_that_comes_to_its_end_prints_its_result_and_no_more() {
    let place = Place::new();
    assert_eq!(job(&place, &["work", "7"]).success(), "7\n");
    assert_eq!(parts(&place), 7);
    assert_eq!(job(&place, &["work", "7"]).success(), "0\n", "all is done");
    assert_eq!(parts(&place), 7);
}

#[test]
fn parts_are_denied_without_the_flag_and_nothing_stays() {
    let place = Place::new();
    let denied = place.run("long_job", &["work", "7"]);
    denied.failure(1, &["the host does not grant ending a part of a call"]);
    assert_eq!(place.scan(), "");
}

#[test]
fn a_job_that_traps_fails_or_runs_out_of_time_keeps_its_parts_and_goes_on_there() {
    for (function, words) in [
        ("work_then_trap", &["the guest trapped", "unreachable"][..]),
        ("work_then_fail", &["out of stock"]),
        ("work_then_spin", &["not done after 2s"]),
    ] {
        let place = Place::new();
        let stopped = job(&place, &[function, "7", "3", "--timeout", "2s"]);
        let words = [words, &["; 3 parts of the call stay"]].concat();
        stopped.failure(1, &words);
        assert_eq!(parts(&place), 3, "{function}");
        assert_eq!(job(&place, &["work", "7"]).success(), "4\n", "{function}");
        assert_eq!(parts(&place), 7, "{function}");
    }
    // In its first part, it is a call like any other.
    let place = Place::new();
    let stopped = job(&place, &["work_then_trap", "7", "0"]);
    stopped.failure(1, &["the guest trapped"]);
    assert!(!stopped.err.contains("part"), "{}", stopped.err);
    assert_eq!(parts(&place), 0);
}

/// Waits until the store's journal has the first entry of a part: all parts before it
/// are whole. Another process writes it: it can only be looked at again.
fn wait_for_part(place: &Place, part: u32) {
    // The key of an entry: the map, and the number.
    let entry = [&b"done\0"[..], &(part * 100).to_be_bytes()].concat();
    let began = Instant::now();
    loop {
        let mut journal = Vec::new();
        if let Ok(file) = File::open(place.store().join("0.jnl")) {
            file.take(1 << 20).read_to_end(&mut journal).unwrap();
        }
        if journal.windows(entry.len()).any(|bytes| bytes == entry) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no part {part}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_job_that_is_killed_keeps_its_parts_and_goes_on_there() {
    let place = Place::new();
    let spinning = ["work_then_spin", "7", "4", "--parts", "--timeout", "1h"];
    let mut child = place.command(run("long_job", &spinning)).spawn().unwrap();
    wait_for_part(&place, 3);
    child.kill().unwrap();
    child.wait().unwrap();
    // The fourth was being written, or was.
    let kept = parts(&place);
    assert!(kept == 3 || kept == 4, "{kept}");
    let left = job(&place, &["work", "7"]).success();
    assert_eq!(left, format!("{}\n", 7 - kept));
    assert_eq!(parts(&place), 7);
}

/// The disk that is full is a limit on the size of files.
#[cfg(target_os = "linux")]
#[test]
fn an_unknown_outcome_names_its_commit_and_the_parts_that_stay() {
    const BLOCKS: u32 = 8192; // of 512 bytes: 4 MiB
    let place = Place::new();
    // fjall sets 64 MiB aside when it makes a store.
    for _ in 0..2 {
        place.run("counter", &["value"]).success();
    }
    let fill = place.command(run("long_job", &["fill", "50000", "--parts", "--no-cache"]));
    let mut limited = Command::new("sh");
    // Beyond its limit, a write fails instead of ending the process.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"");
    limited
        .args(["-c", &script])
        .arg(fill.get_program())
        .args(fill.get_args())
        .current_dir(place.path(""));
    let ended = Ended::from(limited.output().unwrap());
    ended.failure(
        5,
        &[
            "may or may not have happened",
            "File too large",
            "; ",
            " parts of the call stay",
        ],
    );
    println!("{}", ended.err);

    let word = |before: &str, after: &str| {
        let (_, rest) = ended.err.split_once(before).unwrap();
        rest.split_once(after).unwrap().0.to_string()
    };
    let commit: CommitId = word("commit ", " may or may not").parse().unwrap();
    let (told, _) = ended.err.split_once(" parts of the call stay").unwrap();
    let told: usize = told.rsplit_once("; ").unwrap().1.parse().unwrap();
    assert!(told > 3);

    place
        .run("counter", &["value"])
        .failure(3, &["verify --accept"]);
    // It may have a torn write to tell of.
    assert_eq!(place.cli(["verify", "--accept"]).code, Some(0));
    let url = place.store().into_os_string().into_string().unwrap();
    let store = open(&url, &Options::default()).unwrap();
    let happened = store.outcome(commit).unwrap().unwrap();
    store.close().unwrap();
    drop(store);
    let shown = place.scan();
    let stored = shown.lines().filter(|l| l.starts_with("bulk/")).count();
    assert_eq!(stored, told + usize::from(happened), "{commit} {happened}");
}
