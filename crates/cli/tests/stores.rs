//! Stores that cannot be opened, are not there, or are in use: exit code 3, a
//! message that names the path, and nothing made or lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use common::{Ended, Place, run};

/// The words of each command that opens a store, `--store` aside.
fn commands() -> [Vec<String>; 3] {
    [
        run("counter", &["increment"]),
        vec!["get".into(), "counter".into()],
        vec!["scan".into()],
    ]
}

#[test]
fn a_missing_store_is_not_made_by_looking_for_it() {
    let place = Place::new();
    for command in &commands()[1..] {
        let ended = place.cli(command);
        ended.failure(3, &["no store at", "wasm-storage.db"]);
        let ended = place.cli([&command[..], &["--store".into(), "fjall:x.db".into()]].concat());
        ended.failure(3, &["no store at", "x.db"]);
    }
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 0);
}

#[test]
fn a_path_where_no_store_can_be_is_named() {
    let place = Place::new();
    place.file("file", "not a store");
    fs::create_dir(place.path("folder")).unwrap();
    place.file("folder/notes.txt", "not a store");
    for command in commands() {
        for (store, words) in [
            ("file", ["file", "is a file"]),
            ("file/store.db", ["file/store.db", "is a file"]),
            ("folder", ["folder", "notes.txt"]),
        ] {
            let at = ["--store".to_string(), store.to_string()];
            place.cli([&command[..], &at].concat()).failure(3, &words);
        }
    }
    let orphan = place.run("counter", &["increment", "--store", "none/store.db"]);
    orphan.failure(3, &["none/store.db", "parent folder", "missing"]);
    assert!(!place.path("none").exists());
    assert_eq!(fs::read_dir(place.path("folder")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_to() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let locked = place.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // The modes of files do not bind root.
    if fs::write(locked.join("probe"), "").is_ok() {
        return;
    }
    let ended = place.run("counter", &["increment", "--store", "locked/store.db"]);
    ended.failure(3, &["locked/store.db", "denied"]);
}

#[test]
fn a_url_that_is_none_is_a_usage_error() {
    let place = Place::new();
    for command in commands() {
        for (url, words) in [
            ("redis://localhost", "no backend \"redis\""),
            ("fjall:", "path is missing"),
            ("", "URL is empty"),
        ] {
            let store = ["--store".to_string(), url.to_string()];
            place
                .cli([&command[..], &store].concat())
                .failure(2, &[words, "fjall:PATH"]);
        }
    }
    let mut command = place.command(["scan"]);
    let output = command.env("WASM_STORAGE_URL", "").output().unwrap();
    Ended::from(output).failure(2, &["URL is empty"]);
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 0);
}

/// A guest that runs until it is killed; it has the default store open.
struct Running(Child);

impl Running {
    fn start(place: &Place, function: &str) -> Self {
        let args = run("infinite_loop", &[function, "--timeout", "1h"]);
        let child = Running(place.command(args).spawn().unwrap());
        let pid = format!("pid {}\n", child.0.id());
        let note = place.path("wasm-storage.db.holder");
        wait_for(&note, |text| {
            text.starts_with(&pid) && text.contains("since")
        });
        child
    }

    /// SIGKILL: it cleans nothing up.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Another process writes the file: it can only be looked at again.
fn wait_for(file: &Path, written: impl Fn(&str) -> bool) {
    let began = Instant::now();
    while !fs::read_to_string(file).is_ok_and(|text| written(&text)) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{}",
            file.display()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_store_that_another_process_holds_is_refused_with_its_holder_named() {
    let place = Place::new();
    assert_eq!(place.run("counter", &["increment"]).success(), "1\n");
    let running = Running::start(&place, "spin");
    let holder = format!("wasm-storage, pid {}", running.0.id());
    // Each waits two seconds for the store: they do so together.
    std::thread::scope(|scope| {
        for command in commands() {
            let (place, holder) = (&place, &holder);
            scope.spawn(move || {
                let ended = place.cli(command);
                ended.failure(3, &["wasm-storage.db", "held by another process", holder]);
            });
        }
    });
    running.kill();
    assert_eq!(place.run("counter", &["increment"]).success(), "2\n");
}

#[test]
fn a_store_is_had_as_soon_as_its_holder_ends() {
    let place = Place::new();
    let running = Running::start(&place, "spin");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| place.run("counter", &["increment"]));
        running.kill();
        assert_eq!(waiting.join().unwrap().success(), "1\n");
    });
}

#[test]
fn a_call_that_is_killed_leaves_nothing() {
    let place = Place::new();
    assert_eq!(place.run("counter", &["increment"]).success(), "1\n");
    Running::start(&place, "spin_storing").kill();
    assert_eq!(place.scan(), "counter\ti64 1\n");
    assert_eq!(place.run("counter", &["increment"]).success(), "2\n");
}
