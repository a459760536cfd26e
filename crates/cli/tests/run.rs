//! `run`: calls that succeed. What is stored outlives the process, arguments and
//! input reach the guest, results reach the caller.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Place, run};

#[test]
fn a_counter_counts_over_three_processes() {
    let place = Place::new();
    for expected in ["1\n", "2\n", "3\n"] {
        assert_eq!(place.run("counter", &["increment"]).success(), expected);
    }
    assert_eq!(place.run("counter", &["value"]).success(), "3\n");
    assert!(
        place.store().is_dir(),
        "the default store is in this folder"
    );
}

#[test]
fn words_of_several_processes_add_up() {
    let place = Place::new();
    let file = place.file("second.txt", "The dog; the END.");
    let first = place.cli_with(
        b"the cat and the dog",
        run("words", &["feed", "--input", "-"]),
    );
    assert_eq!(first.success(), "5 words, 4 distinct\n");
    let second = place.run("words", &["feed", "--input", &file]);
    assert_eq!(second.success(), "4 words, 3 distinct\n");

    assert_eq!(
        place.run("words", &["top"]).success(),
        "4 the\n2 dog\n1 and\n1 cat\n1 end\n"
    );
    let range = place.cli_with(b"cat e", run("words", &["range", "--input", "-"]));
    assert_eq!(range.success(), "1 cat\n2 dog\n");
    assert_eq!(
        place.scan(),
        "words/\"and\"\tu64 1\nwords/\"cat\"\tu64 1\nwords/\"dog\"\tu64 2\n\
         words/\"end\"\tu64 1\nwords/\"the\"\tu64 4\n"
    );
}

#[test]
fn without_input_the_guest_finds_none() {
    let place = Place::new();
    let fed = place.run("words", &["feed"]);
    assert_eq!(fed.success(), "0 words, 0 distinct\n");
    let fed = place.cli_with(b"ignored", run("words", &["feed"]));
    assert_eq!(fed.success(), "0 words, 0 distinct\n");
}

#[test]
fn input_that_cannot_be_had_is_named_and_nothing_is_made() {
    let place = Place::new();
    let missing = place.run("words", &["feed", "--input", "no-such.txt"]);
    missing.failure(2, &["no-such.txt", "cannot be read"]);
    let folder = place.run("words", &["feed", "--input", "."]);
    folder.failure(2, &[".", "cannot be read"]);
    assert!(!place.store().exists());
}

#[test]
fn input_over_64_mib_is_refused() {
    let place = Place::new();
    let file = std::fs::File::create(place.path("large")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    let fed = place.run("words", &["feed", "--input", "large"]);
    fed.failure(2, &["large", "limit of 67108864 bytes"]);
    assert!(!place.store().exists());
}

/// Functions that return their arguments.
const ECHO: &str = r#"(module (memory (export "memory") 1)
    (func (export "i32") (param i32) (result i32) local.get 0)
    (func (export "i64") (param i64) (result i64) local.get 0)
    (func (export "f32") (param f32) (result f32) local.get 0)
    (func (export "f64") (param f64) (result f64) local.get 0)
    (func (export "swap") (param i32 f64) (result f64 i32) local.get 1 local.get 0)
    (func (export "nothing")))"#;

#[test]
fn arguments_are_read_by_the_functions_types() {
    let place = Place::new();
    let echo = place.module("echo.wasm", ECHO);
    for (function, argument, printed) in [
        ("i32", "7", "7"),
        ("i32", "-2147483648", "-2147483648"),
        ("i32", "4294967295", "-1"),
        ("i32", "0xffffffff", "-1"),
        ("i64", "-1", "-1"),
        ("i64", "18446744073709551615", "-1"),
        ("i64", "0x7fffffffffffffff", "9223372036854775807"),
        ("f32", "-1.5", "-1.5"),
        ("f64", "-2e300", "-2e300"),
        ("f64", "3", "3.0"),
    ] {
        let echoed = place.cli(["run", &echo, function, argument]).success();
        assert_eq!(echoed, format!("{printed}\n"), "{function} {argument}");
    }
    let results = place.cli(["run", &echo, "swap", "-3", "0.5"]);
    assert_eq!(results.success(), "0.5\n-3\n", "one result a line");
    assert_eq!(place.cli(["run", &echo, "nothing"]).success(), "");
    // What the argument parser would take for an option goes behind `--`.
    let echoed = place.cli(["run", &echo, "i32", "--", "-0x10"]);
    assert_eq!(echoed.success(), "-16\n");
}

