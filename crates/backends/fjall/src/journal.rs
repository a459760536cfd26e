//! fjall's journal, read by us: the format of fjall 3.1.13 (`src/journal/entry.rs`
//! and `writer.rs`), which `Cargo.toml` pins and `tests/fixtures/` keeps a sample of.
//!
//! | entry | bytes (numbers little-endian) |
//! |---|---|
//! | Start | 1, number of items u32, sequence number u64 |
//! | Item | 2, value type u8, compression u8, keyspace u64, key length u16, value length u32, length on disk u32, key, value |
//! | Clear | 4, keyspace u64; counts as an item |
//! | End | 3, XXH3-64 of the items' bytes u64, `FJL` 3 |
//!
//! A batch is Start, its items, End. Batches follow each other without a gap, their
//! sequence numbers ascend; behind the last one a journal is zeros or ends.
//!
//! Invariant: what [`Reader::batch`] takes for a batch, fjall takes for the same
//! one. It trusts no length: nothing is allocated by what a file says. (The number
//! of items and the sequence number are outside the checksum. The first is checked
//! by counting, the second by its order, which is the caller's.) What a bad batch
//! means is in `tail`.

use std::io::{self, BufRead, ErrorKind};

use xxhash_rust::xxh3::Xxh3;

/// The last bytes of every batch.
pub(crate) const TRAILER: &[u8; 4] = b"FJL\x03";
/// Tag of a batch's first entry.
pub(crate) const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
/// Value types: value, tombstone, weak tombstone. (4, a pointer to a blob, is in no
/// journal: fjall panics on it.)
const VALUE_TYPES: u8 = 2;
/// Compression: none, LZ4. This adapter writes none.
const PLAIN: u8 = 0;
const LZ4: u8 = 1;
/// The keyspace of this adapter: fjall numbers them from 1.
const OURS: u64 = 1;
/// Sequence numbers are less than this; fjall panics on larger ones.
const NUMBERS: u64 = 1 << 62;

/// A whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) seqno: u64,
    /// Whether it writes to another keyspace than ours.
    pub(crate) foreign: bool,
}

/// Why the bytes at a place are no whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The file ends before the batch does.
    Short,
    /// No entry of the journal begins like this, or not here.
    Tag(u8),
    /// An item says something of itself that no item says.
    Item,
    /// More or fewer items than were announced.
    Count,
    /// Its items are not those that the checksum was made of.
    Checksum,
    /// The checksum is not followed by the trailer.
    Trailer,
    /// Whole, but with a number that does not come after the last one's.
    Number,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flaw::Short => f.write_str("the file ends inside a batch"),
            Flaw::Tag(tag) => write!(f, "a batch has {tag:#04x} where an entry begins"),
            Flaw::Item => f.write_str("a batch has an item that makes no sense"),
            Flaw::Count => f.write_str("a batch has another number of items than it announces"),
            Flaw::Checksum => f.write_str("the checksum of a batch does not match"),
            Flaw::Trailer => f.write_str("a batch does not end with its trailer"),
            Flaw::Number => f.write_str("a batch has a number that does not come next"),
        }
    }
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Batch(Batch),
    Flaw(Flaw),
}

/// Reads batches one after the other.
pub(crate) struct Reader<R> {
    input: R,
    /// Bytes taken from `input`, and those asked of it beyond its end.
    position: u64,
    entries: u64,
    /// `None`: checksums are not made and not compared.
    hash: Option<Xxh3>,
}

impl<R: BufRead> Reader<R> {
    pub(crate) fn new(input: R) -> Self {
        Reader {
            input,
            position: 0,
            entries: 0,
            hash: Some(Xxh3::new()),
        }
    }

    /// Looks at the frames only: what it takes for a batch may have a wrong checksum.
    /// Skipping a value costs nothing if `input` is in memory.
    pub(crate) fn frames(input: R) -> Self {
        Reader {
            hash: None,
            ..Reader::new(input)
        }
    }

    /// How far it has looked, from where it began. After a flaw: behind the last byte
    /// that had a part in finding it.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Entries so far.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// The batch that begins here. After a flaw, nothing more can be read.
    ///
    /// Errors: of the input, never its end.
    pub(crate) fn batch(&mut self) -> io::Result<Found> {
        match self.whole() {
            Ok(batch) => Ok(Found::Batch(batch)),
            Err(Stop::Flaw(flaw)) => Ok(Found::Flaw(flaw)),
            Err(Stop::Input(error)) => Err(error),
        }
    }

    fn whole(&mut self) -> Result<Batch, Stop> {
        match self.tag()? {
            START => {}
            other => return Err(Flaw::Tag(other).into()),
        }
        let announced = u32::from_le_bytes(self.array()?);
        let seqno = u64::from_le_bytes(self.array()?);
        if let Some(hash) = &mut self.hash {
            hash.reset();
        }
        let mut foreign = false;
        let mut items = 0;
        loop {
            let keyspace = match self.tag()? {
                ITEM => self.item()?,
                CLEAR => {
                    self.digest(&[CLEAR]);
                    u64::from_le_bytes(self.hashed()?)
                }
                END => break,
                other => return Err(Flaw::Tag(other).into()),
            };
            foreign |= keyspace != OURS;
            items += 1;
            if items > announced {
                return Err(Flaw::Count.into());
            }
        }
        let checksum = u64::from_le_bytes(self.array()?);
        if self.array()? != *TRAILER {
            return Err(Flaw::Trailer.into());
        }
        if items != announced {
            return Err(Flaw::Count.into());
        }
        if self
            .hash
            .as_ref()
            .is_some_and(|hash| hash.digest() != checksum)
        {
            return Err(Flaw::Checksum.into());
        }
        if seqno >= NUMBERS {
            return Err(Flaw::Number.into());
        }
        Ok(Batch { seqno, foreign })
    }

