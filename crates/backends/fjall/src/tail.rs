//! The end of the newest journal, judged before fjall sees it, and mended if its
//! last batch is torn.
//!
//! A commit is acknowledged after its sync. So when power fails, one batch at most
//! is on its way, the last; of its sectors (512 bytes) the disk has some, and the
//! others read as zeros, which is what they were. Left alone, fjall does not open
//! such a journal; and where damage hits the frame of any batch, it takes that for
//! the journal's end and cuts off all batches behind it, acknowledged or not.
//!
//! Invariants. Nothing is cut off unless it is an unfinished write by all signs:
//! 1. it is in the newest journal (the others were synced before this one was made);
//! 2. no whole batch follows it, at any byte;
//! 3. a piece is missing that a write in sectors can miss: a sector of zeros in what
//!    had to be read to find the flaw, or its end, with zeros or nothing behind.
//!
//! Everything else is `Corrupt`, and nothing is changed unless the owner gives it up
//! ([`Config::discard_damaged`](crate::Config)). Values are chosen by guests: bytes in
//! a torn batch that look like a whole one, or like the end of one, lead to a refusal,
//! never to a loss. How a journal is cut off is in `repair`.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use wasm_storage_engine::{Error, Kind};

use crate::journal::{Flaw, Found, Reader, START, TRAILER};
use crate::repair::{self, Repair};
use crate::{error, folder, sparse};

/// A write reaches the disk in whole sectors of so many bytes, or several of them.
const SECTOR: u64 = 512;
/// How much work is done to find a whole batch behind a bad one, in bytes of which
/// checksums are made: seconds. A guest's values can ask for their size squared.
const SEARCH_BUDGET: u64 = 2 << 30;
/// What looking at an entry costs, in such bytes.
const ENTRY_COST: u64 = 32;

/// What to do about damage that nothing can be cut off for.
const RESTORE: &str = "Restore a copy of the store";
/// What to do about other damage.
const DISCARD: &str = "Restore a copy of the store, or give up what is behind that byte: \
                       wasm-storage verify --discard-damaged";

/// Checks the journals of the store at `path`, which must be locked, and cuts off
/// a torn last batch; with `discard`, whatever is behind a bad batch of the newest.
/// Of a database of another program, nothing is judged.
///
/// Errors: `Corrupt`, with nothing changed; `Io`.
pub(crate) fn check(path: &Path, discard: bool) -> Result<Option<Repair>, Error> {
    let journals = folder::journals(path).map_err(|e| error::io(path, "reading the folder", e))?;
    let mut last = None;
    for (at, (number, journal)) in journals.iter().enumerate() {
        let newest = at + 1 == journals.len();
        let reading = |e| error::io(path, &format!("reading the journal {number}.jnl"), e);
        let mut file = File::open(journal).map_err(reading)?;
        let walk = walk(&mut file, last).map_err(reading)?;
        if walk.foreign {
            return Ok(None);
        }
        last = walk.last;
        let Some(end) = sparse::end_of_data(&mut file, walk.good).map_err(reading)? else {
            // Zeros, or nothing: this is how a journal ends.
            continue;
        };
        let damage = |why: &str, remedy: &str| {
            error::plain(
                Kind::Corrupt,
                path,
                &format!(
                    "the journal {number}.jnl is damaged: at byte {}, behind {} whole batches, {}; \
                     {why}. Nothing was changed. {remedy}",
                    walk.good, walk.batches, walk.flaw
                ),
            )
        };
        if !newest {
            return Err(damage(
                "a newer journal follows, so this one was complete",
                RESTORE,
            ));
        }
        let tail = read(&mut file, walk.good, end).map_err(reading)?;
        let not_torn = not_torn(&tail, &walk).map_err(reading)?;
        return match not_torn {
            Some(why) if !discard => Err(damage(&why, DISCARD)),
            // What may have been acknowledged is not given up without a copy.
            damaged => repair::cut(path, journal, walk.good, &tail, damaged.is_some()).map(Some),
        };
    }
    Ok(None)
}

/// What reading a journal from its beginning came to.
struct Walk {
    /// Behind the last whole batch.
    good: u64,
    batches: u64,
    /// Its sequence number, or an earlier journal's.
    last: Option<u64>,
    /// What is wrong behind it. A journal without damage ends with one too.
    flaw: Flaw,
    /// How far was read to find that.
    read: u64,
    foreign: bool,
}

