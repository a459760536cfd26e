//! What `open` makes of a URL and of the place it names: every refusal says what
//! is wrong with what, and a store that is there is found again.
#![allow(clippy::unwrap_used, reason = "tests")]

use wasm_storage_connect::{Options, open};
use wasm_storage_engine::{Durability, Error, Kind, SessionOptions, Store};

/// The error of opening `url`.
fn refused(url: &str, options: &Options) -> Error {
    open(url, options).expect_err(url)
}

fn put(store: &Store, key: &[u8], value: &[u8]) {
    let ns = store.default_namespace().unwrap();
    let mut session = store.begin(SessionOptions::read_write());
    session.put(ns, key, value).unwrap();
    let outcome = session.commit();
    assert!(
        matches!(outcome, wasm_storage_engine::Outcome::Committed(_)),
        "{outcome:?}"
    );
}

fn get(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    let ns = store.default_namespace().unwrap();
    let mut value = None;
    store
        .begin(SessionOptions::read_only())
        .get(ns, key, |bytes| value = Some(bytes.to_vec()))
        .unwrap();
    value
}

#[test]
fn a_store_in_memory_is_new_each_time() {
    for create in [true, false] {
        let options = Options {
            create,
            ..Options::default()
        };
        let store = open("memory:", &options).unwrap();
        assert_eq!(get(&store, b"key"), None);
        put(&store, b"key", b"value");
        assert_eq!(get(&store, b"key").as_deref(), Some(&b"value"[..]));
    }
}

#[test]
fn a_url_that_names_no_backend_is_the_callers_fault() {
    for url in ["", "redis://host", "memory:x", "fjall:", "fjall://data"] {
        let error = refused(url, &Options::default());
        assert_eq!(error.kind(), Kind::InvalidArgument, "{error}");
        assert!(error.to_string().contains(url), "{error}");
    }
}

#[test]
fn a_durability_that_cannot_be_kept_is_refused() {
    let asked = |word| Options {
        durability: Some(word),
        ..Options::default()
    };
    let error = refused("memory:", &asked(Durability::Synced));
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.to_string().contains("synced"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store").display().to_string();
    let error = refused(&path, &asked(Durability::Replicated));
    if cfg!(feature = "fjall") {
        assert!(error.to_string().contains("replicated"), "{error}");
        open(&path, &asked(Durability::OsBuffer)).unwrap();
    }
}

#[cfg(not(feature = "fjall"))]
#[test]
fn a_backend_that_was_not_built_in_is_named_with_its_feature() {
    for url in ["fjall:data", "data"] {
        let error = refused(url, &Options::default());
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("feature \"fjall\""), "{error}");
    }
}

#[cfg(feature = "fjall")]
#[test]
fn a_store_is_kept_and_a_bare_path_means_fjall() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store").display().to_string();
    let url = format!("fjall:{path}");
    let options = Options::default();
    put(&open(&path, &options).unwrap(), b"first", b"value");
    let store = open(&url, &options).unwrap();
    assert_eq!(store.capabilities().name, "fjall");
    put(&store, b"second", b"value");
    store.close().unwrap();
    drop(store);
    let store = open(&path, &options).unwrap();
    for key in [&b"first"[..], b"second"] {
        assert_eq!(get(&store, key).as_deref(), Some(&b"value"[..]));
    }
}

#[cfg(feature = "redb")]
#[test]
fn a_redb_store_is_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let url = format!("redb:{}", path.display());
    let store = open(&url, &Options::default()).unwrap();
    assert_eq!(store.capabilities().name, "redb");
    put(&store, b"key", b"value");
    drop(store);
    assert!(path.is_file());
    let store = open(&url, &Options::default()).unwrap();
    assert_eq!(get(&store, b"key").as_deref(), Some(&b"value"[..]));
}

#[cfg(feature = "fjall")]
#[test]
fn without_create_a_missing_store_is_an_error_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none");
    let options = Options {
        create: false,
        ..Options::default()
    };
    let error = refused(path.to_str().unwrap(), &options);
    assert_eq!(error.kind(), Kind::InvalidArgument);
    assert_eq!(error.to_string(), format!("no store at {}", path.display()));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[cfg(feature = "fjall")]
#[test]
fn a_bad_path_is_refused_at_once_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let foreign = dir.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("notes.txt"), "text").unwrap();
    // Waiting would not help, so a wait that no test survives is not waited.
    let options = Options {
        wait: std::time::Duration::from_secs(3600),
        ..Options::default()
    };
    for (path, text) in [
        (file.clone(), "is a file"),
        (file.join("store"), "is a file"),
        (foreign, "notes.txt"),
        (dir.path().join("a/b"), "parent folder"),
    ] {
        let error = refused(path.to_str().unwrap(), &options);
        assert_eq!(error.kind(), Kind::InvalidArgument, "{error}");
        let message = error.to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        2,
        "nothing was made"
    );
}
