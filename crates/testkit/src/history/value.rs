//! The bytes of a recorded value: its version, the version it replaces, and an
//! integer that workloads count with.

use super::record::{Replaces, Version};

/// Version 12 bytes, replaced 13 bytes, payload 8 bytes; integers big-endian.
const LENGTH: usize = 33;
const BLIND: u8 = 0;
const ABSENT: u8 = 1;
const REPLACED: u8 = 2;

/// A value of a recorded history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) version: Version,
    pub(super) replaces: Replaces,
    pub(super) payload: i64,
}

impl Value {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let (tag, old) = match self.replaces {
            Replaces::Blind => (BLIND, None),
            Replaces::Read(None) => (ABSENT, None),
            Replaces::Read(Some(old)) => (REPLACED, Some(old)),
        };
        let old = old.unwrap_or(Version {
            writer: 0,
            number: 0,
        });
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&self.version.writer.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.version.number.to_be_bytes());
        bytes[12] = tag;
        bytes[13..21].copy_from_slice(&old.writer.to_be_bytes());
        bytes[21..25].copy_from_slice(&old.number.to_be_bytes());
        bytes[25..].copy_from_slice(&self.payload.to_be_bytes());
        bytes
    }

    /// `None` for bytes that are no such value.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let version = |at: usize| -> Option<Version> {
            Some(Version {
                writer: u64::from_be_bytes(bytes[at..at + 8].try_into().ok()?),
                number: u32::from_be_bytes(bytes[at + 8..at + 12].try_into().ok()?),
            })
        };
        Some(Value {
            version: version(0)?,
            replaces: match bytes[12] {
                BLIND => Replaces::Blind,
                ABSENT => Replaces::Read(None),
                REPLACED => Replaces::Read(Some(version(13)?)),
                _ => return None,
            },
            payload: i64::from_be_bytes(bytes[25..].try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_and_other_bytes_are_none() {
        let old = Version {
            writer: 3,
            number: u32::MAX,
        };
        for replaces in [
            Replaces::Blind,
            Replaces::Read(None),
            Replaces::Read(Some(old)),
        ] {
            let value = Value {
                version: Version {
                    writer: u64::MAX,
                    number: 7,
                },
                replaces,
                payload: -5,
            };
            let mut bytes = value.encode();
            assert_eq!(Value::decode(&bytes), Some(value));
            bytes[12] = 3;
            assert_eq!(Value::decode(&bytes), None);
            assert_eq!(Value::decode(&bytes[1..]), None);
        }
    }
}
