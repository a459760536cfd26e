//! From what was typed to all that a command needs: environment, defaults, and
//! the forms that several options share. Nothing is opened or read here.

use std::path::PathBuf;
use std::time::Duration;

use wasm_storage_abi::{keyspace, limits};
use wasm_storage_engine::{Error, NamespaceName};

use crate::args::{self, Args, Hex};
use crate::buffers::{Buffer, is_stdin};
use crate::failure::Failure;

/// The store in the current folder.
const STORE: &str = "wasm-storage.db";

/// A command with everything resolved.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The store's URL.
    pub(crate) store: String,
    /// The namespace's name.
    pub(crate) namespace: String,
    /// What to do.
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Run(Run),
    Get(Get),
    Scan(Scan),
    Verify(Verify),
}

/// Call a function.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) module: PathBuf,
    pub(crate) function: String,
    /// As typed: the function's type says what they mean.
    pub(crate) numbers: Vec<String>,
    /// Text and bytes, if there are no numbers.
    pub(crate) buffers: Vec<Buffer>,
    /// Whether to write what the function returns as it is.
    pub(crate) bytes_out: bool,
    /// Where the guest's input comes from.
    pub(crate) input: Option<PathBuf>,
    /// Names of further namespaces.
    pub(crate) grants: Vec<String>,
    /// Whether the guest may commit in parts.
    pub(crate) parts: bool,
    pub(crate) timeout: Duration,
    /// In bytes.
    pub(crate) memory: usize,
    /// Where compiled modules are kept.
    pub(crate) cache: Option<PathBuf>,
}

/// Show one entry.
#[derive(Debug)]
pub(crate) struct Get {
    pub(crate) key: Vec<u8>,
    pub(crate) raw: bool,
}

/// Show entries.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) prefix: Vec<u8>,
    pub(crate) limit: u64,
    pub(crate) keys_only: bool,
    pub(crate) hex: bool,
}

/// What to do with a store beside reading all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verify {
    Look,
    Accept,
    DiscardDamaged,
}

impl Settings {
    /// Resolves arguments.
    pub(crate) fn resolve(args: Args) -> Result<Self, Failure> {
        let command = match args.command {
            args::Command::Run(run) => Command::Run(Run {
                module: run.module,
                function: run.function,
                numbers: run.numbers,
                bytes_out: run.bytes_out,
                input: once_from_stdin(&run.buffers.0, run.input)?,
                buffers: run.buffers.0,
                grants: run
                    .grant
                    .into_iter()
                    .map(namespace)
                    .collect::<Result<_, _>>()?,
                parts: run.parts,
                timeout: run.timeout,
                memory: run.memory,
                cache: if run.no_cache { None } else { cache() },
            }),
            args::Command::Get(get) => Command::Get(Get {
                key: key(get.key)?,
                raw: get.raw,
            }),
            args::Command::Scan(scan) => Command::Scan(Scan {
                prefix: prefix(scan.prefix, scan.hex)?,
                limit: scan.limit.unwrap_or(u64::MAX),
                keys_only: scan.keys_only,
                hex: scan.hex,
            }),
            args::Command::Verify(verify) => {
                Command::Verify(match (verify.accept, verify.discard_damaged) {
                    (true, _) => Verify::Accept,
                    (false, true) => Verify::DiscardDamaged,
                    (false, false) => Verify::Look,
                })
            }
        };
        let store = args.place.store.unwrap_or_else(|| STORE.into());
        wasm_storage_connect::check(&store).map_err(usage)?;
        let name = args.place.namespace;
        Ok(Settings {
            store,
            namespace: namespace(name.unwrap_or_else(|| NamespaceName::DEFAULT.into()))?,
            command,
        })
    }
}

/// An error of the engine about something that was typed.
fn usage(error: Error) -> Failure {
    Failure::Usage(error.to_string())
}

/// The input, if standard input is not to be read for something else, too.
fn once_from_stdin(buffers: &[Buffer], input: Option<PathBuf>) -> Result<Option<PathBuf>, Failure> {
    let files = buffers.iter().filter_map(|buffer| match buffer {
        Buffer::Bytes(path) => Some(path),
        Buffer::Text(_) => None,
    });
    if files.chain(&input).filter(|path| is_stdin(path)).count() > 1 {
        let text = "standard input can be read once: give - to one of --input and --bytes";
        return Err(Failure::Usage(text.into()));
    }
    Ok(input)
}

fn namespace(name: String) -> Result<String, Failure> {
    NamespaceName::new(&*name).map_err(usage)?;
    Ok(name)
}

/// The bytes of a key. Exactly one of its forms is given: the definition of the
/// arguments sees to it.
fn key(given: args::GetKey) -> Result<Vec<u8>, Failure> {
    checked(match (given.name, given.minted, given.hex) {
        (_, Some(number), _) => [&keyspace::MINTED[..], &number.to_be_bytes()].concat(),
        (_, _, Some(Hex(bytes))) => bytes,
        (name, _, _) => name.unwrap_or_default().into_bytes(),
    })
}

fn checked(key: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if key.len() > limits::KEY_BYTES {
        return Err(usage(Error::too_large(
            "a key",
            limits::KEY_BYTES,
            key.len(),
        )));
    }
    Ok(key)
}

fn prefix(given: Option<String>, hex: bool) -> Result<Vec<u8>, Failure> {
    let given = given.unwrap_or_default();
    if !hex {
        return checked(given.into_bytes());
    }
    match Hex::parse(&given) {
        Ok(Hex(bytes)) => checked(bytes),
        Err(why) => Err(Failure::Usage(format!("prefix {given:?}: {why}"))),
    }
}

/// `wasm-storage/modules` in the user's cache folder, by the XDG base directory
/// specification; `None` if there is no home.
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>: a relative path
/// in the variable is not valid and counts as none.)
fn cache() -> Option<PathBuf> {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))
        .map(|folder| folder.join("wasm-storage").join("modules"))
}
