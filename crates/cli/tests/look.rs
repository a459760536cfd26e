//! `get` and `scan`: what is stored, shown readably, without changing anything.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io::{BufRead, BufReader, Read};

use common::{Ended, Place};
use wasm_storage_codec::record::i64_entry;

const LONG: [u8; 100] = [0xee; 100];

/// A store with keys of every kind.
fn store() -> Place {
    let place = Place::new();
    place.put([
        (&b"visits"[..], &i64_entry(-3)[..]),
        (b"greeting", b"\x0f\0hello \x1b[31m"),
        (b"two words", b"\x0d\0\x01"),
        (b"odd", b"\xffnot an entry"),
        (b"long", &LONG),
        (b"stock\0sku-1\0\0", b"\x08\0\x07\0\0\0"),
        (b"stock\0a\0\0b\0\0", b"\x10\0\x01\xff"),
        (
            b"orders\0\0\0\0\x07\0\0\0\0\0\0\0\x01",
            b"\x0b\0\0\0\xc0\x3f",
        ),
        (b"\0\x01\0\0\0\0\0\0\0\x07", b"\x0f\0seven"),
        (b"\0\x04\x01price\0\0", b"\x11\0\x03\x01\0\0\0\x02\0\0\0"),
        (
            b"\0\x04\x05\x01a\0\0\x03\0\0\0\0\0\0\0\x07",
            b"\x0e\0\xfc\0\0\0",
        ),
        (b"\0\x02legacy", b"\x0f\0raw"),
    ]);
    place
}

