//! The command line as a user meets it: one process for each call, on one store.

use crate::artifacts;
use crate::error::{At, Error, Result};
use crate::process;
use crate::workspace::Workspace;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Instant;

/// Lines of an output that are shown; checks always see all of it.
const SHOWN: usize = 12;

/// Like `cargo build --package wasm-storage-cli`, but with the features that the tests are built
/// with (`--workspace --examples` brings them): whichever comes second finds Wasmtime built.
const BUILD: [&str; 5] = [
    "build",
    "--workspace",
    "--bin",
    "wasm-storage",
    "--examples",
];

/// The program `wasm-storage` on a store that is removed at the end.
pub(super) struct Cli<'a> {
    workspace: &'a Workspace,
    program: PathBuf,
    guests: PathBuf,
    folder: PathBuf,
}

/// One call of a guest's function.
pub(super) struct Call<'a> {
    guest: &'a str,
    function: &'a str,
    input: Input<'a>,
}

/// What the guest finds as its input.
enum Input<'a> {
    None,
    File(&'a Path),
    Text(&'a str),
}

impl<'a> Call<'a> {
    /// A function without input.
    pub(super) fn of(guest: &'a str, function: &'a str) -> Self {
        Self {
            guest,
            function,
            input: Input::None,
        }
    }

    /// The input is a file.
    pub(super) fn input(self, file: &'a Path) -> Self {
        Self {
            input: Input::File(file),
            ..self
        }
    }

    /// The input is a text, given on standard input.
    pub(super) fn text(self, text: &'a str) -> Self {
        Self {
            input: Input::Text(text),
            ..self
        }
    }
}

impl<'a> Cli<'a> {
    /// Builds the program in the dev profile, as the tests do, and makes an empty folder.
    pub(super) fn build(workspace: &'a Workspace, guests: PathBuf) -> Result<Self> {
        eprintln!("demo: building wasm-storage (the first time: minutes)");
        let mut cargo = workspace.cargo();
        let built = artifacts::build(cargo.args(BUILD))?;
        let named = built
            .iter()
            .filter(|artifact| artifact.name == "wasm-storage");
        let mut program =
            named.filter_map(|artifact| artifact.file(std::env::consts::EXE_EXTENSION));
        let program = program.next().map(Path::to_path_buf).ok_or_else(|| {
            Error::new("crates/cli built no program `wasm-storage`").remedy("see its Cargo.toml")
        })?;
        println!("wasm-storage is {}", workspace.short(&program).display());
        let folder = std::env::temp_dir().join(format!("wasm-storage-demo-{}", std::process::id()));
        fs::create_dir_all(&folder).at("make the folder", &folder)?;
        Ok(Self {
            workspace,
            program,
            guests,
            folder,
        })
    }

    /// A call that must succeed; gives its standard output.
    pub(super) fn run(&self, call: &Call<'_>) -> Result<String> {
        let (status, output) = self.call(call)?;
        if status.success() {
            return Ok(output);
        }
        Err(Error::new(format!(
            "{}.{}: {status}",
            call.guest, call.function
        )))
    }

    /// A call that must fail; gives its exit code.
    pub(super) fn fail(&self, call: &Call<'_>) -> Result<Option<i32>> {
        let (status, _) = self.call(call)?;
        println!(
            "  exit code {}",
            status
                .code()
                .map_or("none".to_owned(), |code| code.to_string())
        );
        Ok(status.code())
    }

    /// Everything in the store, shown.
    pub(super) fn scan(&self) -> Result<String> {
        let started = Instant::now();
        let mut command = self.scan_command();
        let output = process::output(&mut command)?;
        self.show(&command, "", "", output.as_bytes(), started);
        Ok(output)
    }

    /// Everything in the store.
    pub(super) fn scan_quietly(&self) -> Result<String> {
        process::output(&mut self.scan_command())
    }

    fn scan_command(&self) -> Command {
        let mut command = self.command();
        command.arg("scan").arg("--store").arg(self.store());
        command
    }

    fn call(&self, call: &Call<'_>) -> Result<(ExitStatus, String)> {
        let module = self.guests.join(format!("{}.wasm", call.guest));
        let mut command = self.command();
        command
            .arg("run")
            .arg(self.workspace.short(&module))
            .arg(call.function);
        let (mut before, mut text) = (String::new(), "");
        match call.input {
            Input::None => {}
            Input::File(file) => {
                let file = std::path::absolute(file).at("find", file)?;
                command.arg("--input").arg(file);
            }
            Input::Text(given) => {
                command.args(["--input", "-"]);
                before = format!("echo -n '{given}' | ");
                text = given;
            }
        }
        command.arg("--store").arg(self.store());
        let started = Instant::now();
        let output = with_input(&mut command, text)?;
        self.show(
            &command,
            &before,
            &String::from_utf8_lossy(&output.stderr),
            &output.stdout,
            started,
        );
        Ok((
            output.status,
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    }

    fn store(&self) -> PathBuf {
        self.folder.join("demo.db")
    }

    /// The caller's settings must not lead the demo to another store.
    fn command(&self) -> Command {
        let mut command = process::command(&self.program);
        command
            .env_remove("WASM_STORAGE_URL")
            .env_remove("WASM_STORAGE_NAMESPACE");
        command.current_dir(&self.workspace.root);
        command
    }

    fn show(&self, command: &Command, before: &str, errors: &str, output: &[u8], started: Instant) {
        let arguments: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "$ {before}wasm-storage {}    # {seconds:.2} s",
            arguments.join(" ")
        );
        let output = String::from_utf8_lossy(output);
        for line in output.lines().take(SHOWN) {
            println!("{line}");
        }
        match output.lines().count() {
            lines if lines > SHOWN => println!("... {} more lines", lines - SHOWN),
            _ => {}
        }
        for line in errors.lines() {
            println!("{line}");
        }
    }
}

impl Drop for Cli<'_> {
    fn drop(&mut self) {
        // A temporary folder that stays behind harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn with_input(command: &mut Command, text: &str) -> Result<Output> {
    let failed = |error: std::io::Error| {
        Error::new(format!(
            "cannot run wasm-storage as the demo needs it: {error}"
        ))
    };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended without reading says why itself.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait_with_output().map_err(failed)
}
