//! The operations that have no import of their own: one `exec` call each, with
//! the value read and written in it.
//!
//! Invariant: one host call, and `fetch` for a reply over 256 bytes.
//!
//! Elsewhere: the wire form is `wasm_storage_codec::exec`.

use alloc::vec;

use wasm_storage_abi::Kind;
use wasm_storage_codec::exec::{Body, CommandBuilder, Replies};

use crate::error::{Error, Result};
use crate::host::{SMALL, length, status_of, with_answer, with_record};
use crate::sys;
use crate::value::{Encode, Value};

/// Runs operations on one key; `then` gets the replies.
pub(crate) fn run<R>(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    bodies: &[Body<'_>],
    then: impl FnOnce(&mut Replies<'_>) -> Result<R>,
) -> Result<R> {
    let ns = u16::try_from(ns).map_err(|_| {
        Error::other(
            operation,
            key,
            Kind::InvalidArgument,
            "is in no open namespace",
        )
    })?;
    batch(
        operation,
        key,
        |command| {
            for body in bodies {
                command.push(ns, key, *body);
            }
        },
        &mut [0; SMALL],
        then,
    )
}

/// Runs the operations that `fill` writes; `then` gets the replies, which are fetched
/// if they do not fit in `room`. `key` is for errors.
pub(crate) fn batch<R>(
    operation: &'static str,
    key: &[u8],
    fill: impl Fn(&mut CommandBuilder<'_>),
    room: &mut [u8],
    then: impl FnOnce(&mut Replies<'_>) -> Result<R>,
) -> Result<R> {
    let mut small = [0; SMALL];
    let mut large;
    let mut command = CommandBuilder::new(&mut small, 0);
    fill(&mut command);
    let needed = command.needed();
    if needed > SMALL {
        large = vec![0; needed];
        command = CommandBuilder::new(&mut large, 0);
        fill(&mut command);
    }
    let Some(command) = command.finish() else {
        return Err(Error::other(
            operation,
            key,
            Kind::TooLarge,
            "is in a batch of too many operations",
        ));
    };
    let len = length(operation, key, sys::exec(command, room))?;
    with_answer(operation, key, room, len, |answer| {
        then(&mut Replies::new(answer))
    })?
}

/// The next reply: its bytes, or `None` for NOT_FOUND.
pub(crate) fn reply<'a>(
    operation: &'static str,
    key: &[u8],
    replies: &mut Replies<'a>,
) -> Result<Option<&'a [u8]>> {
    let Some(reply) = replies.next() else {
        return Err(Error::other(
            operation,
            key,
            Kind::Corrupt,
            "has no reply of the host",
        ));
    };
    match reply.status {
        0.. => Ok(Some(reply.bytes)),
        status if status == status_of(Kind::NotFound) => Ok(None),
        status => {
            let kind = Kind::from_status(status).unwrap_or(Kind::Internal);
            Err(Error::other(operation, key, kind, "was refused"))
        }
    }
}

/// The next reply, as a value.
fn value<V: Value>(
    operation: &'static str,
    key: &[u8],
    replies: &mut Replies<'_>,
) -> Result<Option<V>> {
    match reply(operation, key, replies)? {
        Some(record) => match V::read(record) {
            Ok(value) => Ok(Some(value)),
            Err(why) => Err(Error::unreadable(operation, key, why)),
        },
        None => Ok(None),
    }
}

/// Writes a value; the old one.
pub(crate) fn replace<V: Value>(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    new: &(impl Encode + ?Sized),
) -> Result<Option<V>> {
    with_record(operation, key, new, |record| {
        let body = Body::Replace { value: record };
        run(operation, ns, key, &[body], |replies| {
            value(operation, key, replies)
        })
    })
}

/// Deletes a value; what it was.
pub(crate) fn take<V: Value>(operation: &'static str, ns: u32, key: &[u8]) -> Result<Option<V>> {
    let bodies = [Body::Get, Body::Delete { existed: false }];
    run(operation, ns, key, &bodies, |replies| {
        let old = value(operation, key, replies)?;
        reply(operation, key, replies)?;
        Ok(old)
    })
}

/// Writes a value if there is none; whether it did.
pub(crate) fn put_new(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    new: &(impl Encode + ?Sized),
) -> Result<bool> {
    with_record(operation, key, new, |record| {
        put_if(operation, ns, key, true, None, record)
    })
}

/// Writes a value if the stored one equals `expected`; whether it did.
pub(crate) fn put_if_equal(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    expected: &(impl Encode + ?Sized),
    new: &(impl Encode + ?Sized),
) -> Result<bool> {
    with_record(operation, key, expected, |expected| {
        with_record(operation, key, new, |record| {
            put_if(operation, ns, key, false, Some(expected), record)
        })
    })
}

fn put_if(
    operation: &'static str,
    ns: u32,
    key: &[u8],
    if_absent: bool,
    if_equal: Option<&[u8]>,
    value: &[u8],
) -> Result<bool> {
    let body = Body::Put {
        ttl_ms: None,
        if_absent,
        if_equal,
        value,
    };
    run(operation, ns, key, &[body], |replies| {
        match reply(operation, key, replies) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == Kind::CheckFailed => Ok(false),
            Err(error) => Err(error),
        }
    })
}
