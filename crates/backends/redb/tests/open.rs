//! What `Redb::open` makes of the place it is given. Every refusal names the path,
//! and leaves the place as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;

use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Durability, Error, Kind};
use wasm_storage_redb::{Config, Redb};

fn open(path: &Path) -> Result<Redb, Error> {
    Redb::open(&Config::new(path))
}

/// The error of opening `path`: of `kind`, with the path and `text` in it.
fn refused(path: &Path, kind: Kind, text: &str) {
    let error = open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let message = error.to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(message.contains(text), "{message}");
}

/// Where the header says how long the file is. After a kill redb does not believe it
/// and writes it anew, by the file's length, before it looks further.
const COUNTS: std::ops::Range<usize> = 24..32;

/// The same for a file of these bytes, which stays as it is and is alone.
fn refused_bytes(path: &Path, bytes: &[u8], kind: Kind, text: &str) {
    fs::write(path, bytes).unwrap();
    refused(path, kind, text);
    let mut now = fs::read(path).unwrap();
    if let (Some(now), Some(bytes)) = (now.get_mut(COUNTS), bytes.get(COUNTS)) {
        now.copy_from_slice(bytes);
    }
    assert!(now == bytes, "it was changed: {text}");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_takes_no_files_is_named() {
    refused(Path::new("/sys/wasm-storage-test"), Kind::Io, "opening");
}

fn put(kv: &Redb, key: &[u8], value: &[u8]) {
    let batch = Batch::from_sorted(vec![(key, Some(value))]);
    kv.apply(&batch, Durability::Synced).unwrap();
}

fn has(kv: &Redb, key: &[u8], value: &[u8]) -> bool {
    let mut same = false;
    let mut out = |bytes: &[u8]| same = bytes == value;
    kv.snapshot().unwrap().get(key, &mut out).unwrap();
    same
}

/// The bytes of a store with some entries, closed or as a kill leaves it.
fn bytes(path: &Path, killed: bool) -> Vec<u8> {
    let kv = open(path).unwrap();
    for key in 0..200_u8 {
        put(&kv, &[key], &[key; 500]);
    }
    let open = fs::read(path).unwrap();
    drop(kv);
    let closed = fs::read(path).unwrap();
    if killed { open } else { closed }
}

#[test]
fn a_store_is_made_in_a_new_file_and_in_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["new", "empty"] {
        let path = dir.path().join(name);
        if name == "empty" {
            fs::write(&path, "").unwrap();
        }
        let kv = open(&path).unwrap();
        assert_eq!(kv.path(), path);
        put(&kv, b"key", b"value");
        drop(kv);
        assert!(has(&open(&path).unwrap(), b"key", b"value"));
    }
}

#[test]
fn a_place_where_no_store_can_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    refused(dir.path(), Kind::InvalidArgument, "is a folder");
    refused(&file.join("store"), Kind::InvalidArgument, "is a file");
    let missing = dir.path().join("missing/store");
    refused(&missing, Kind::InvalidArgument, "parent folder");
    assert!(!dir.path().join("missing").exists());
}

#[test]
fn without_create_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let config = Config {
        create: false,
        ..Config::new(&path)
    };
    for empty in [false, true] {
        if empty {
            fs::write(&path, "").unwrap();
        }
        let error = Redb::open(&config).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidArgument);
        assert_eq!(error.to_string(), format!("no store at {}", path.display()));
    }
    assert_eq!(fs::read(&path).unwrap(), b"");
    drop(open(&path).unwrap());
    Redb::open(&config).unwrap();
}

#[test]
fn a_file_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut behind_zeros = vec![0; 2000];
    behind_zeros[1000] = 1;
    for bytes in [&b"text"[..], b"SQLite format 3\0", b"redb", &behind_zeros] {
        let text = "something else than a redb store";
        refused_bytes(&path, bytes, Kind::InvalidArgument, text);
    }
}