#[test]
fn store_and_namespace_come_from_options_or_the_environment() {
    let place = Place::new();
    let count = run("counter", &["increment"]);
    let with = |args: &[&str], env: &[(&str, &str)]| {
        let mut command =
            place.command(count.iter().map(String::as_str).chain(args.iter().copied()));
        command.envs(env.iter().copied());
        common::Ended::from(command.output().unwrap()).success()
    };
    let env = [
        ("WASM_STORAGE_URL", "fjall:other.db"),
        ("WASM_STORAGE_NAMESPACE", "ns"),
    ];
    assert_eq!(with(&[], &[]), "1\n");
    assert_eq!(with(&["--namespace", "ns"], &[]), "1\n");
    assert_eq!(with(&["--namespace", "ns"], &[]), "2\n");
    assert_eq!(with(&[], &env), "1\n");
    assert_eq!(with(&["--store", "other.db"], &env), "2\n");
    assert_eq!(with(&["--store", "other.db"], &[]), "1\n");
    assert_eq!(with(&["--store", "memory:"], &env), "1\n");
    assert_eq!(with(&["--namespace", "default"], &env), "2\n");
    let other = ["get", "counter", "--store", "other.db", "--namespace", "ns"];
    assert_eq!(place.cli(other).success(), "i64 2\n");
}

#[test]
fn a_granted_namespace_is_made_and_both_are_written_together() {
    let place = Place::new();
    let granted = |args: &[&str]| place.run("two_stores", &[args, &["--grant", "ledger"]].concat());
    assert_eq!(granted(&["put", "-5", "0xff"]).success(), "");
    assert_eq!(granted(&["put", "2", "1"]).success(), "");
    assert_eq!(place.run("two_stores", &["own"]).success(), "-3\n");
    assert_eq!(granted(&["ledger"]).success(), "256\n");
    assert_eq!(place.scan(), "balance\ti64 -3\n");
    let ledger = place.cli(["scan", "--namespace", "ledger"]);
    assert_eq!(ledger.success(), "balance\ti64 256\n");

    granted(&["put_then_trap", "1", "1"]).failure(1, &["trapped", "unreachable"]);
    assert_eq!(place.run("two_stores", &["own"]).success(), "-3\n");
    assert_eq!(granted(&["ledger"]).success(), "256\n");
}

#[test]
fn a_namespace_that_is_not_granted_is_denied() {
    let place = Place::new();
    let denied = place.run("two_stores", &["put", "1", "2"]);
    denied.failure(1, &["\"ledger\"", "not granted"]);
    let other = place.run("two_stores", &["put", "1", "2", "--grant", "vault"]);
    other.failure(1, &["\"ledger\"", "not granted"]);
    assert_eq!(place.run("two_stores", &["try_ledger"]).success(), "-6\n");
    assert_eq!(
        place.scan(),
        "",
        "the write to its own namespace is gone too"
    );
    let made = place.cli(["scan", "--namespace", "vault"]);
    assert_eq!(made.success(), "", "a granted namespace is made");
    let missing = place.cli(["scan", "--namespace", "ledger"]);
    missing.failure(2, &["no namespace \"ledger\""]);
}

#[test]
fn a_bad_namespace_name_is_refused_and_nothing_is_made() {
    let place = Place::new();
    let long = "n".repeat(257);
    for (name, word) in [("", "no namespace name"), (&long, "257 bytes")] {
        for option in ["--namespace", "--grant"] {
            let refused = place.run("counter", &["increment", option, name]);
            refused.failure(2, &[word]);
        }
    }
    assert!(!place.store().exists());
}

#[test]
fn compiled_modules_are_kept_in_a_private_folder() {
    let place = Place::new();
    let modules = place.path("cache/wasm-storage/modules");
    place.run("counter", &["increment", "--no-cache"]).success();
    assert!(!modules.exists());
    place.run("counter", &["increment"]).success();
    assert!(std::fs::read_dir(&modules).unwrap().count() > 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&modules).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
    // The specification of the variable: a relative path counts as none.
    let mut command = place.command(run("counter", &["increment"]));
    let output = command.env("XDG_CACHE_HOME", "relative").output().unwrap();
    assert_eq!(common::Ended::from(output).success(), "3\n");
    assert!(place.path("home/.cache/wasm-storage/modules").is_dir());
    assert!(!place.path("relative").exists());
}

#[test]
fn a_cache_that_cannot_be_made_is_done_without() {
    let place = Place::new();
    let file = place.file("file", "not a folder");
    let mut command = place.command(run("counter", &["increment"]));
    let output = command.env("XDG_CACHE_HOME", file).output().unwrap();
    let printed =
        common::Ended::from(output).success_saying("note", &["without a cache", "modules"]);
    assert_eq!(printed, "1\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error_but_the_call_counts() {
    let place = Place::new();
    let mut command = place.command(run("counter", &["increment"]));
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    common::Ended::from(output).failure(3, &["result", "standard output"]);
    assert_eq!(place.run("counter", &["value"]).success(), "1\n");
}

#[test]
fn help_and_version_are_there() {
    let place = Place::new();
    let help = place.cli(["--help"]).success();
    for word in [
        "run",
        "get",
        "scan",
        "Examples:",
        "Exit codes:",
        "WASM_STORAGE_URL",
    ] {
        assert!(help.contains(word), "{word:?} is not in {help}");
    }
    for command in ["run", "get", "scan"] {
        let help = place.cli([command, "--help"]).success();
        assert!(help.contains("Examples:"), "{help}");
    }
    let version = format!("wasm-storage {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(place.cli(["--version"]).success(), version);
}
