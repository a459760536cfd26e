//! What can be typed: arguments, options and their help. What it means on this
//! machine, environment and defaults included, is `settings`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};
use wasm_storage_abi::limits;

use crate::{buffers, units};

/// Run WebAssembly programs that keep their data, and look at the data they keep.
#[derive(Debug, Parser)]
#[command(name = "wasm-storage", version, max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  wasm-storage run counter.wasm increment        prints 1, then 2, then 3
  wasm-storage run words.wasm feed --input a.txt
  wasm-storage scan                              shows what the two have stored
  wasm-storage get visits --store /srv/app.db

Exit codes:
  0  done
  1  the guest failed, nothing of its call stays but its parts; or `get` found nothing
  2  the command or the module is at fault
  3  the store is at fault
  4  other calls were faster until the deadline
  5  the commit may or may not have happened";

/// Where the data is.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Where the data is")]
pub(crate) struct Place {
    /// The store: a path or a URL such as fjall:PATH [default: wasm-storage.db]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "WASM_STORAGE_URL",
        hide_env_values = true
    )]
    pub(crate) store: Option<String>,

    /// The namespace within the store [default: default]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "WASM_STORAGE_NAMESPACE",
        hide_env_values = true
    )]
    pub(crate) namespace: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call a function of a module; what it stores is committed when it returns
    Run(Run),
    /// Show the entry under a key
    Get(Get),
    /// Show the entries of a namespace, in the order of their keys
    Scan(Scan),
    /// Read all that a store holds and say whether it is in order
    Verify(Verify),
}

const RUN_HELP: &str = "\
One call is one transaction: if the function returns, all that it has stored is committed together;
if it fails, traps or does not end in time, nothing is.

With --parts a guest may end parts of its call (storage::part), for jobs that are too long for one
transaction: what it had stored in them stays then, and the message says how many parts that are.

A function that was built for wasm-bindgen 0.2.61, as the modules of 2020 were, takes text and
bytes: --text and --bytes, in the function's order. What it returns is printed as text, and with
--bytes-out as it is. Nothing but its type, an odd number of i32, tells such a function from others;
it is called that way unless numbers are given.

Printed: the bytes of `finish` if the guest called it, else the function's results, one a line.

Examples:
  wasm-storage run counter.wasm increment
  cat *.txt | wasm-storage run words.wasm feed --input -
  wasm-storage run two_stores.wasm put -1 0xff --grant ledger
  wasm-storage run hello.wasm say --text Tim
  wasm-storage run image.wasm resize --text 50% --bytes a.png --bytes-out > b.png
  wasm-storage run long_job.wasm work 1000 --parts --timeout 1h
  wasm-storage run untrusted.wasm main --timeout 200ms --memory 16MiB";

#[derive(Debug, ClapArgs)]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    /// The module: a .wasm file, a core module with a memory named "memory"
    pub(crate) module: PathBuf,

    /// The exported function
    pub(crate) function: String,

    /// The function's arguments, decimal or 0x hex for integers
    #[arg(allow_negative_numbers = true)]
    pub(crate) numbers: Vec<String>,

    #[command(flatten)]
    pub(crate) buffers: buffers::Typed,

    /// Write the bytes that such a function returns as they are; else they are shown as text
    #[arg(long, conflicts_with = "numbers")]
    pub(crate) bytes_out: bool,

    /// The bytes that the guest finds as its input; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// A further namespace that the guest may open, made if missing; can be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) grant: Vec<String>,

    /// Let the guest commit its call in parts, which stay even if the rest fails
    #[arg(long)]
    pub(crate) parts: bool,

    /// How long the call may take
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "10s")]
    pub(crate) timeout: Duration,

    /// How large the guest's memory may become
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "256MiB")]
    pub(crate) memory: usize,

    /// Compile the module anew instead of looking into the cache of compiled modules
    #[arg(long)]
    pub(crate) no_cache: bool,
}

const GET_HELP: &str = "\
Examples:
  wasm-storage get visits             the Item or Counter \"visits\"
  wasm-storage get --minted 7         what store_string() and the like have stored as key 7
  wasm-storage get --hex 73746f636b00 any key, as `scan --hex` shows it
  wasm-storage get visits --raw | xxd";

#[derive(Debug, ClapArgs)]
#[command(after_help = GET_HELP)]
pub(crate) struct Get {
    #[command(flatten)]
    pub(crate) key: GetKey,