#[test]
fn a_database_of_another_program_is_refused_when_it_is_used() {
    use redb::{Database, TableDefinition};
    const ITEMS: TableDefinition<'_, &str, u64> = TableDefinition::new("data");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other");
    let db = Database::create(&path).unwrap();
    let transaction = db.begin_write().unwrap();
    drop(transaction.open_table(ITEMS).unwrap());
    transaction.commit().unwrap();
    drop(db);
    refused(&path, Kind::Corrupt, "data");
}

/// redb refused for ever what it had itself left when it was killed while it made a
/// store: a file with its length and without its magic.
#[test]
fn a_creation_that_was_killed_at_any_step_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let whole = bytes(&path, false);
    let mut without_magic = vec![0; whole.len()];
    without_magic[9..320].copy_from_slice(&whole[9..320]);
    for left in [vec![], vec![0; 5], vec![0; whole.len()], without_magic] {
        fs::write(&path, left).unwrap();
        let kv = open(&path).unwrap();
        put(&kv, b"key", b"value");
        drop(kv);
        assert!(has(&open(&path).unwrap(), b"key", b"value"));
    }
}

#[test]
fn a_truncated_store_is_corrupt_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    for killed in [false, true] {
        let path = dir.path().join("store");
        let whole = bytes(&path, killed);
        for length in [320, 4096, 8192, 100_000, whole.len() / 2, whole.len() - 1] {
            refused_bytes(&path, &whole[..length], Kind::Corrupt, "opening");
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn another_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let whole = bytes(&path, false);
    for (version, text) in [(2, "format 2"), (9, "found 9")] {
        let mut other = whole.clone();
        // The versions of the two commit slots.
        other[64] = version;
        other[64 + 128] = version;
        refused_bytes(&path, &other, Kind::Unsupported, text);
    }
}

/// Opens the store that a variable names; the test that sets it runs this as a user
/// who may not write.
#[test]
fn child() {
    let Some(path) = std::env::var_os(READ_ONLY) else {
        return;
    };
    let error = open(Path::new(&path)).unwrap_err();
    println!("{REFUSED}{:?}: {error}", error.kind());
}

const READ_ONLY: &str = "WASM_STORAGE_TEST_READ_ONLY";
const REFUSED: &str = "refused with ";

#[cfg(unix)]
#[test]
fn a_store_that_may_not_be_written_is_refused_and_named() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let whole = bytes(&path, false);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let refusal = |path: &Path| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", "child", "--nocapture"])
            .env(READ_ONLY, path);
        // Permissions do not bind root. (Nobody's number is the same everywhere.)
        if fs::write(dir.path().join("probe"), "").is_ok() {
            fs::remove_file(dir.path().join("probe")).unwrap();
            child.uid(65534).gid(65534);
        }
        let out = match child.output() {
            Ok(out) => String::from_utf8(out.stdout).unwrap(),
            Err(error) => {
                println!("left out: nobody may not run this test: {error}");
                return None;
            }
        };
        Some(out.split_once(REFUSED).unwrap().1.to_string())
    };
    for path in [path.clone(), dir.path().join("new")] {
        let Some(error) = refusal(&path) else { return };
        let begin = format!("Io: {}: opening the store: ", path.display());
        assert!(error.starts_with(&begin), "{error}");
        assert!(error.contains("ermission denied"), "{error}");
    }
    assert!(fs::read(&path).unwrap() == whole);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let first = open(&path).unwrap();
    refused(&path, Kind::Unavailable, "held by another process");
    let snapshot = first.snapshot().unwrap();
    drop(first);
    refused(&path, Kind::Unavailable, "held by another process");
    drop(snapshot);
    open(&path).unwrap();
}

#[test]
fn a_creation_in_progress_elsewhere_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fs::write(&path, vec![0; 100]).unwrap();
    let lock = fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    refused(&path, Kind::Unavailable, "held by another process");
    assert_eq!(fs::read(&path).unwrap(), [0; 100]);
}
