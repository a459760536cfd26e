//! The disk itself: the raw write and sync that commits are compared with, and
//! what the system counts of all writes.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Result;
use crate::harness::{Random, timed};

/// Bytes of one raw append: about what a commit of 100 B must write.
const APPEND_BYTES: usize = 128;
const BLOCK_BYTES: usize = 4096;
/// Blocks of the file that is overwritten, over and over.
const BLOCKS: usize = 4096;

/// Files to write and sync as a program without any engine would.
#[derive(Debug)]
pub(crate) struct Raw {
    append: File,
    overwrite: File,
    next_block: usize,
    random: Random,
}

impl Raw {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        let mut overwrite = File::create(folder.join("raw-overwrite"))?;
        for _ in 0..BLOCKS {
            overwrite.write_all(&[1; BLOCK_BYTES])?;
        }
        overwrite.sync_all()?;
        let append = OpenOptions::new()
            .append(true)
            .create(true)
            .open(folder.join("raw-append"))?;
        Ok(Raw {
            append,
            overwrite,
            next_block: 0,
            random: Random(42),
        })
    }

    /// Append 128 B to a growing file, fdatasync.
    pub(crate) fn append(&mut self) -> Result<Duration> {
        let bytes = self.bytes::<APPEND_BYTES>();
        timed(|| {
            self.append.write_all(&bytes)?;
            self.append.sync_data()
        })
    }

    /// Append 128 B to a growing file, fsync.
    pub(crate) fn append_fsync(&mut self) -> Result<Duration> {
        let bytes = self.bytes::<APPEND_BYTES>();
        timed(|| {
            self.append.write_all(&bytes)?;
            self.append.sync_all()
        })
    }

    /// Overwrite 4 KiB of a file that has its blocks already, fdatasync.
    pub(crate) fn overwrite(&mut self) -> Result<Duration> {
        let bytes = self.bytes::<BLOCK_BYTES>();
        let at = self.next_block();
        timed(|| {
            self.overwrite.write_all_at(&bytes, at)?;
            self.overwrite.sync_data()
        })
    }

    /// Overwrite 4 KiB of a file that has its blocks already, fsync: its times change.
    pub(crate) fn overwrite_fsync(&mut self) -> Result<Duration> {
        let bytes = self.bytes::<BLOCK_BYTES>();
        let at = self.next_block();
        timed(|| {
            self.overwrite.write_all_at(&bytes, at)?;
            self.overwrite.sync_all()
        })
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    fn next_block(&mut self) -> u64 {
        self.next_block = (self.next_block + 1) % BLOCKS;
        u64::try_from(self.next_block * BLOCK_BYTES).unwrap_or(0)
    }
}

/// Bytes written so far, by whom it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// Reached the disk, of all processes: its sector counter.
    pub(crate) disk: u64,
    /// Made dirty in the page cache by this process, in whole pages (`write_bytes`).
    pub(crate) pages: u64,
    /// Handed to write calls by this process (`wchar`).
    pub(crate) calls: u64,
}

impl Written {
    pub(crate) fn since(self, before: Written) -> Written {
        Written {
            disk: self.disk.saturating_sub(before.disk),
            pages: self.pages.saturating_sub(before.pages),
            calls: self.calls.saturating_sub(before.calls),
        }
    }
}

/// The counters of the disk below a folder, and of this process.
#[derive(Debug)]
pub(crate) struct Counters(PathBuf);

impl Counters {
    /// Errors: the folder is on no disk of its own (such as tmpfs).
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let stat = block_device(folder)?.join("stat");
        fs::read(&stat).map_err(|error| format!("{}: {error}", stat.display()))?;
        Ok(Counters(stat))
    }

    /// Linux: Documentation/block/stat.rst, field 7, sectors of 512 bytes;
    /// Documentation/filesystems/proc.rst, `/proc/PID/io`.
    pub(crate) fn read(&self) -> Result<Written> {
        let stat = fs::read_to_string(&self.0)?;
        let sectors = stat.split_whitespace().nth(6).ok_or("no field 7")?;
        let io = fs::read_to_string("/proc/self/io")?;
        let field = |name: &str| -> Result<u64> {
            let line = io.lines().find_map(|line| line.strip_prefix(name));
            Ok(line
                .ok_or("a line is missing in /proc/self/io")?
                .trim()
                .parse()?)
        };
        Ok(Written {
            disk: sectors.parse::<u64>()? * 512,
            pages: field("write_bytes:")?,
            calls: field("wchar:")?,
        })
    }
}

/// The folder in /sys of the device that a folder is on. Device numbers are packed
/// as glibc's gnu_dev_major and gnu_dev_minor say.
pub(crate) fn block_device(folder: &Path) -> Result<PathBuf> {
    let device = fs::metadata(folder)?.dev();
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    Ok(format!("/sys/dev/block/{major}:{minor}").into())
}
