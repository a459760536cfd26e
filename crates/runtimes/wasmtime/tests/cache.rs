//! The folder of compiled modules: private, filled by the first load, used by the
//! next.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{GUEST, entries, store};
use wasm_storage_engine::{Error, Kind};
use wasm_storage_wasmtime::{Call, Runtime, RuntimeOptions};

fn runtime(cache: &Path) -> Result<Runtime, Error> {
    Runtime::new(&RuntimeOptions {
        cache: Some(cache.into()),
        ..RuntimeOptions::default()
    })
}

fn mode(folder: &Path) -> u32 {
    folder.metadata().unwrap().permissions().mode() & 0o7777
}

/// The compiled modules in a folder, with what changes when one is written again.
/// (Wasmtime writes statistics beside them whenever it likes.)
fn compiled(folder: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none() {
                let file = path.metadata().unwrap();
                found.insert(path, (file.ino(), file.mtime(), file.mtime_nsec()));
            }
        }
    }
    found
}

#[test]
fn the_folder_is_made_private_and_the_second_load_compiles_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("not/there/yet");
    let wasm = wat::parse_str(GUEST).unwrap();
    let first = runtime(&folder).unwrap();
    assert_eq!(mode(&folder), 0o700);
    assert!(compiled(&folder).is_empty());
    first.load_bytes("guest.wasm", &wasm).unwrap();
    let files = compiled(&folder);
    assert_eq!(files.len(), 1, "{files:?}");
    drop(first);

    let (store, ns) = store();
    let second = runtime(&folder).unwrap();
    let module = second.load_bytes("guest.wasm", &wasm).unwrap();
    assert_eq!(compiled(&folder), files, "neither added nor written again");
    second
        .call(&store, &module, &Call::new("store", ns))
        .unwrap();
    assert_eq!(entries(&store, ns).len(), 1);
}

/// Wasmtime takes absolute paths only, and its refusal came out as a defect of ours.
#[test]
fn a_relative_path_is_taken_from_where_the_program_runs() {
    let temp = tempfile::tempdir().unwrap();
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let folder = up
        .join(temp.path().strip_prefix("/").unwrap())
        .join("cache");
    assert!(folder.is_relative());
    runtime(&folder).unwrap();
    assert_eq!(mode(&temp.path().join("cache")), 0o700);
}

#[test]
fn a_folder_of_ours_that_others_could_read_is_closed_to_them() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    runtime(&folder).unwrap();
    assert_eq!(mode(&folder), 0o700);
}

/// What is in the folder is run as machine code. A folder into which others can have
/// put something was made private and then trusted; and `--cache /tmp` would have
/// closed `/tmp` to everybody else.
#[test]
fn a_folder_into_which_others_may_write_is_refused_and_left_as_it_is() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("cache");
    std::fs::create_dir(&folder).unwrap();
    for open in [0o1777, 0o777, 0o770, 0o702] {
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(open)).unwrap();
        let error = runtime(&folder).unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        let text = error.to_string();
        assert!(text.contains("cache") && text.contains("write"), "{text}");
        assert_eq!(mode(&folder), open);
    }
}

#[test]
fn a_folder_that_is_a_file_is_an_error_that_names_it() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("a-file");
    std::fs::write(&file, b"not a folder").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = runtime(&path).unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
        assert!(error.to_string().contains("a-file"), "{error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}
