//! fjall's pointer to the state of a keyspace, checked before fjall follows it.
//!
//! `current` names the version file `vN` that lists the keyspace's tables:
//! number u64, XXH3-128 of that file, u8 0 (little-endian; lsm-tree 3.1.10,
//! `src/version/persist.rs`). lsm-tree writes the checksum and does not read it
//! (`src/version/recovery.rs`). Followed blindly, one wrong bit in the catalog's
//! `current` shows an earlier catalog, and fjall deletes every keyspace that is
//! not in it; one in a version file can abort the process.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

/// Within a keyspace: names its current version file.
pub(crate) const CURRENT: &str = "current";

/// Whether `current` in the folder of a keyspace names an intact version file.
/// True if there is none: such a keyspace was never finished.
pub(crate) fn is_intact(keyspace: &Path) -> io::Result<bool> {
    let Some(current) = read(&keyspace.join(CURRENT))? else {
        return Ok(true);
    };
    let Some((number, checksum)) = parse(&current) else {
        return Ok(false);
    };
    let version = read(&keyspace.join(format!("v{number}")))?;
    Ok(version.is_some_and(|version| xxh3_128(&version) == checksum))
}

fn parse(current: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = current.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    (rest == [0]).then_some((u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(missing) if missing.kind() == ErrorKind::NotFound => Ok(None),
        Err(other) => Err(other),
    }
}
