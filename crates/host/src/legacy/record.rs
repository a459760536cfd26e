//! What the imports of 2020 do: one record at a time, a key and bytes, that grows
//! at its end and is read from its beginning.
//!
//! Loading and storing share the record, as in the original: what is stored after
//! `beginLoadTx` is appended to what was loaded, and `endStoreTx` leaves all as it
//! is. Before any `begin` the key is empty.
//!
//! Invariant: a record is never larger than a value may be. That is checked before
//! it grows, so a guest cannot take more of the host's memory than that.

use wasm_storage_abi::{Kind, keyspace, limits};
use wasm_storage_engine::error::show_key;
use wasm_storage_engine::{Error, OpError};

use crate::invocation::Invocation;
use crate::trap::Trap;

/// The record that an invocation is storing or loading.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Behind the first bytes of the key space.
    key: Vec<u8>,
    bytes: Vec<u8>,
    /// How many of the bytes have been read.
    read: usize,
}

/// Digits of a key in text form, 4 bits each.
const DIGITS: usize = 32;

/// How often a number is drawn until one is free. Half of all numbers are in use
/// before the second draw is likely.
const DRAWS: usize = 64;

impl Invocation {
    /// A UUID of version 4 as 32 hex digits.
    pub fn create_uuid(&mut self, import: &'static str) -> Result<[u8; DIGITS], Trap> {
        self.enter(import)?;
        let mut uuid: [u8; 16] = random(import)?;
        // RFC 9562, section 5.4: four bits say the version, two the variant.
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut uuid;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        let mut digits = [0; DIGITS];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(uuid) {
            for (digit, half) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = if half < 10 { b'0' } else { b'a' - 10 } + half;
            }
        }
        Ok(digits)
    }

    /// A random number under which nothing is stored. (The original did not look; after
    /// 65,000 values two of them had the same number as likely as not.)
    pub fn create_number(&mut self, import: &'static str) -> Result<u32, Trap> {
        self.enter(import)?;
        for _ in 0..DRAWS {
            let number = u32::from_le_bytes(random(import)?);
            let key = record_key(number.to_string().as_bytes());
            let ns = self.namespace(0).map_err(|error| refused(import, error))?;
            let found = self.session.has(ns, &key);
            if found.map_err(|error| failed(import, error))?.is_none() {
                return Ok(number);
            }
        }
        let message = format!("{DRAWS} random numbers are all in use as keys");
        Err(refused(import, Error::new(Kind::Overflow, message)))
    }

    /// Begins an empty record. How far one has read stays, as it did in the original.
    pub fn begin_store(&mut self, import: &'static str, key: &[u8]) -> Result<(), Trap> {
        self.enter(import)?;
        self.record.key.clear();
        self.record.key.extend_from_slice(key);
        self.record.bytes.clear();
        Ok(())
    }

    /// Takes the stored record, to be read from its first byte.
    pub fn begin_load(&mut self, import: &'static str, key: &[u8]) -> Result<(), Trap> {
        self.begin_store(import, key)?;
        self.record.read = 0;
        let ns = self.namespace(0).map_err(|error| refused(import, error))?;
        let bytes = &mut self.record.bytes;
        let found = self.session.get(ns, &record_key(key), |value| {
            bytes.clear();
            bytes.extend_from_slice(value);
        });
        if found.map_err(|error| failed(import, error))? {
            return Ok(());
        }
        let message = format!("nothing is stored under key {}", show_key(key));
        Err(refused(import, Error::new(Kind::NotFound, message)))
    }

    /// Appends bytes to the record.
    pub fn append<const N: usize>(
        &mut self,
        import: &'static str,
        bytes: [u8; N],
    ) -> Result<(), Trap> {
        self.enter(import)?;
        let size = self.record.bytes.len().saturating_add(N);
        if size > limits::VALUE_BYTES {
            let error = Error::too_large("a value", limits::VALUE_BYTES, size);
            return Err(refused(import, error));
        }
        self.record.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    /// The next bytes of the record.
    pub fn next<const N: usize>(&mut self, import: &'static str) -> Result<[u8; N], Trap> {
        self.enter(import)?;
        let Record { key, bytes, read } = &mut self.record;
        let left = bytes.get(*read..).unwrap_or_default();
        if let Some(next) = left.first_chunk() {
            *read += N;
            return Ok(*next);
        }
        let message = format!(
            "the value under key {} has {} bytes, and bytes {read} to {} are wanted",
            show_key(key),
            bytes.len(),
            read.saturating_add(N)
        );
        Err(refused(import, Error::new(Kind::InvalidArgument, message)))
    }

    /// Stores the record under its key, replacing what was there.
    pub fn end_store(&mut self, import: &'static str) -> Result<(), Trap> {
        self.enter(import)?;
        let ns = self.namespace(0).map_err(|error| refused(import, error))?;
        let Record { key, bytes, .. } = &self.record;
        self.session
            .put(ns, &record_key(key), bytes)
            .map_err(|error| failed(import, error))
    }

    /// To the record's first byte.
    pub fn end_load(&mut self, import: &'static str) -> Result<(), Trap> {
        self.enter(import)?;
        self.record.read = 0;
        Ok(())
    }
}

/// The key of a record within its namespace.
fn record_key(key: &[u8]) -> Vec<u8> {
    [&keyspace::LEGACY[..], key].concat()
}

fn random<const N: usize>(import: &'static str) -> Result<[u8; N], Trap> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = "the system gives no random bytes";
        refused(
            import,
            Error::with_source(Kind::Io, message, error.to_string()),
        )
    })?;
    Ok(bytes)
}

fn refused(import: &'static str, error: Error) -> Trap {
    Trap::Refused { import, error }
}

fn failed(import: &'static str, error: OpError) -> Trap {
    match error {
        OpError::Doomed => Trap::Doomed,
        OpError::Overdue => Trap::Overdue,
        OpError::Failed(error) if error.kind() == Kind::Internal => Trap::Internal(error),
        OpError::Failed(error) => refused(import, error),
    }
}
