//! `exec`: many operations in one call. The wire forms are the codec's.
//!
//! Operations run in order; each has a reply with a status of its own. With
//! `STOP_ON_ERROR` the first that fails is the last one run; with `ATOMIC` it also
//! undoes all those before it. NOT_FOUND is an answer, not a failure.
//!
//! Invariant: all replies together fit into 64 MiB. Room for the status of every
//! operation is kept free, so one whose answer would not fit does nothing and is
//! TOO_LARGE, alone.

use wasm_storage_abi::wire::exec as flag;
use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::exec::{Body, Command, CommandError, Operation, ReplyWriter};
use wasm_storage_engine::{Error, NamespaceId, OpError, Session};

use crate::invocation::{Invocation, refuse_raw, status_of};

/// Runs a command; its replies.
pub(crate) fn run(call: &mut Invocation, command: &[u8]) -> Result<Vec<u8>, OpError> {
    let command = Command::parse(command).map_err(bad_command)?;
    let savepoint = if command.has(flag::ATOMIC) {
        Some(call.session.savepoint()?)
    } else {
        None
    };
    let mut bytes = Vec::new();
    let mut replies = ReplyWriter::new(&mut bytes);
    let mut failed = false;
    let mut kept_free = command.count() * flag::REPLY_HEADER_BYTES;
    for operation in command.operations() {
        // No runtime can interrupt the guest in here.
        call.session.on_time()?;
        let room = limits::PARKED_BYTES.saturating_sub(replies.len() + kept_free);
        kept_free -= flag::REPLY_HEADER_BYTES;
        let done = operation
            .map_err(|error| bad_command(error).into())
            .and_then(|operation| one(call, &operation, room));
        let (status, reply) = match done {
            Ok(done) => done,
            Err(OpError::Failed(error)) => match error.kind().status() {
                Some(status) => (status, Vec::new()),
                None => return Err(error.into()),
            },
            Err(ended) => return Err(ended),
        };
        replies.push(status, &reply);
        failed = status < 0 && status != status_of(Kind::NotFound);
        if failed && (command.has(flag::STOP_ON_ERROR) || savepoint.is_some()) {
            break;
        }
    }
    if let Some(savepoint) = savepoint {
        if failed {
            call.session.rollback_to(savepoint)?;
        }
        call.session.release(savepoint)?;
    }
    Ok(bytes)
}

fn bad_command(error: CommandError) -> Error {
    let kind = match error {
        CommandError::TooMany => Kind::TooLarge,
        _ => Kind::InvalidArgument,
    };
    Error::with_source(kind, "exec", error)
}

type Reply = (i32, Vec<u8>);

/// One operation: its status and the bytes of its reply, at most `room`.
fn one(call: &mut Invocation, operation: &Operation<'_>, room: usize) -> Result<Reply, OpError> {
    let ns = call.namespace(operation.ns.into())?;
    let session = &mut call.session;
    let key = operation.key;
    match operation.body {
        Body::Get => Ok(found(read(session, ns, key, room)?)),
        Body::Put {
            ttl_ms: Some(_), ..
        } => Err(unsupported("a time to live").into()),
        Body::Put {
            ttl_ms: None,
            if_absent,
            if_equal,
            value,
        } => {
            if if_absent && session.has(ns, key)?.is_some() {
                return Ok((status_of(Kind::CheckFailed), Vec::new()));
            }
            if let Some(expected) = if_equal {
                let mut equal = false;
                session.get(ns, key, |stored| equal = stored == expected)?;
                if !equal {
                    return Ok((status_of(Kind::CheckFailed), Vec::new()));
                }
            }
            session.put(ns, key, value)?;
            Ok((0, Vec::new()))
        }
        Body::Delete { existed } => {
            let reply = if existed {
                check_room(1, room)?;
                vec![u8::from(session.has(ns, key)?.is_some())]
            } else {
                Vec::new()
            };
            session.delete(ns, key)?;
            Ok((0, reply))
        }
        Body::Add { delta } => {
            refuse_raw(key)?;
            check_room(size_of_val(&delta), room)?;
            let sum = session.add(ns, key, delta)?;
            Ok((0, sum.to_le_bytes().to_vec()))
        }
        Body::Replace { value } => {
            let old = read(session, ns, key, room)?;
            session.put(ns, key, value)?;
            Ok(found(old))
        }
        Body::Scan { spec } => {
            let mut page = Vec::new();
            crate::scan::page(session, ns, spec, room, &mut page)?;
            check_room(page.len(), room)?;
            Ok((0, page))
        }
        Body::Ttl(_) => Err(unsupported("TTL").into()),
        Body::DeleteRange { .. } => Err(unsupported("DELETE_RANGE").into()),
        _ => Err(unsupported(&format!("operation {}", operation.op)).into()),
    }
}

fn found(value: Option<Vec<u8>>) -> Reply {
    match value {
        Some(value) => (0, value),
        None => (status_of(Kind::NotFound), Vec::new()),
    }
}

fn read(
    session: &mut Session,
    ns: NamespaceId,
    key: &[u8],
    room: usize,
) -> Result<Option<Vec<u8>>, OpError> {
    let mut value = None;
    let mut over = None;
    session.get(ns, key, |stored| {
        if stored.len() > room {
            over = Some(stored.len());
        } else {
            value = Some(stored.to_vec());
        }
    })?;
    check_room(over.unwrap_or(0), room)?;
    Ok(value)
}

/// Whether an answer fits behind the replies so far.
fn check_room(needed: usize, room: usize) -> Result<(), OpError> {
    if needed > room {
        return Err(Error::too_large("for the rest of this exec, a reply", room, needed).into());
    }
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("exec: {what} is not supported by this host"),
    )
}
