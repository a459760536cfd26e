//! The real binary in a folder of its own: what every test here starts from.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use wasm_storage_connect::{Options, open};
use wasm_storage_engine::{Outcome, SessionOptions};

/// A folder with no store in it yet. Commands run there, so that the default
/// store is `wasm-storage.db` in it; their cache of modules is there as well.
pub(crate) struct Place(tempfile::TempDir);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The default store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("wasm-storage.db")
    }

    /// A file in the folder; its path.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    /// A module in the folder, from its text; its path.
    pub(crate) fn module(&self, name: &str, text: &str) -> String {
        self.file(name, wat::parse_str(text).unwrap())
    }

    /// The command, with nothing of this process's settings.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wasm-storage"));
        command
            .args(args)
            .current_dir(self.0.path())
            .env_remove("WASM_STORAGE_URL")
            .env_remove("WASM_STORAGE_NAMESPACE")
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("HOME", self.path("home"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn cli<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Ended {
        Ended::from(self.command(args).output().unwrap())
    }

    /// Runs a command to its end, with `input` on its standard input.
    pub(crate) fn cli_with<I: AsRef<OsStr>>(
        &self,
        input: &[u8],
        args: impl IntoIterator<Item = I>,
    ) -> Ended {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // A command that ends without reading breaks the pipe.
            scope.spawn(move || stdin.write_all(input).ok());
            Ended::from(child.wait_with_output().unwrap())
        })
    }

    /// Calls a function of a built guest: `run GUEST` and then `args`.
    pub(crate) fn run(&self, guest: &str, args: &[&str]) -> Ended {
        self.cli(run(guest, args))
    }

    /// All entries of the default namespace; there is one at least.
    pub(crate) fn scan(&self) -> String {
        self.cli(["scan"]).success()
    }

    /// Writes entries to the default namespace, as a guest could.
    pub(crate) fn put<'a>(&self, entries: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
        let store = open(self.store().to_str().unwrap(), &Options::default()).unwrap();
        let ns = store.default_namespace().unwrap();
        let mut session = store.begin(SessionOptions::read_write());
        for (key, value) in entries {
            session.put(ns, key, value).unwrap();
        }
        assert!(matches!(session.commit(), Outcome::Committed(_)));
        store.close().unwrap();
    }
}

/// The arguments that call a function of a built guest.
pub(crate) fn run(guest: &str, args: &[&str]) -> Vec<String> {
    let module = wasm_storage_testkit::guests::path(guest);
    let mut words = vec!["run".to_string(), module.to_str().unwrap().to_string()];
    words.extend(args.iter().map(ToString::to_string));
    words
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Standard output of a command that succeeded without a word on standard error.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""));
        String::from_utf8(self.out).unwrap()
    }

    /// Standard output and the one line on standard error of a command that
    /// succeeded and had something to say beside its result.
    #[track_caller]
    pub(crate) fn success_saying(self, what: &str, words: &[&str]) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.assert_line(what, words);
        String::from_utf8(self.out).unwrap()
    }

    /// The exit code and one line of error with all these words, and no output.
    #[track_caller]
    pub(crate) fn failure(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert_eq!(String::from_utf8_lossy(&self.out), "");
        self.assert_line("error", words);
    }

    /// The exit code and text of a usage error that the argument parser found.
    #[track_caller]
    pub(crate) fn misuse(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{}", self.err);
        assert_eq!(self.out, b"");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {:?}", self.err);
        }
    }

    #[track_caller]
    fn assert_line(&self, what: &str, words: &[&str]) {
        let line = self.err.strip_suffix('\n').unwrap_or_default();
        assert!(line.starts_with(&format!("{what}: ")), "{:?}", self.err);
        assert!(!line.contains(char::is_control), "{:?}", self.err);
        for word in words {
            assert!(line.contains(word), "{word:?} is not in {line:?}");
        }
    }
}
