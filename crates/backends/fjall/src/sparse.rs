//! Files that are mostly holes: fjall sets 64 MiB aside for a journal.
//!
//! A hole reads as zeros. Where the file system tells where holes are (Linux:
//! `SEEK_DATA`, `SEEK_HOLE`) they are not read; elsewhere the answers are the same
//! and take longer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
static ZEROS: [u8; CHUNK] = [0; CHUNK];

/// Behind the last byte from `from` on that is not zero; `None` if there is none.
pub(crate) fn end_of_data(file: &mut File, from: u64) -> io::Result<Option<u64>> {
    let length = file.metadata()?.len();
    let mut chunk = vec![0; CHUNK];
    let mut end = None;
    let mut position = from;
    while position < length {
        let Some(data) = data_from(file, position, length)? else {
            break;
        };
        file.seek(SeekFrom::Start(data.start))?;
        let mut left = file.take(data.end - data.start);
        position = data.start;
        loop {
            let read = left.read(&mut chunk)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            if !is_zero(bytes) {
                let last = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
                end = Some(position + last as u64 + 1);
            }
            position += read as u64;
        }
        // Also if the file has become shorter meanwhile.
        position = position.max(data.end);
    }
    Ok(end)
}

/// Whether all of it is zeros.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    // Compared as memory, not byte by byte.
    bytes
        .chunks(CHUNK)
        .all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// The next part of the file that is no hole.
#[cfg(target_os = "linux")]
fn data_from(file: &File, position: u64, length: u64) -> io::Result<Option<Range<u64>>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    let start = match seek(file, SeekFrom::Data(position)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // This file system has no word for it.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(Some(position..length)),
        Err(other) => return Err(other.into()),
    };
    let end = seek(file, SeekFrom::Hole(start))?;
    Ok(Some(start..end))
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the form it has on Linux")]
fn data_from(_file: &File, position: u64, length: u64) -> io::Result<Option<Range<u64>>> {
    Ok(Some(position..length))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_last_byte_that_is_not_zero_is_found_among_holes_and_zeros() {
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(end_of_data(&mut file, 0).unwrap(), None);
        file.set_len(64 << 20).unwrap();
        assert_eq!(end_of_data(&mut file, 0).unwrap(), None);
        for (at, bytes) in [
            (0, &b"begin"[..]),
            (30 << 20, &[0; 5000]),
            (40 << 20, b"end\0"),
            (41 << 20, &[0; 200_000]),
        ] {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes).unwrap();
        }
        let end = (40 << 20) + 3;
        for from in [0, 3, 5, 30 << 20, end - 1] {
            assert_eq!(end_of_data(&mut file, from).unwrap(), Some(end), "{from}");
        }
        for from in [end, end + 1, 64 << 20, 65 << 20] {
            assert_eq!(end_of_data(&mut file, from).unwrap(), None, "{from}");
        }
    }

    #[test]
    fn zeros_are_told_from_others_at_any_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let mut bytes = vec![0; length];
            assert!(is_zero(&bytes));
            if let Some(last) = bytes.last_mut() {
                *last = 1;
                assert!(!is_zero(&bytes));
            }
        }
    }
}
