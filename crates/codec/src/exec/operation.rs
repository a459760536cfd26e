//! One operation of a command, and its body.
//!
//! | op | flags | body |
//! |---|---|---|
//! | GET | | nothing |
//! | PUT | TTL, IF_ABSENT, IF_EQUAL | `ttl_ms u64`? then `expected: u32 length + bytes`? then the value |
//! | DELETE | EXISTED | nothing |
//! | ADD | | `delta i64` |
//! | REPLACE | | the value |
//! | TTL | SET, CLEAR (none: get) | `ttl_ms u64` if SET |
//! | DELETE_RANGE | | a scan spec; the key is empty |
//! | SCAN | | a scan spec; the key is empty |
//!
//! Invariant: what decodes has exactly these fields, and encodes to the same bytes.

use wasm_storage_abi::wire::exec;

use super::{CommandError, Frame};
use crate::buf::KeyBuf;
use crate::bytes::{put_counted, put_u32, take_array, take_counted, wire_len};

/// An operation of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// Op code.
    pub op: u8,
    /// Flags of the operation; the body says the same in its fields.
    pub flags: u8,
    /// Namespace handle; 0 is the default namespace.
    pub ns: u16,
    /// Key; empty for ranges.
    pub key: &'a [u8],
    /// The decoded rest.
    pub body: Body<'a>,
}

/// What an operation does, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Value under the key.
    Get,
    /// Store a value. `if_absent` and `if_equal` exclude each other.
    Put {
        /// Time to live, in milliseconds.
        ttl_ms: Option<u64>,
        /// CHECK_FAILED if the key is there.
        if_absent: bool,
        /// CHECK_FAILED unless the stored value equals this.
        if_equal: Option<&'a [u8]>,
        /// The value.
        value: &'a [u8],
    },
    /// Delete the key.
    Delete {
        /// Reply whether it was there.
        existed: bool,
    },
    /// Checked add on an i64 entry.
    Add {
        /// What to add.
        delta: i64,
    },
    /// Store a value and reply the old one.
    Replace {
        /// The new value.
        value: &'a [u8],
    },
    /// Time to live of the key.
    Ttl(Ttl),
    /// Delete a range; its limit bounds how many keys.
    DeleteRange {
        /// A [`ScanSpec`](crate::scan::ScanSpec), not parsed yet.
        spec: &'a [u8],
    },
    /// One page of a range.
    Scan {
        /// A [`ScanSpec`](crate::scan::ScanSpec), not parsed yet.
        spec: &'a [u8],
    },
    /// An op code of a later version: UNSUPPORTED. The body is skipped.
    Unknown,
}

/// The three forms of the TTL operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Reply the milliseconds left.
    Get,
    /// Set it.
    Set {
        /// Milliseconds from now.
        ttl_ms: u64,
    },
    /// Clear it.
    Clear,
}

impl<'a> Operation<'a> {
    /// An operation with the op code and flags of its body.
    #[inline]
    pub fn new(ns: u16, key: &'a [u8], body: Body<'a>) -> Self {
        let (op, flags) = match body {
            Body::Get => (exec::GET, 0),
            Body::Put {
                ttl_ms,
                if_absent,
                if_equal,
                ..
            } => {
                let bit = |set: bool, bit: u8| if set { bit } else { 0 };
                let flags = bit(ttl_ms.is_some(), exec::PUT_TTL)
                    | bit(if_absent, exec::PUT_IF_ABSENT)
                    | bit(if_equal.is_some(), exec::PUT_IF_EQUAL);
                (exec::PUT, flags)
            }
            Body::Delete { existed: true } => (exec::DELETE, exec::DELETE_EXISTED),
            Body::Delete { existed: false } => (exec::DELETE, 0),
            Body::Add { .. } => (exec::ADD, 0),
            Body::Replace { .. } => (exec::REPLACE, 0),
            Body::Ttl(Ttl::Get) => (exec::TTL, 0),
            Body::Ttl(Ttl::Set { .. }) => (exec::TTL, exec::TTL_SET),
            Body::Ttl(Ttl::Clear) => (exec::TTL, exec::TTL_CLEAR),
            Body::DeleteRange { .. } => (exec::DELETE_RANGE, 0),
            Body::Scan { .. } => (exec::SCAN, 0),
            Body::Unknown => (0, 0),
        };
        Operation {
            op,
            flags,
            ns,
            key,
            body,
        }
    }

    /// Bytes that [`write`](Operation::write) writes.
    #[inline]
    pub fn encoded_len(&self) -> usize {
        exec::OP_HEADER_BYTES
            .saturating_add(self.key.len())
            .saturating_add(self.body.encoded_len())
    }

    /// Writes the operation, header and key included. `op` and `flags` must be
    /// those of the body ([`Operation::new`]); the body of an unknown one is empty.
    #[inline]
    pub fn write(&self, out: &mut KeyBuf<'_>) {
        out.push(self.op);
        out.push(self.flags);
        out.extend(&self.ns.to_le_bytes());
        put_u32(wire_len(self.key.len()), out);
        put_u32(wire_len(self.body.encoded_len()), out);
        out.extend(self.key);
        self.body.write(out);
    }