    /// Write the stored bytes as they are, with their type header
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct GetKey {
    /// The name of an Item or a Counter
    #[arg(value_name = "KEY")]
    pub(crate) name: Option<String>,

    /// A key that the host has made
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(i64).range(1..=limits::MINTED_KEY_MAX)
    )]
    pub(crate) minted: Option<i64>,

    /// The key's bytes in hex
    #[arg(long, value_name = "BYTES", value_parser = Hex::parse)]
    pub(crate) hex: Option<Hex>,
}

const SCAN_HELP: &str = "\
A line is the key, a tab, the value. Keys are shown as
  name              an Item or a Counter
  name/\"text\"       an entry of a Map with text keys
  name/00000007     an entry of another Map, the key in hex
  minted 7          a key that the host has made
  at (\"a\", 7u64)    a key of the caller's choosing
  2020 \"0123\"       a key of the storage imports of 2020
  hex 0003ff        any other key

Examples:
  wasm-storage scan
  wasm-storage scan stock --limit 20
  wasm-storage scan --hex 0001        all minted keys";

#[derive(Debug, ClapArgs)]
#[command(after_help = SCAN_HELP)]
pub(crate) struct Scan {
    /// Only keys that begin with this
    pub(crate) prefix: Option<String>,

    /// Show this many entries at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Show keys without values
    #[arg(long)]
    pub(crate) keys_only: bool,

    /// Show keys in hex; PREFIX is hex too
    #[arg(long)]
    pub(crate) hex: bool,
}

const VERIFY_HELP: &str = "\
A store to which a write or a sync has failed is marked and not opened again before somebody has looked
at it: nobody knows what of that write is on the disk. Everything acknowledged before it is.

Examples:
  wasm-storage verify                    reads everything, changes nothing
  wasm-storage verify --accept           and takes the mark from a store that is in order
  wasm-storage verify --discard-damaged  and gives up what is behind damage in the newest journal";

#[derive(Debug, ClapArgs)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct Verify {
    /// Take the mark of a failed write from a store that is in order
    #[arg(long, conflicts_with = "discard_damaged")]
    pub(crate) accept: bool,

    /// Give up what is behind damage in the newest journal, acknowledged or not; a copy is kept
    #[arg(long)]
    pub(crate) discard_damaged: bool,
}

/// Bytes, typed in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl Hex {
    /// Two digits a byte, upper or lower case.
    pub(crate) fn parse(text: &str) -> Result<Hex, String> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
            [high, low] => u8::try_from((digit(*high)? << 4) | digit(*low)?).ok(),
            _ => None,
        });
        bytes
            .collect::<Option<_>>()
            .map(Hex)
            .ok_or_else(|| "hex is an even number of digits 0 to 9 and a to f".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound_and_its_defaults_can_be_parsed() {
        Args::command().debug_assert();
        let args = Args::parse_from(["wasm-storage", "run", "m.wasm", "f"]);
        let Command::Run(run) = args.command else {
            panic!("not run");
        };
        assert_eq!(run.timeout, Duration::from_millis(limits::DEADLINE_MS));
        assert_eq!(run.memory, limits::GUEST_MEMORY_BYTES);
    }

    #[test]
    fn text_and_bytes_keep_their_order_and_text_may_begin_with_a_hyphen() {
        let words =
            "run m.wasm f --text a --bytes b --parts --text -1 --text=--text --bytes - --text";
        let words = words.split(' ').chain([""]);
        let args = Args::parse_from(["wasm-storage"].into_iter().chain(words));
        let Command::Run(run) = args.command else {
            panic!("not run");
        };
        let text = |text: &str| buffers::Buffer::Text(text.into());
        let bytes = |file: &str| buffers::Buffer::Bytes(file.into());
        let typed = [
            text("a"),
            bytes("b"),
            text("-1"),
            text("--text"),
            bytes("-"),
            text(""),
        ];
        assert_eq!(run.buffers.0, typed);
        assert!(run.parts && run.numbers.is_empty());
    }

    #[test]
    fn hex_is_whole_bytes() {
        assert_eq!(Hex::parse("00fFa0"), Ok(Hex(vec![0, 0xff, 0xa0])));
        assert_eq!(Hex::parse(""), Ok(Hex(vec![])));
        for bad in ["0", "0x00", "gg", "é0", "00 01"] {
            assert!(Hex::parse(bad).unwrap_err().contains("digits"), "{bad}");
        }
    }
}
