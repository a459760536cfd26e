//! What `Fjall::open` makes of the place it is given. Every refusal names the
//! path, and leaves the place as it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use wasm_storage_engine::kv::{Batch, OrderedKv, Snapshot};
use wasm_storage_engine::{Durability, Error, KeyRange, Kind, Order};
use wasm_storage_fjall::{Config, Fjall};

fn open(path: &Path) -> Result<Fjall, Error> {
    Fjall::open(&Config::new(path))
}

/// The error of opening `path`: of `kind`, with the path and `text` in it.
fn refused(path: &Path, kind: Kind, text: &str) {
    let error = open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    let message = error.to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    assert!(message.contains(text), "{message}");
}

fn put(kv: &Fjall, key: &[u8], value: &[u8]) {
    kv.apply(
        &Batch::from_sorted(vec![(key, Some(value))]),
        Durability::Synced,
    )
    .unwrap();
}

fn get(kv: &Fjall, key: &[u8]) -> Option<Vec<u8>> {
    let mut value = None;
    kv.snapshot()
        .unwrap()
        .get(key, &mut |bytes| value = Some(bytes.to_vec()))
        .unwrap();
    value
}

/// Every file and folder under `path`, with sizes.
fn listing(path: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let size = entry.metadata().unwrap().len();
        if entry.path().is_dir() {
            found.extend(listing(&entry.path()));
        }
        found.push((entry.path(), size));
    }
    found.sort();
    found
}

#[test]
fn a_store_is_made_in_a_new_folder_and_in_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("new");
    let kv = open(&new).unwrap();
    assert_eq!(kv.path(), new);
    put(&kv, b"key", b"value");
    drop(kv);
    assert_eq!(
        get(&open(&new).unwrap(), b"key").as_deref(),
        Some(&b"value"[..])
    );

    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    put(&open(&empty).unwrap(), b"key", b"value");
}

#[test]
fn only_the_last_folder_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("store");
    refused(&path, Kind::InvalidArgument, "parent folder");
    assert!(!dir.path().join("missing").exists());
}

#[test]
fn without_create_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for path in [dir.path().join("none"), empty] {
        let error = Fjall::open(&Config {
            create: false,
            ..Config::new(&path)
        })
        .unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidArgument);
        assert_eq!(error.to_string(), format!("no store at {}", path.display()));
    }
    assert!(!dir.path().join("none").exists());
    assert_eq!(listing(&dir.path().join("empty")), []);

    let there = dir.path().join("there");
    drop(open(&there).unwrap());
    Fjall::open(&Config {
        create: false,
        ..Config::new(&there)
    })
    .unwrap();
}

#[test]
fn a_file_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    refused(&file, Kind::InvalidArgument, "is a file");
    refused(&file.join("store"), Kind::InvalidArgument, "is a file");
    assert_eq!(fs::read(&file).unwrap(), b"text");
}

#[test]
fn a_folder_of_something_else_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (i, name) in ["notes.txt", "version", "0.jnl", "lock/x", "keyspaces"]
        .iter()
        .enumerate()
    {
        let path = dir.path().join(i.to_string());
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "1.2.3 of something else").unwrap();
        let before = listing(&path);
        let kind = if *name == "0.jnl" {
            // This might be a store whose `version` was lost.
            Kind::Corrupt
        } else {
            Kind::InvalidArgument
        };
        refused(&path, kind, name.split('/').next().unwrap());
        assert_eq!(listing(&path), before, "{name}");
    }
}

