//! A write that fails for lack of room: the outcome is unknown, the store takes no
//! more writes and is not opened again until it is checked; then everything
//! acknowledged is there. The disk that is full is a limit on the size of files,
//! under which this test binary runs again as another process.
#![cfg(all(target_os = "linux", feature = "fjall", feature = "redb"))]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_storage_connect::{
    Options, Report, accept, discard_damaged, open, open_with_notes, verify,
};
use wasm_storage_engine::{Kind, Outcome, SessionOptions, Store};

/// Names the store that the child fills.
const FILL: &str = "WASM_STORAGE_TEST_FILL";
/// Something that the child makes once the store is open.
const IN_THE_WAY: &str = "WASM_STORAGE_TEST_IN_THE_WAY";
/// The child's limit, in blocks of 512 bytes: 4 MiB.
const BLOCKS: u32 = 8192;

fn commit(store: &Store, key: u32) -> Outcome {
    let ns = store.default_namespace().unwrap();
    let mut session = store.begin(SessionOptions::read_write());
    for part in 0..3_u32 {
        let key = [key.to_be_bytes(), part.to_be_bytes()].concat();
        session.put(ns, &key, &[7; 50_000]).unwrap();
    }
    session.commit()
}

/// How many of the parts of a commit are there.
fn parts(store: &Store, key: u32) -> usize {
    let ns = store.default_namespace().unwrap();
    let mut session = store.begin(SessionOptions::read_only());
    (0..3_u32)
        .filter(|part| {
            let key = [key.to_be_bytes(), part.to_be_bytes()].concat();
            session.get(ns, &key, |_| {}).unwrap()
        })
        .count()
}

/// Not a test of its own: commits until a write fails.
#[test]
fn child() {
    let Ok(url) = std::env::var(FILL) else { return };
    let store = open(&url, &Options::default()).unwrap();
    if let Some(path) = std::env::var_os(IN_THE_WAY) {
        fs::create_dir(path).unwrap();
    }
    // What tests print of themselves has a line of its own.
    println!();
    for key in 0.. {
        match commit(&store, key) {
            Outcome::Committed(_) => println!("acknowledged {key}"),
            Outcome::Unknown(_, error) => {
                println!("unknown {error}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(parts(&store, 0), 3, "reads go on");
    let ns = store.default_namespace().unwrap();
    let mut session = store.begin(SessionOptions::read_write());
    let refused = session.put(ns, b"another", b"value").unwrap_err();
    println!("then {refused:?}");
}

/// What the child printed behind `word`, in each line that begins so.
fn told<'a>(out: &'a str, word: &str) -> Vec<&'a str> {
    out.lines()
        .filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
        .collect()
}

/// Lets the child fill the store; its output.
fn fill(url: &str, in_the_way: Option<&Path>) -> String {
    let mut shell = Command::new("sh");
    // Beyond its limit, a write fails instead of ending the process.
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS}; exec \"$0\" \"$@\"");
    shell
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FILL, url);
    if let Some(path) = in_the_way {
        shell.env(IN_THE_WAY, path);
    }
    let out = shell.output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{text}{errors}");
    text
}

struct Case {
    dir: tempfile::TempDir,
    url: String,
    mark: PathBuf,
}

/// A store of each engine, made already: fjall sets 64 MiB aside when it makes one.
fn cases() -> [Case; 2] {
    ["fjall", "redb"].map(|engine| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let url = format!("{engine}:{}", path.display());
        for _ in 0..2 {
            drop(open(&url, &Options::default()).unwrap());
        }
        let mark = match engine {
            "fjall" => path.join("NEEDS_CHECK"),
            _ => dir.path().join("store.needs-check"),
        };
        Case { dir, url, mark }
    })
}

