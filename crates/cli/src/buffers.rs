//! Text and bytes for a guest's function: options whose order counts, and what they
//! name read into memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::PathBufValueParser;
use clap::error::Error;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use wasm_storage_abi::limits;

use crate::failure::Failure;

/// What was typed, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed(pub(crate) Vec<Buffer>);

/// An argument that is no number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Buffer {
    /// `--text`.
    Text(String),
    /// `--bytes`: a file, or standard input.
    Bytes(PathBuf),
}

const TEXT: &str = "text";
const BYTES: &str = "bytes";

// By hand: what is derived does not know in which order two options were given.
impl Args for Typed {
    fn augment_args(command: Command) -> Command {
        let option = |name, value| {
            Arg::new(name)
                .long(name)
                .value_name(value)
                .action(ArgAction::Append)
                .conflicts_with("numbers")
        };
        command
            .arg(option(TEXT, "TEXT").allow_hyphen_values(true).help(
                "Text for the function, if it is one of wasm-bindgen 0.2.61; can be given again",
            ))
            .arg(
                option(BYTES, "FILE")
                    .value_parser(PathBufValueParser::new())
                    .help("Bytes for such a function; - reads standard input; can be given again"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let texts =
            indexed::<String>(matches, TEXT).map(|(at, text)| (at, Buffer::Text(text.clone())));
        let files =
            indexed::<PathBuf>(matches, BYTES).map(|(at, file)| (at, Buffer::Bytes(file.clone())));
        let mut typed: Vec<(usize, Buffer)> = texts.chain(files).collect();
        typed.sort_by_key(|(at, _)| *at);
        Ok(Typed(typed.into_iter().map(|(_, buffer)| buffer).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The values of an option, with their places on the command line.
fn indexed<'a, T: Clone + Send + Sync + 'static>(
    matches: &'a ArgMatches,
    name: &'a str,
) -> impl Iterator<Item = (usize, &'a T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(matches.get_many::<T>(name).into_iter().flatten())
}

/// Reads all of them, refused before more than their limit is held.
pub(crate) fn read(typed: &[Buffer]) -> Result<Vec<Arc<[u8]>>, Failure> {
    let mut left = limits::INPUT_BYTES;
    let mut buffers = Vec::new();
    for buffer in typed {
        let (name, bytes) = match buffer {
            Buffer::Text(text) => ("--text".into(), text.clone().into_bytes()),
            Buffer::Bytes(path) => read_one(path, "the bytes", left)?,
        };
        left = left.checked_sub(bytes.len()).ok_or_else(|| {
            Failure::Usage(format!(
                "{name}: text and bytes are together over the limit of {} bytes",
                limits::INPUT_BYTES
            ))
        })?;
        buffers.push(bytes.into());
    }
    Ok(buffers)
}

/// A file, or standard input for `-`, up to one byte more than `most`; and its name.
pub(crate) fn read_one(path: &Path, what: &str, most: usize) -> Result<(String, Vec<u8>), Failure> {
    let unreadable = |name: &str, error: &io::Error| {
        Failure::Usage(format!("{name}: {what} cannot be read: {error}"))
    };
    let (name, from): (String, Box<dyn Read>) = if is_stdin(path) {
        ("standard input".into(), Box::new(io::stdin()))
    } else {
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => (name, Box::new(file)),
            Err(error) => return Err(unreadable(&name, &error)),
        }
    };
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&name, &error))?;
    Ok((name, bytes))
}

/// Whether a path stands for standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}
