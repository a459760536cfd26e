//! A store that another process holds: waited for, then refused with the holder
//! named. The other process is this test binary, started again with a variable
//! that makes it hold the store.
#![cfg(feature = "fjall")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use wasm_storage_connect::{Options, open};
use wasm_storage_engine::{Error, Kind};

/// Names the store that the child is to hold.
const HOLD: &str = "WASM_STORAGE_TEST_HOLD";
/// What it prints when it has it.
const READY: &str = "the store is open";

/// Not a test of its own: what the child runs.
#[test]
fn child() {
    let Some(path) = std::env::var_os(HOLD) else {
        return;
    };
    let store = open(path.to_str().unwrap(), &Options::default()).unwrap();
    println!("{READY}");
    // Until the parent ends us, or its end of the pipe goes away with it.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(store);
}

/// A process that holds a store. Its output stays open: it prints when it ends.
struct Holding(Child, BufReader<ChildStdout>);

impl Holding {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(HOLD, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let ready = (&mut out).lines().any(|line| line.unwrap().contains(READY));
        assert!(ready, "the child could not open {}", path.display());
        Holding(child, out)
    }

    /// SIGKILL: the child cleans nothing up.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// The child drops the store and exits.
    fn end(mut self) {
        drop(self.0.stdin.take());
        self.1.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // After `kill` and `end` there is nothing left to do.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn within(dir: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    (dir.path().join("store"), dir.path().join("store.holder"))
}

fn options(wait: Duration) -> Options {
    Options {
        wait,
        ..Options::default()
    }
}

fn refused(path: &Path, wait: Duration) -> Error {
    let error = open(path.to_str().unwrap(), &options(wait)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    assert!(
        error.to_string().contains(&path.display().to_string()),
        "{error}"
    );
    error
}

#[test]
fn a_held_store_is_refused_after_the_wait_with_its_holder_named() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let child = Holding::start(&path);

    let wait = Duration::from_millis(300);
    let began = Instant::now();
    let message = refused(&path, wait).to_string();
    let took = began.elapsed();
    assert!(took >= wait, "{took:?}");
    assert!(took < wait + Duration::from_secs(10), "{took:?}");
    assert!(message.contains("300 ms"), "{message}");

    let pid = child.0.id();
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    assert!(message.contains(&format!("{program}, pid {pid}, since 20")));
    let text = fs::read_to_string(&note).unwrap();
    assert!(text.starts_with(&format!("pid {pid}\n")), "{text}");

    child.end();
    assert!(!note.exists(), "removed when the store was dropped");
    open(path.to_str().unwrap(), &options(Duration::ZERO)).unwrap();
}

#[test]
fn a_store_is_had_as_soon_as_its_holder_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let child = Holding::start(&path);
    refused(&path, Duration::ZERO);
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| open(path.to_str().unwrap(), &options(Duration::from_secs(3600))));
        child.kill();
        let store = waiting.join().unwrap().unwrap();
        let text = fs::read_to_string(&note).unwrap();
        assert!(
            text.contains(&format!("pid {}\n", std::process::id())),
            "the note of the killed one is written over: {text}"
        );
        drop(store);
    });
    assert!(!note.exists());
}

#[test]
fn a_holder_without_a_note_or_with_a_stale_one_is_not_misnamed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let child = Holding::start(&path);

    for unreadable in [None, Some("nonsense")] {
        fs::remove_file(&note).unwrap();
        if let Some(text) = unreadable {
            fs::write(&note, text).unwrap();
        } else {
            fs::create_dir(&note).unwrap();
        }
        let message = refused(&path, Duration::ZERO).to_string();
        assert!(message.contains("held by another process ("), "{message}");
        if unreadable.is_none() {
            fs::remove_dir(&note).unwrap();
            fs::write(&note, "").unwrap();
        }
    }

    // No process of any system has this id.
    let text = format!(
        "pid {}\nprogram gone\nsince 2001-01-01T00:00:00Z\n",
        i32::MAX
    );
    fs::write(&note, text).unwrap();
    let message = refused(&path, Duration::ZERO).to_string();
    if cfg!(unix) {
        assert!(message.contains("no longer runs (gone, pid"), "{message}");
    }
    child.end();
}

#[test]
fn a_store_that_this_process_has_open_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let store = open(path.to_str().unwrap(), &Options::default()).unwrap();
    let message = refused(&path, Duration::ZERO).to_string();
    assert!(message.contains("this process itself"), "{message}");
    store.close().unwrap();
    assert!(!note.exists(), "removed when the store was closed");
    drop(store);
    assert!(!note.exists());
}

#[test]
fn the_note_is_the_same_however_the_path_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let detour = dir.path().join("store/../store/");
    open(path.to_str().unwrap(), &Options::default()).unwrap();
    let store = open(detour.to_str().unwrap(), &Options::default()).unwrap();
    assert!(note.exists());
    drop(store);
    assert!(!note.exists());
}

#[cfg(unix)]
#[test]
fn a_note_is_not_written_through_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = within(&dir);
    let victim = dir.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, &note).unwrap();
    let store = open(path.to_str().unwrap(), &Options::default()).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(fs::symlink_metadata(&note).unwrap().is_file());
    drop(store);
}