#[test]
fn a_store_whose_disk_was_full_is_checked_then_has_everything_acknowledged() {
    let options = Options::default();
    for case in cases() {
        let Case { url, mark, .. } = &case;
        let out = fill(url, None);
        let acknowledged = told(&out, "acknowledged").len();
        let unknown = told(&out, "unknown");
        assert!(acknowledged > 3, "{out}");
        assert!(unknown[0].contains("File too large"), "{out}");
        let then = told(&out, "then");
        for part in ["Unavailable", "the store takes no writes"] {
            assert!(then[0].contains(part), "{out}");
        }

        let text = fs::read_to_string(mark).unwrap();
        assert!(text.contains("File too large"), "{text}");
        for _ in 0..2 {
            let refused = open(url, &options).unwrap_err();
            assert_eq!(refused.kind(), Kind::Corrupt);
            let message = refused.to_string();
            let name = mark.file_name().unwrap().to_str().unwrap();
            for part in [name, "File too large", "wasm-storage verify --accept"] {
                assert!(message.contains(part), "{message}");
            }
            let report = verify(url, &options).unwrap();
            assert!(report.mark.unwrap().contains("File too large"));
        }

        let report = accept(url, &options).unwrap();
        assert!(report.mark.is_some());
        assert!(report.entries >= 3 * acknowledged as u64, "{report:?}");
        assert!(report.commits >= acknowledged as u64, "{report:?}");
        assert!(!mark.exists());
        let store = open(url, &options).unwrap();
        for key in 0..u32::try_from(acknowledged).unwrap() {
            assert_eq!(parts(&store, key), 3, "{url}: commit {key}");
        }
        let last = parts(&store, u32::try_from(acknowledged).unwrap());
        assert!(last == 0 || last == 3, "{url}: a part of a commit");
        assert!(matches!(commit(&store, 2_000_000), Outcome::Committed(_)));
        drop(store);
        assert_eq!(verify(url, &options).unwrap().mark, None);
    }
}

#[test]
fn a_store_that_cannot_be_marked_says_so() {
    for case in cases() {
        let out = fill(&case.url, Some(&case.mark));
        let unknown = told(&out, "unknown")[0];
        for part in ["File too large", "could not be marked", "directory"] {
            assert!(unknown.contains(part), "{unknown}");
        }
        // What is in the way is no mark that can be read: not opened either.
        let refused = open(&case.url, &Options::default()).unwrap_err();
        assert_eq!(refused.kind(), Kind::Io, "{refused}");
        drop(case.dir);
    }
}

#[test]
fn a_store_in_order_is_verified_and_damage_is_named() {
    let options = Options::default();
    for case in cases() {
        let url = &case.url;
        let store = open(url, &options).unwrap();
        for key in 0..10 {
            assert!(matches!(commit(&store, key), Outcome::Committed(_)));
        }
        let held = Options {
            wait: std::time::Duration::ZERO,
            ..options
        };
        assert_eq!(verify(url, &held).unwrap_err().kind(), Kind::Unavailable);
        drop(store);
        let report = accept(url, &options).unwrap();
        let Report {
            entries, commits, ..
        } = report;
        assert_eq!((entries, commits), (5 + 30, 10));
        assert_eq!((report.mark, report.notes.len()), (None, 0));
        assert!(report.bytes > 30 * 50_000);
    }
    let error = verify("memory:", &options).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    let none = std::env::temp_dir().join("wasm-storage-test-none");
    let error = verify(none.to_str().unwrap(), &options).unwrap_err();
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert!(!none.exists(), "nothing is made");
}

#[test]
fn damage_is_refused_and_a_torn_last_write_is_told() {
    let [fjall, _] = cases();
    let store = open(&fjall.url, &Options::default()).unwrap();
    for key in 0..2 {
        assert!(matches!(commit(&store, key), Outcome::Committed(_)));
    }
    drop(store);
    let journal = fjall.dir.path().join("store/0.jnl");
    let mut damaged = fs::read(&journal).unwrap();
    let middle = damaged.len() / 4;
    let whole = damaged[middle];
    damaged[middle] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    let error = verify(&fjall.url, &Options::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    assert!(error.to_string().contains("--discard-damaged"), "{error}");
    let report = discard_damaged(&fjall.url, &Options::default()).unwrap();
    assert!(report.notes[0].contains("damaged bytes"), "{report:?}");
    assert_eq!(report.commits, 0);
    damaged[middle] = whole;
    fs::write(&journal, damaged).unwrap();

    let length = fs::metadata(&journal).unwrap().len();
    let file = fs::File::options().write(true).open(&journal).unwrap();
    file.set_len(length - 100).unwrap();
    drop(file);
    let opened = open_with_notes(&fjall.url, &Options::default()).unwrap();
    assert_eq!((parts(&opened.store, 0), parts(&opened.store, 1)), (3, 0));
    let [note] = &opened.notes[..] else {
        panic!("{:?}", opened.notes);
    };
    assert!(note.starts_with("discarded "), "{note}");
    assert!(note.contains("0.jnl.torn"), "{note}");
}
