//! One function for each import of `wasm_storage_v1`, in the order of the import
//! table: pointers and lengths come in, are checked against the guest's memory,
//! and go on as slices to the method of the same name of [`Invocation`].
//!
//! Every range of a call is checked before anything is done. Inputs are consumed
//! before outputs are written, so a guest's ranges may overlap: where the memory
//! must be lent for writing, keys and specs are copied first, within their limits.

use wasm_storage_abi::{limits, wire};

use crate::invocation::Invocation;
use crate::memory::{GuestMemory, GuestRange};
use crate::trap::Trap;

/// `input`: argument bytes of this call.
pub fn input<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let out = range("input", out, cap).of_mut(memory)?;
    call.input(out)
}

/// `finish`: the call is over.
pub fn finish<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    status: i32,
    bytes: u32,
    len: u32,
) -> Result<i32, Trap> {
    let bytes = range("finish", bytes, len).of(memory)?;
    call.finish(status, bytes)
}

/// `get`: value under a key.
pub fn get<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let key = range("get", key, key_len);
    let out = range("get", out, cap);
    with_copied(call, memory, key, KEY, out, |call, key, out| {
        call.get(ns, key, out)
    })
}

/// `put`: store a value under a key.
pub fn put<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
    value: u32,
    value_len: u32,
) -> Result<i32, Trap> {
    let key = range("put", key, key_len).of(memory)?;
    let value = range("put", value, value_len).of(memory)?;
    call.put(ns, key, value)
}

/// `mint`: store a value under a fresh key.
pub fn mint<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    value: u32,
    value_len: u32,
    out: u32,
) -> Result<i32, Trap> {
    let out = range("mint", out, 8);
    out.of(memory)?;
    let value = range("mint", value, value_len).of(memory)?;
    let mut key = [0; 8];
    let status = call.mint(ns, value, &mut key)?;
    if status >= 0 {
        out.of_mut(memory)?.copy_from_slice(&key);
    }
    Ok(status)
}

/// `delete`: delete a key.
pub fn delete<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
) -> Result<i32, Trap> {
    let key = range("delete", key, key_len).of(memory)?;
    call.delete(ns, key)
}

/// `has`: length of the value under a key.
pub fn has<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
) -> Result<i32, Trap> {
    let key = range("has", key, key_len).of(memory)?;
    call.has(ns, key)
}

/// `add`: checked add on an i64 entry, with the new value.
pub fn add<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
    delta: i64,
    out: u32,
) -> Result<i32, Trap> {
    let out = range("add", out, 8);
    out.of(memory)?;
    let key = range("add", key, key_len).of(memory)?;
    let mut sum = [0; 8];
    let status = call.add(ns, key, delta, &mut sum)?;
    if status >= 0 {
        out.of_mut(memory)?.copy_from_slice(&sum);
    }
    Ok(status)
}

/// `increment`: add on an i64 entry without a reply.
pub fn increment<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    key: u32,
    key_len: u32,
    delta: i64,
) -> Result<i32, Trap> {
    let key = range("increment", key, key_len).of(memory)?;
    call.increment(ns, key, delta)
}

/// `scan`: one page of a range.
pub fn scan<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    ns: u32,
    spec: u32,
    spec_len: u32,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let spec = range("scan", spec, spec_len);
    let out = range("scan", out, cap);
    with_copied(call, memory, spec, SPEC, out, |call, spec, out| {
        call.scan(ns, spec, out)
    })
}

/// `exec`: many operations in one call.
pub fn exec<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    command: u32,
    command_len: u32,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let out = range("exec", out, cap);
    out.of(memory)?;
    let command = range("exec", command, command_len).of(memory)?;
    // The command may be large and is not copied: the reply waits until it is consumed.
    match call.exec_reply(command)? {
        Ok(reply) => Ok(call.hand_out(reply, out.of_mut(memory)?)),
        Err(status) => Ok(status),
    }
}

/// `fetch`: copy out the parked result.
pub fn fetch<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let out = range("fetch", out, cap).of_mut(memory)?;
    call.fetch(out)
}

/// `open`: handle of a granted namespace.
pub fn open<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    name: u32,
    name_len: u32,
    flags: i32,
) -> Result<i32, Trap> {
    let name = range("open", name, name_len).of(memory)?;
    call.open(name, flags)
}

/// `savepoint`: set a savepoint.
pub fn savepoint<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
) -> Result<i32, Trap> {
    call.savepoint()
}

/// `release`: forget a savepoint.
pub fn release<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    savepoint: i32,
) -> Result<i32, Trap> {
    call.release(savepoint)
}

/// `rollback_to`: undo all writes since a savepoint.
pub fn rollback_to<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    savepoint: i32,
) -> Result<i32, Trap> {
    call.rollback_to(savepoint)
}

/// `commit`: end a part of a long call.
pub fn commit<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
) -> Result<i32, Trap> {
    call.commit()
}

/// `abort`: doom the call. It always traps.
pub fn abort<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    message: u32,
    message_len: u32,
) -> Result<(), Trap> {
    let message = range("abort", message, message_len).of(memory)?;
    Err(call.abort(message))
}

/// `info`: ABI minor version, limits, capability bits.
pub fn info<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let out = range("info", out, cap).of_mut(memory)?;
    call.info(out)
}

/// `error_text`: text of the last error.
pub fn error_text<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    out: u32,
    cap: u32,
) -> Result<i32, Trap> {
    let out = range("error_text", out, cap).of_mut(memory)?;
    call.error_text(out)
}

fn range(import: &'static str, pointer: u32, length: u32) -> GuestRange {
    GuestRange {
        import,
        pointer,
        length,
    }
}

/// Calls `then` with a copy of the input range and the output range. An input
/// over its limit is refused before it is copied.
fn with_copied<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    input: GuestRange,
    (what, limit): (&'static str, usize),
    out: GuestRange,
    then: impl FnOnce(&mut Invocation, &[u8], &mut [u8]) -> Result<i32, Trap>,
) -> Result<i32, Trap> {
    out.of(memory)?;
    let bytes = input.of(memory)?;
    if bytes.len() > limit {
        return call.refuse_too_large(input.import, what, limit, bytes.len());
    }
    let mut copy = call.take_scratch();
    copy.clear();
    copy.extend_from_slice(bytes);
    let status = out.of_mut(memory).and_then(|out| then(call, &copy, out));
    call.give_back_scratch(copy);
    status
}

const KEY: (&str, usize) = ("a key", limits::KEY_BYTES);

/// A scan spec has three keys at most.
const SPEC: (&str, usize) = (
    "a scan spec",
    3 * limits::KEY_BYTES + wire::scan::SPEC_FIXED_BYTES,
);
