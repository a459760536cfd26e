//! What a child says, a line for each on its standard output, and how its parent reads
//! it.
//!
//! Invariant: whole lines are passed on at once, each in one write; so what was said
//! before a kill is heard.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use wasm_storage_engine::CommitId;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The store is about to be opened.
    Opening,
    /// It is open and the writers begin.
    Ready,
    /// This commit has returned. With its id and how often the invocation ran; a part of
    /// an invocation has neither.
    Acknowledged {
        writer: usize,
        number: u64,
        commit: Option<(CommitId, u32)>,
    },
    /// Nobody knows whether it happened.
    Unknown {
        writer: usize,
        number: u64,
        commit: CommitId,
    },
    /// It did not happen: the store takes no more writes.
    Unavailable { writer: usize, number: u64 },
    /// The engine panicked in the writer's own thread.
    Panicked { writer: usize, number: u64 },
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Opening => f.write_str("opening"),
            Said::Ready => f.write_str("ready"),
            Said::Acknowledged {
                writer,
                number,
                commit,
            } => {
                write!(f, "acknowledged {writer} {number}")?;
                match commit {
                    Some((id, attempts)) => write!(f, " {id} {attempts}"),
                    None => Ok(()),
                }
            }
            Said::Unknown {
                writer,
                number,
                commit,
            } => write!(f, "unknown {writer} {number} {commit}"),
            Said::Unavailable { writer, number } => write!(f, "unavailable {writer} {number}"),
            Said::Panicked { writer, number } => write!(f, "panicked {writer} {number}"),
        }
    }
}

impl FromStr for Said {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let read = || {
            let (&word, words) = words.split_first()?;
            let (writer, number, more) = match words {
                [] if word == "opening" => return Some(Said::Opening),
                [] if word == "ready" => return Some(Said::Ready),
                [writer, number, more @ ..] => (writer.parse().ok()?, number.parse().ok()?, more),
                _ => return None,
            };
            Some(match (word, more) {
                ("acknowledged", []) => Said::Acknowledged {
                    writer,
                    number,
                    commit: None,
                },
                ("acknowledged", [id, attempts]) => Said::Acknowledged {
                    writer,
                    number,
                    commit: Some((id.parse().ok()?, attempts.parse().ok()?)),
                },
                ("unknown", [id]) => Said::Unknown {
                    writer,
                    number,
                    commit: id.parse().ok()?,
                },
                ("unavailable", []) => Said::Unavailable { writer, number },
                ("panicked", []) => Said::Panicked { writer, number },
                _ => return None,
            })
        };
        read().ok_or_else(|| format!("a child said {line:?}"))
    }
}

/// Says lines, all in one write.
pub(crate) fn say(lines: &[Said]) -> io::Result<()> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read_back() {
        let (writer, number, commit) = (3, 17, CommitId(1 << 70 | 12));
        for said in [
            Said::Opening,
            Said::Ready,
            Said::Acknowledged {
                writer,
                number,
                commit: None,
            },
            Said::Acknowledged {
                writer,
                number,
                commit: Some((commit, 2)),
            },
            Said::Unknown {
                writer,
                number,
                commit,
            },
            Said::Unavailable { writer, number },
            Said::Panicked { writer, number },
        ] {
            assert_eq!(said.to_string().parse(), Ok(said));
        }
        for bad in [
            "",
            "ready 1",
            "acknowledged 1",
            "unknown 1 2",
            "unknown 1 2 3",
        ] {
            assert!(bad.parse::<Said>().is_err(), "{bad}");
        }
    }
}