fn walk(file: &mut File, last: Option<u64>) -> io::Result<Walk> {
    let mut reader = Reader::new(BufReader::with_capacity(256 * 1024, file));
    let mut walk = Walk {
        good: 0,
        batches: 0,
        last,
        flaw: Flaw::Short,
        read: 0,
        foreign: false,
    };
    loop {
        let batch = match reader.batch()? {
            Found::Batch(batch) => batch,
            Found::Flaw(flaw) => {
                walk.flaw = flaw;
                break;
            }
        };
        if walk.last.is_some_and(|last| batch.seqno <= last) {
            walk.flaw = Flaw::Number;
            break;
        }
        walk.good = reader.position();
        walk.batches += 1;
        walk.last = Some(batch.seqno);
        walk.foreign |= batch.foreign;
    }
    walk.read = reader.position();
    Ok(walk)
}

fn read(file: &mut File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(to - from).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why `tail`, the bytes from `walk.good` to the last one that is not zero, is not
/// what a power failure leaves of a last batch; `None` if it is.
fn not_torn(tail: &[u8], walk: &Walk) -> io::Result<Option<String>> {
    let end = walk.good + tail.len() as u64;
    let no_end = walk.read > end && !tail.ends_with(TRAILER);
    // A number is in no sector without an entry's tag: it cannot be missing alone.
    let numbered = walk.flaw == Flaw::Number;
    if numbered || !no_end && !lacks_sector(tail, walk.good, walk.read) {
        return Ok(Some(
            "no piece of it is missing, so this is no write that was not finished".to_string(),
        ));
    }
    Ok(match whole_batch_in(tail, walk.last, SEARCH_BUDGET)? {
        Search::None => None,
        Search::At(offset) => Some(format!(
            "a whole batch follows at byte {}, so this was not the last write",
            walk.good + offset as u64
        )),
        Search::GaveUp => {
            Some("too much behind it looks like batches to say that none of it is one".to_string())
        }
    })
}

/// Whether a sector of zeros begins before `to`, in `tail`, which begins at `from`
/// of the file. Of a sector that begins before `from`, its rest counts.
fn lacks_sector(tail: &[u8], from: u64, to: u64) -> bool {
    let to_boundary = usize::try_from(SECTOR - from % SECTOR).unwrap_or(usize::MAX);
    let looked_at = usize::try_from(to - from).unwrap_or(usize::MAX);
    let (first, rest) = tail.split_at(to_boundary.min(tail.len()));
    if first.len() == to_boundary && sparse::is_zero(first) {
        return true;
    }
    let sectors = looked_at.saturating_sub(to_boundary).div_ceil(512);
    rest.chunks_exact(512).take(sectors).any(sparse::is_zero)
}

/// What was found behind a bad place.
#[derive(Debug, PartialEq, Eq)]
enum Search {
    None,
    /// A whole batch, at this offset.
    At(usize),
    GaveUp,
}

/// Looks for a batch that is whole and later than `last`, at every byte but the first.
fn whole_batch_in(tail: &[u8], last: Option<u64>, budget: u64) -> io::Result<Search> {
    let mut spent = 0;
    for (offset, _) in tail
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, byte)| **byte == START)
    {
        let Some(bytes) = tail.get(offset..) else {
            break;
        };
        let mut frames = Reader::frames(bytes);
        let framed = frames.batch()?;
        spent += ENTRY_COST * frames.entries();
        if let Found::Batch(batch) = framed
            && last.is_none_or(|last| batch.seqno > last)
        {
            spent += frames.position();
            if let Found::Batch(_) = Reader::new(bytes).batch()? {
                return Ok(Search::At(offset));
            }
        }
        if spent > budget {
            return Ok(Search::GaveUp);
        }
    }
    Ok(Search::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_sector_is_seen_where_it_had_to_be_read_and_nowhere_else() {
        let mut tail = vec![1; 2000];
        assert!(!lacks_sector(&tail, 100, 2100));
        // The rest of the sector that the last whole batch ends in: 100 .. 512.
        tail[..412].fill(0);
        assert!(lacks_sector(&tail, 100, 101));
        tail[411] = 1;
        assert!(!lacks_sector(&tail, 100, 2100));
        // A sector's worth of zeros that is no sector.
        tail[413..413 + 512].fill(0);
        assert!(!lacks_sector(&tail, 100, 2100));
        // 1024 .. 1536, read to its first byte, or not.
        tail[924..1436].fill(0);
        assert!(lacks_sector(&tail, 100, 1025));
        assert!(!lacks_sector(&tail, 100, 1024));
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        // Every 34 bytes a batch begins; its first item swallows all others.
        let mut tail = vec![0];
        for _ in 0..10_000 {
            tail.extend([START, 2, 0, 0, 0]);
            tail.extend(1_u64.to_le_bytes());
            tail.extend([2, 0, 0]);
            tail.extend(1_u64.to_le_bytes());
            tail.extend([0; 10]);
        }
        let search = |budget| whole_batch_in(&tail, None, budget).unwrap();
        assert_eq!(search(1000), Search::GaveUp);
        assert_eq!(search(SEARCH_BUDGET), Search::None);
    }
}