#[test]
fn a_fjall_database_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other");
    let db = fjall::Database::builder(&path).open().unwrap();
    let items = db.keyspace("items", Default::default).unwrap();
    items.insert("a", "b").unwrap();
    drop((items, db));
    refused(&path, Kind::InvalidArgument, "another program");
    let db = fjall::Database::builder(&path).open().unwrap();
    assert_eq!(db.keyspace_count(), 1, "no keyspace of ours was added");
    let items = db.keyspace("items", Default::default).unwrap();
    assert_eq!(items.get("a").unwrap().as_deref(), Some(&b"b"[..]));
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
fn set_mode(path: &Path, file: u32, folder: u32) {
    use std::os::unix::fs::PermissionsExt;

    for (inside, _) in listing(path) {
        let mode = if inside.is_dir() { folder } else { file };
        fs::set_permissions(inside, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(folder)).unwrap();
}

#[cfg(unix)]
#[test]
fn a_place_that_may_not_be_written_is_refused_and_named() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    put(&open(&path).unwrap(), b"key", b"value");
    fs::create_dir(dir.path().join("empty")).unwrap();
    set_mode(dir.path(), 0o444, 0o555);
    let before = listing(dir.path());
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
    for (name, doing) in [
        ("store", "opening its lock"),
        ("empty", "opening the store"),
        ("new", "making the folder"),
    ] {
        let path = dir.path().join(name);
        let Some(error) = refusal(&path) else { return };
        let begin = format!("Io: {}: {doing}: ", path.display());
        assert!(error.starts_with(&begin), "{error}");
        assert!(error.contains("ermission denied"), "{error}");
    }
    assert_eq!(listing(dir.path()), before);
    set_mode(dir.path(), 0o644, 0o755);
    assert!(get(&open(&path).unwrap(), b"key").is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_system_that_takes_no_files_is_named() {
    let path = Path::new("/sys/wasm-storage-test");
    refused(path, Kind::Io, "making the folder");
}

#[test]
fn another_format_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    put(&open(&path).unwrap(), b"key", b"value");
    let version = path.join("version");
    for (format, kind, text) in [
        (1, Kind::Unsupported, "fjall's format 1"),
        (2, Kind::Unsupported, "fjall's format 2"),
        (4, Kind::Unsupported, "fjall's format 4"),
        (255, Kind::Unsupported, "fjall's format 255"),
        (0, Kind::Corrupt, "no format"),
    ] {
        fs::write(&version, [b'F', b'J', b'L', format]).unwrap();
        let before = listing(&path);
        refused(&path, kind, text);
        assert_eq!(listing(&path), before);
    }
    fs::write(&version, b"FJL\x03").unwrap();
    assert!(get(&open(&path).unwrap(), b"key").is_some());
}

/// The lengths that a copy can be cut to. (A journal that is cut is in `tail.rs`: cut
/// inside its last batch, it is like one whose end was never written.)
#[test]
fn a_store_with_a_truncated_file_is_corrupt_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    with_tables(&path);
    // Removes versions that nothing names any more, which is no change that counts.
    drop(open(&path).unwrap());
    let mut tried = 0;
    for (file, _) in listing(&path.join("keyspaces")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let in_tables = file.parent().unwrap().ends_with("tables");
        if file.is_dir() || !(in_tables || name == "current") {
            continue;
        }
        let whole = fs::read(&file).unwrap();
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..length]).unwrap();
            let before = listing(&path);
            refused(&path, Kind::Corrupt, "");
            assert_eq!(listing(&path), before, "{} to {length}", file.display());
            tried += 1;
        }
        fs::write(&file, &whole).unwrap();
    }
    assert!(tried > 10, "{tried}");
    let kv = open(&path).unwrap();
    assert!(get(&kv, &0_u32.to_be_bytes()).is_some());
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let first = open(&path).unwrap();
    refused(&path, Kind::Unavailable, "held by another process");
    first.close().unwrap();
    let snapshot = first.snapshot().unwrap();
    drop(first);
    refused(&path, Kind::Unavailable, "held by another process");
    drop(snapshot);
    open(&path).unwrap();
}

/// A creation killed between two of its steps used to leave a folder that fjall
/// never opens again: it finds no `version`, begins anew and stumbles over `0.jnl`.
#[test]
fn a_creation_that_was_killed_at_any_step_is_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let steps: [&dyn Fn(&Path); 9] = [
        &|_| {},
        &|path| fs::write(path.join("lock"), "").unwrap(),
        &|path| fs::create_dir(path.join("keyspaces")).unwrap(),
        &|path| fs::write(path.join("0.jnl"), "").unwrap(),
        &|path| fs::write(path.join("0.jnl"), vec![0; 1 << 20]).unwrap(),
        &|path| fs::write(path.join("version"), "").unwrap(),
        &|path| fs::write(path.join("version"), "FJL").unwrap(),
        &|path| fs::write(path.join("version"), "FJL\x03").unwrap(),
        &|path| fs::create_dir_all(path.join("keyspaces/0/tables")).unwrap(),
    ];
    for killed_after in 0..steps.len() {
        let path = dir.path().join(killed_after.to_string());
        fs::create_dir(&path).unwrap();
        for step in &steps[..=killed_after] {
            step(&path);
        }
        let kv = open(&path).unwrap_or_else(|error| panic!("step {killed_after}: {error}"));
        put(&kv, b"key", b"value");
        drop(kv);
        let kv = open(&path).unwrap();
        assert_eq!(get(&kv, b"key").as_deref(), Some(&b"value"[..]));
    }
}