    pub(super) fn from_frame(frame: &Frame<'a>) -> Result<Self, CommandError> {
        let body = Body::read(frame)?;
        let ranged = matches!(body, Body::DeleteRange { .. } | Body::Scan { .. });
        if ranged && !frame.key.is_empty() {
            return Err(CommandError::BadBody);
        }
        Ok(Operation {
            op: frame.op,
            flags: frame.flags,
            ns: frame.ns,
            key: frame.key,
            body,
        })
    }
}

impl<'a> Body<'a> {
    #[inline]
    fn encoded_len(&self) -> usize {
        match *self {
            Body::Get | Body::Delete { .. } | Body::Ttl(Ttl::Get | Ttl::Clear) | Body::Unknown => 0,
            Body::Put {
                ttl_ms,
                if_equal,
                value,
                ..
            } => {
                let ttl = if ttl_ms.is_some() { 8 } else { 0 };
                let expected = if_equal.map_or(0, |bytes| bytes.len().saturating_add(4));
                value.len().saturating_add(ttl).saturating_add(expected)
            }
            Body::Add { .. } | Body::Ttl(Ttl::Set { .. }) => 8,
            Body::Replace { value } => value.len(),
            Body::DeleteRange { spec } | Body::Scan { spec } => spec.len(),
        }
    }

    #[inline]
    fn write(&self, out: &mut KeyBuf<'_>) {
        match *self {
            Body::Get | Body::Delete { .. } | Body::Ttl(Ttl::Get | Ttl::Clear) | Body::Unknown => {}
            Body::Put {
                ttl_ms,
                if_equal,
                value,
                ..
            } => {
                if let Some(ttl_ms) = ttl_ms {
                    out.extend(&ttl_ms.to_le_bytes());
                }
                if let Some(expected) = if_equal {
                    put_counted(expected, out);
                }
                out.extend(value);
            }
            Body::Add { delta } => out.extend(&delta.to_le_bytes()),
            Body::Ttl(Ttl::Set { ttl_ms }) => out.extend(&ttl_ms.to_le_bytes()),
            Body::Replace { value } => out.extend(value),
            Body::DeleteRange { spec } | Body::Scan { spec } => out.extend(spec),
        }
    }

    fn read(frame: &Frame<'a>) -> Result<Self, CommandError> {
        let flags = frame.flags;
        let mut rest = frame.body;
        let known: u8 = match frame.op {
            exec::PUT => exec::PUT_TTL | exec::PUT_IF_ABSENT | exec::PUT_IF_EQUAL,
            exec::DELETE => exec::DELETE_EXISTED,
            exec::TTL => exec::TTL_SET | exec::TTL_CLEAR,
            exec::GET | exec::ADD | exec::REPLACE | exec::DELETE_RANGE | exec::SCAN => 0,
            _ => return Ok(Body::Unknown),
        };
        if flags & !known != 0 {
            return Err(CommandError::UnknownFlags);
        }
        let body = match frame.op {
            exec::PUT => {
                let if_absent = flags & exec::PUT_IF_ABSENT != 0;
                let wants_equal = flags & exec::PUT_IF_EQUAL != 0;
                if if_absent && wants_equal {
                    return Err(CommandError::BadBody);
                }
                let ttl_ms = if flags & exec::PUT_TTL != 0 {
                    Some(take_u64(&mut rest)?)
                } else {
                    None
                };
                let if_equal = if wants_equal {
                    Some(take_counted(&mut rest).ok_or(CommandError::BadBody)?)
                } else {
                    None
                };
                let value = core::mem::take(&mut rest);
                Body::Put {
                    ttl_ms,
                    if_absent,
                    if_equal,
                    value,
                }
            }
            exec::DELETE => Body::Delete {
                existed: flags & exec::DELETE_EXISTED != 0,
            },
            exec::ADD => Body::Add {
                delta: take_array(&mut rest)
                    .map(i64::from_le_bytes)
                    .ok_or(CommandError::BadBody)?,
            },
            exec::REPLACE => Body::Replace {
                value: core::mem::take(&mut rest),
            },
            exec::TTL => Body::Ttl(match flags {
                exec::TTL_SET => Ttl::Set {
                    ttl_ms: take_u64(&mut rest)?,
                },
                exec::TTL_CLEAR => Ttl::Clear,
                0 => Ttl::Get,
                _ => return Err(CommandError::BadBody),
            }),
            exec::DELETE_RANGE => Body::DeleteRange {
                spec: core::mem::take(&mut rest),
            },
            exec::SCAN => Body::Scan {
                spec: core::mem::take(&mut rest),
            },
            _ => Body::Get,
        };
        if rest.is_empty() {
            Ok(body)
        } else {
            Err(CommandError::BadBody)
        }
    }
}

fn take_u64(from: &mut &[u8]) -> Result<u64, CommandError> {
    take_array(from)
        .map(u64::from_le_bytes)
        .ok_or(CommandError::BadBody)
}