/// What `scan` shows of it, in the order of the keys' bytes.
const SHOWN: &str = "\
minted 7\tstring \"seven\"
2020 \"legacy\"\thex 0f00726177 (5 bytes)
at \"price\"\ti32[2] 1 2
at (\"a\", 7u64)\tchar 'ü'
greeting\tstring \"hello \\u{1b}[31m\"
long\thex eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee… (100 bytes)
odd\thex ff6e6f7420616e20656e747279 (13 bytes)
orders/000000070000000000000001\tf32 1.5
stock/\"a\", \"b\"\tbytes 01ff
stock/\"sku-1\"\tu32 7
\"two words\"\tbool true
visits\ti64 -3
";

#[test]
fn scan_shows_every_kind_of_key_and_value() {
    assert_eq!(store().scan(), SHOWN);
}

#[test]
fn scan_takes_a_prefix_a_limit_and_can_leave_values_out() {
    let place = store();
    let scan = |args: &[&str]| place.cli([&["scan"], args].concat()).success();
    assert_eq!(
        scan(&["stock"]),
        "stock/\"a\", \"b\"\tbytes 01ff\nstock/\"sku-1\"\tu32 7\n"
    );
    assert_eq!(scan(&["no such"]), "");
    assert_eq!(scan(&["--limit", "2"]), first_lines(2));
    assert_eq!(scan(&["--limit", "0"]), "");
    assert_eq!(scan(&["--limit", "12"]), SHOWN);
    assert_eq!(scan(&["--limit", "13"]), SHOWN);
    let keys: String = SHOWN
        .lines()
        .map(|line| format!("{}\n", line.split_once('\t').unwrap().0))
        .collect();
    assert_eq!(scan(&["--keys-only"]), keys);
}

fn first_lines(count: usize) -> String {
    SHOWN.split_inclusive('\n').take(count).collect()
}

#[test]
fn with_hex_keys_and_the_prefix_are_hex() {
    let place = store();
    let scan = |args: &[&str]| place.cli([&["scan", "--hex"], args].concat());
    assert_eq!(scan(&["7669"]).success(), "766973697473\ti64 -3\n");
    assert_eq!(
        scan(&["0001"]).success(),
        "00010000000000000007\tstring \"seven\"\n"
    );
    scan(&["visits"]).failure(2, &["\"visits\"", "hex", "digits"]);
    // What it shows, `get --hex` takes.
    let keys = scan(&["--keys-only"]).success();
    assert_eq!(keys.lines().count(), 12);
    for (key, line) in keys.lines().zip(SHOWN.lines()) {
        let value = place.cli(["get", "--hex", key]).success();
        assert_eq!(value.trim_end(), line.split_once('\t').unwrap().1);
    }
}

#[test]
fn get_finds_an_entry_by_name_number_or_bytes() {
    let place = store();
    let get = |args: &[&str]| place.cli([&["get"], args].concat());
    assert_eq!(get(&["visits"]).success(), "i64 -3\n");
    assert_eq!(get(&["two words"]).success(), "bool true\n");
    assert_eq!(get(&["--minted", "7"]).success(), "string \"seven\"\n");
    assert_eq!(get(&["--hex", "766973697473"]).success(), "i64 -3\n");
    assert_eq!(
        get(&["odd"]).success(),
        "hex ff6e6f7420616e20656e747279 (13 bytes)\n"
    );
    assert_eq!(get(&["visits", "--raw"]).out, i64_entry(-3));
    assert_eq!(get(&["long", "--raw"]).out, LONG);
}

#[test]
fn get_of_nothing_names_the_key_and_the_namespace() {
    let place = store();
    let get = |args: &[&str]| place.cli([&["get"], args].concat());
    get(&["visit"]).failure(1, &["nothing", "visit ", "\"default\""]);
    get(&["stock"]).failure(1, &["nothing", "stock"]);
    get(&["--minted", "8"]).failure(1, &["nothing", "minted 8"]);
    get(&["--hex", "ff"]).failure(1, &["nothing", "hex ff"]);
    get(&["--raw", ""]).failure(1, &["nothing", "\"\""]);
}

#[test]
fn get_wants_exactly_one_key() {
    let place = store();
    let get = |args: &[&str]| place.cli([&["get"], args].concat());
    get(&[]).misuse(&["KEY", "--minted", "--hex"]);
    get(&["visits", "--minted", "7"]).misuse(&["cannot be used with"]);
    get(&["--minted", "0"]).misuse(&["--minted", "1..=9007199254740991"]);
    get(&["--minted", "9007199254740992"]).misuse(&["--minted"]);
    get(&["--hex", "0"]).misuse(&["--hex", "digits"]);
    let over = "k".repeat(4097);
    get(&[&over]).failure(2, &["4097", "limit of 4096 bytes"]);
    let scan = place.cli(["scan", &over]);
    scan.failure(2, &["4097", "limit of 4096 bytes"]);
    get(&[&"k".repeat(4096)]).failure(1, &["nothing"]);
}

#[test]
fn a_missing_namespace_is_named_and_not_made() {
    let place = store();
    for _ in 0..2 {
        for command in [&["get", "visits"][..], &["scan"]] {
            let ended = place.cli([command, &["--namespace", "nowhere"]].concat());
            ended.failure(2, &["no namespace \"nowhere\""]);
        }
    }
}

#[test]
fn looking_changes_nothing() {
    let place = store();
    let state = || {
        let mut files: Vec<_> = walk(&place.store());
        files.sort();
        files
    };
    place.scan();
    let before = state();
    place.scan();
    place.cli(["get", "visits"]).success();
    assert_eq!(state(), before);
    assert!(!place.path("cache").exists());
}

/// The files in a folder with their bytes.
fn walk(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.push((path, bytes));
        }
    }
    files
}

/// A store whose listing is many pages long.
fn large() -> (Place, String) {
    let place = Place::new();
    let entries: Vec<_> = (0..5000_i64)
        .map(|n| (format!("key-{n:05}-{}", "x".repeat(40)), i64_entry(n)))
        .collect();
    place.put(
        entries
            .iter()
            .map(|(key, value)| (key.as_bytes(), &value[..])),
    );
    let listing = entries
        .iter()
        .enumerate()
        .map(|(n, (key, _))| format!("{key}\ti64 {n}\n"))
        .collect();
    (place, listing)
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let (place, listing) = large();
    assert_eq!(place.scan(), listing);
    let limited = place.cli(["scan", "key-", "--limit", "4321"]).success();
    assert_eq!(limited.lines().count(), 4321);
    assert!(listing.starts_with(&limited));
}

#[test]
fn a_reader_that_goes_away_ends_the_scan_quietly() {
    let (place, listing) = large();
    let mut child = place.command(["scan"]).spawn().unwrap();
    let mut out = BufReader::with_capacity(100, child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(listing.starts_with(&line));
    drop(out);
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    let ended = Ended {
        code: child.wait().unwrap().code(),
        out: Vec::new(),
        err,
    };
    assert_eq!(ended.success(), "");
}
