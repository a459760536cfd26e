//! An apply that fails under a crowd of writers: [`Trouble`] says how and when.
//!
//! Two kinds. *Injected*: the engine is told to say that it does not know, or to panic,
//! after it has written or instead of it ([`FaultyKv`]). *Real*: the disk is full, made
//! by a limit on the size of files ([`disk`](super::disk)); so the engine's own way of
//! failing is met, the mark that it leaves and what it has written half.
//!
//! [`FaultyKv`]: wasm_storage_testkit::fault::FaultyKv

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use clap::ValueEnum;
use wasm_storage_testkit::fault::{Fault, Faults};

use super::crowd::{Crowd, Gathering};
use super::disk::Disk;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Written, and the engine says that it does not know.
    UnknownWritten,
    /// Not written, and the engine says that it does not know.
    UnknownUnwritten,
    /// A panic after writing.
    PanicWritten,
    /// A panic instead of writing.
    Panic,
    /// Written and acknowledged, and the store cannot be read.
    Unseen,
    /// The disk is full from then on.
    DiskFull,
    /// The disk is full until a write has failed: what is buffered can still arrive.
    DiskFullAWhile,
}

impl What {
    /// Whether the engine itself fails, and leaves its mark.
    pub(crate) fn is_real(self) -> bool {
        matches!(self, What::DiskFull | What::DiskFullAWhile)
    }

    pub(crate) fn is_panic(self) -> bool {
        matches!(self, What::Panic | What::PanicWritten)
    }
}

/// How the process goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum End {
    /// The store is closed and dropped.
    Close,
    /// As by a kill.
    Abort,
}

/// What happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) what: What,
    /// Groups of the writers that are well before.
    pub(crate) after: u64,
    /// Writers that wait for a commit then.
    pub(crate) crowd: usize,
    /// [`What::is_real`]: how far the disk is from full, less than [`ROOMS`](super::disk::ROOMS).
    pub(crate) room: u64,
    pub(crate) end: End,
}

/// As on a child's command line: `unknown-written,3,16,0,close`.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, end) = (super::name_of(&self.what), super::name_of(&self.end));
        write!(
            f,
            "{what},{},{},{},{end}",
            self.after, self.crowd, self.room
        )
    }
}

impl FromStr for Trouble {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut words = text.split(',');
            Some(Trouble {
                what: What::from_str(words.next()?, false).ok()?,
                after: words.next()?.parse().ok()?,
                crowd: words.next()?.parse().ok()?,
                room: words.next()?.parse().ok()?,
                end: End::from_str(words.next()?, false).ok()?,
            })
        };
        read().ok_or_else(|| format!("{text:?} is no trouble"))
    }
}

/// Makes trouble in a store that is open.
#[derive(Debug)]
pub(crate) struct Troubles {
    pub(crate) faults: Faults,
    pub(crate) disk: Arc<Disk>,
}

impl Troubles {
    /// From here, so many groups are well.
    pub(crate) fn arm(&self, trouble: Trouble, crowd: &Crowd) {
        let after = trouble.after;
        crowd.gather(Gathering::Once {
            after,
            count: trouble.crowd,
        });
        let fault = match trouble.what {
            What::UnknownWritten => Fault::UnknownWritten,
            What::UnknownUnwritten => Fault::UnknownUnwritten,
            What::PanicWritten => Fault::PanicWritten,
            What::Panic => Fault::Panic,
            What::Unseen => return self.faults.fail_snapshot_after(after),
            What::DiskFull => return self.disk.fill_after(after, trouble.room, false),
            What::DiskFullAWhile => return self.disk.fill_after(after, trouble.room, true),
        };
        self.faults.arm_after(after, fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_read_back_from_its_text() {
        for what in What::value_variants() {
            let trouble = Trouble {
                what: *what,
                after: 3,
                crowd: 16,
                room: 9,
                end: End::Abort,
            };
            assert_eq!(trouble.to_string().parse(), Ok(trouble));
        }
        assert!("unknown-written,3,16,0".parse::<Trouble>().is_err());
    }
}