    /// An item behind its tag; its keyspace.
    fn item(&mut self) -> Result<u64, Stop> {
        self.digest(&[ITEM]);
        let [value_type, compression] = self.hashed()?;
        let keyspace = u64::from_le_bytes(self.hashed()?);
        let key = u16::from_le_bytes(self.hashed()?);
        let value = u32::from_le_bytes(self.hashed()?);
        let on_disk = u32::from_le_bytes(self.hashed()?);
        let lengths = match compression {
            PLAIN => value == on_disk,
            LZ4 => true,
            _ => false,
        };
        if value_type > VALUE_TYPES || !lengths {
            return Err(Flaw::Item.into());
        }
        self.skip(u64::from(key) + u64::from(on_disk))?;
        Ok(keyspace)
    }

    fn tag(&mut self) -> Result<u8, Stop> {
        self.entries += 1;
        let [tag] = self.array()?;
        Ok(tag)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.position += N as u64;
        match self.input.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(end) if end.kind() == ErrorKind::UnexpectedEof => Err(Flaw::Short.into()),
            Err(other) => Err(Stop::Input(other)),
        }
    }

    fn hashed<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let bytes = self.array()?;
        self.digest(&bytes);
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), Stop> {
        self.position += length;
        let mut left = length;
        while left > 0 {
            let chunk = match self.input.fill_buf() {
                Ok([]) => return Err(Flaw::Short.into()),
                Ok(chunk) => chunk,
                Err(again) if again.kind() == ErrorKind::Interrupted => continue,
                Err(other) => return Err(Stop::Input(other)),
            };
            let here = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            if let (Some(hash), Some(chunk)) = (&mut self.hash, chunk.get(..here)) {
                hash.update(chunk);
            }
            self.input.consume(here);
            left -= here as u64;
        }
        Ok(())
    }

    fn digest(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
    }
}

/// Why reading a batch did not come to its end.
enum Stop {
    Flaw(Flaw),
    Input(io::Error),
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Self {
        Stop::Flaw(flaw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by fjall 3.1.13 (`tests/fixture.rs`, where fjall reads it too).
    const FIXTURE: &[u8] = include_bytes!("../tests/fixtures/fjall-3.1.13.jnl");

    #[test]
    fn a_journal_of_fjall_is_read_batch_by_batch() {
        for mut reader in [Reader::new(FIXTURE), Reader::frames(FIXTURE)] {
            let mut numbers = Vec::new();
            let end = loop {
                let before = reader.position();
                match reader.batch().unwrap() {
                    Found::Batch(batch) => {
                        assert!(!batch.foreign);
                        numbers.push(batch.seqno);
                    }
                    Found::Flaw(flaw) => {
                        assert_eq!(flaw, Flaw::Short);
                        break before;
                    }
                }
            };
            assert_eq!(end, FIXTURE.len() as u64);
            assert_eq!(numbers.len(), 5);
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        }
    }

    #[test]
    fn every_flaw_is_told_with_what_had_to_be_read_for_it() {
        let mut reader = Reader::new(FIXTURE);
        reader.batch().unwrap();
        let batch = &FIXTURE[..usize::try_from(reader.position()).unwrap()];
        let (items, end) = (13, batch.len() - 13);
        let flaw = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = batch.to_vec();
            change(&mut bytes);
            let mut reader = Reader::new(&bytes[..]);
            let Found::Flaw(flaw) = reader.batch().unwrap() else {
                panic!("{bytes:?} is a batch");
            };
            (flaw, usize::try_from(reader.position()).unwrap())
        };
        assert_eq!(flaw(&|bytes| bytes[0] = 0), (Flaw::Tag(0), 1));
        assert_eq!(flaw(&|bytes| bytes[1] ^= 1).0, Flaw::Count);
        assert_eq!(flaw(&|bytes| bytes[12] = 0xff), (Flaw::Number, end + 13));
        assert_eq!(flaw(&|bytes| bytes[items] = 1), (Flaw::Tag(1), items + 1));
        assert_eq!(
            flaw(&|bytes| bytes[items + 1] = 4),
            (Flaw::Item, items + 21)
        );
        assert_eq!(
            flaw(&|bytes| bytes[items + 2] = 9),
            (Flaw::Item, items + 21)
        );
        assert_eq!(
            flaw(&|bytes| bytes[items + 17] ^= 1),
            (Flaw::Item, items + 21)
        );
        assert_eq!(
            flaw(&|bytes| bytes[end - 1] ^= 1),
            (Flaw::Checksum, end + 13)
        );
        assert_eq!(
            flaw(&|bytes| bytes[end + 1] ^= 1),
            (Flaw::Checksum, end + 13)
        );
        assert_eq!(
            flaw(&|bytes| bytes[end + 12] ^= 1),
            (Flaw::Trailer, end + 13)
        );
        assert_eq!(
            flaw(&|bytes| bytes.truncate(end + 5)),
            (Flaw::Short, end + 9)
        );
        assert_eq!(flaw(&Vec::clear), (Flaw::Short, 1));
    }
}
