//! The imports of 2020 (`ssvm_native`, `wasmedge_native`): one function for each row
//! of `wasm_storage_abi::legacy`, from pointers to slices. The methods of the same
//! names over slices are in `record`.
//!
//! `import` is the name that the guest calls it by: it stands in messages. These
//! imports answer no status, so everything that fails is a [`Trap`] of this call.
//! The original looked at the first byte of a key only; here all of its 32 (of
//! `createUUID` 33) bytes are inside the memory, or it traps.

mod record;

use wasm_storage_abi::legacy;

use crate::invocation::Invocation;
use crate::memory::{GuestMemory, GuestRange};
use crate::trap::Trap;

pub(crate) use record::Record;

/// `createUUID`: a new random key, 32 hex digits and a NUL.
pub fn create_uuid<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    import: &'static str,
    out: u32,
) -> Result<(), Trap> {
    let out = range(import, out, legacy::UUID_BYTES).of_mut(memory)?;
    let key = call.create_uuid(import)?;
    for (to, from) in out.iter_mut().zip(key.into_iter().chain([0])) {
        *to = from;
    }
    Ok(())
}

/// `createUUID` of the form with number keys: a new random number.
pub fn create_number<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
) -> Result<i32, Trap> {
    call.create_number(import).map(u32::cast_signed)
}

/// `beginStoreTx`: a new record under the 32 bytes at `key`.
pub fn begin_store<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    import: &'static str,
    key: u32,
) -> Result<(), Trap> {
    let key = range(import, key, legacy::KEY_BYTES).of(memory)?;
    call.begin_store(import, key)
}

/// `beginStoreTx` of the form with number keys.
pub fn begin_store_number<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
    key: u32,
) -> Result<(), Trap> {
    call.begin_store(import, key.to_string().as_bytes())
}

/// `beginLoadTx`: the record under the 32 bytes at `key`.
pub fn begin_load<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    memory: &mut M,
    import: &'static str,
    key: u32,
) -> Result<(), Trap> {
    let key = range(import, key, legacy::KEY_BYTES).of(memory)?;
    call.begin_load(import, key)
}

/// `beginLoadTx` of the form with number keys.
pub fn begin_load_number<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
    key: u32,
) -> Result<(), Trap> {
    call.begin_load(import, key.to_string().as_bytes())
}

/// `storeI32`: appends 4 bytes.
pub fn store_i32<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
    value: i32,
) -> Result<(), Trap> {
    call.append(import, value.to_le_bytes())
}

/// `loadI32`: the next 4 bytes.
pub fn load_i32<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
) -> Result<i32, Trap> {
    call.next(import).map(i32::from_le_bytes)
}

/// `storeI64`: appends 8 bytes.
pub fn store_i64<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
    value: i64,
) -> Result<(), Trap> {
    call.append(import, value.to_le_bytes())
}

/// `loadI64`: the next 8 bytes.
pub fn load_i64<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
) -> Result<i64, Trap> {
    call.next(import).map(i64::from_le_bytes)
}

/// `endStoreTx`: stores the record.
pub fn end_store<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
) -> Result<(), Trap> {
    call.end_store(import)
}

/// `endLoadTx`: back to the first byte.
pub fn end_load<M: GuestMemory + ?Sized>(
    call: &mut Invocation,
    _memory: &mut M,
    import: &'static str,
) -> Result<(), Trap> {
    call.end_load(import)
}

fn range(import: &'static str, pointer: u32, length: u32) -> GuestRange {
    GuestRange {
        import,
        pointer,
        length,
    }
}