#[test]
fn a_creation_in_progress_elsewhere_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let lock = fs::File::create(path.join("lock")).unwrap();
    lock.lock().unwrap();
    fs::write(path.join("0.jnl"), vec![0; 100]).unwrap();
    refused(path, Kind::Unavailable, "held by another process");
    assert!(path.join("0.jnl").exists());
}

/// A store with more than stays in memory, so that there are tables; closed.
fn with_tables(path: &Path) {
    let kv = open(path).unwrap();
    let value: Vec<u8> = (0..1u32 << 20).flat_map(u32::to_le_bytes).collect();
    for key in 0..12u32 {
        put(&kv, &key.to_be_bytes(), &value);
    }
    while fs::read_dir(path.join("keyspaces/1/tables"))
        .unwrap()
        .next()
        .is_none()
    {
        std::thread::yield_now();
    }
}

/// fjall starts a new catalog where it finds none and deletes the keyspaces that
/// are not in it: a restored backup with one file missing was emptied on opening.
#[test]
fn a_store_with_a_file_missing_is_corrupt_and_not_emptied() {
    for missing in [
        "version",
        "keyspaces/0/current",
        "keyspaces/1/current",
        "lock",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        with_tables(&path);
        fs::remove_file(path.join(missing)).unwrap();
        let before = listing(&path);
        refused(&path, Kind::Corrupt, "");
        assert_eq!(listing(&path), before, "{missing}");
    }
}

/// fjall did not check which state a keyspace's `current` names. One wrong bit in
/// the catalog's made it start from an earlier, empty catalog and delete all data;
/// one in a version file aborted the process.
#[test]
fn a_wrong_bit_in_what_names_the_tables_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(open(&path).unwrap());
    let mut damaged = 0;
    for (file, size) in listing(&path.join("keyspaces")) {
        let name = file.file_name().unwrap().to_str().unwrap();
        if file.is_dir() || !(name == "current" || name.starts_with('v')) {
            continue;
        }
        let keyspace = file.parent().unwrap();
        let current = fs::read(keyspace.join("current")).unwrap();
        let used = format!("v{}", u64::from_le_bytes(current[..8].try_into().unwrap()));
        if name != "current" && name != used {
            continue;
        }
        let whole = fs::read(&file).unwrap();
        for at in 0..usize::try_from(size).unwrap() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            refused(&path, Kind::Corrupt, "current");
            damaged += 1;
        }
        fs::write(&file, &whole).unwrap();
    }
    assert!(damaged > 100, "{damaged}");
    open(&path).unwrap();
}

#[test]
fn foreign_names_inside_a_store_are_refused_without_a_panic() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 4] = [
        ("x.jnl", |path| fs::write(path, "").unwrap()),
        ("7.JNL", |path| fs::write(path, "").unwrap()),
        ("9.jnl", |path| fs::create_dir(path).unwrap()),
        ("keyspaces/lost+found", |path| fs::create_dir(path).unwrap()),
    ];
    for (name, make) in cases {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        drop(open(&path).unwrap());
        make(&path.join(name));
        refused(&path, Kind::Corrupt, name);
    }
}

#[test]
fn data_that_left_the_journal_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let value: Vec<u8> = (0..1u32 << 20).flat_map(u32::to_le_bytes).collect();
    let kv = open(&path).unwrap();
    let early = kv.snapshot().unwrap();
    for key in 0..40u32 {
        put(&kv, &key.to_be_bytes(), &value);
    }
    let mut seen = 0;
    early
        .scan(&KeyRange::ALL, Order::Forward, &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 0, "the snapshot from before");
    drop((early, kv));
    let kv = open(&path).unwrap();
    for key in 0..40u32 {
        assert!(get(&kv, &key.to_be_bytes()).as_ref() == Some(&value));
    }
}
