//! The imports of `wasm_storage_v1`, bound to a Wasmtime linker: every row of the
//! import table to the function of the same name in `wasm_storage_host::calls`.
//!
//! The guest's memory is looked up by name once and kept: a look-up in every call
//! costs twenty times as much as the call.

use wasm_storage_abi::{for_each_v1_import, v1};
use wasm_storage_host::{Invocation, Trap, calls};
use wasmtime::{Caller, Extern, Linker, Memory};

/// What the imports need in an embedder's store data.
#[derive(Debug, Default)]
pub struct StorageState {
    /// The invocation that is running, if one is.
    pub invocation: Option<Invocation>,
    /// The guest's memory, kept at its first use.
    memory: Option<Memory>,
}

impl StorageState {
    /// A state in which `invocation` runs.
    pub fn new(invocation: Invocation) -> Self {
        StorageState {
            invocation: Some(invocation),
            memory: None,
        }
    }
}

/// Adds every import of `wasm_storage_v1` to a linker. `state` finds the
/// [`StorageState`] in the embedder's data; use a fresh one for each instance.
///
/// Errors: a name is already defined.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
) -> wasmtime::Result<()> {
    macro_rules! bind {
        ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {$(
            linker.func_wrap(
                v1::MODULE,
                stringify!($name),
                move |mut caller: Caller<'_, T> $(, $arg: $t)*| -> wasmtime::Result<$r> {
                    with_memory(&mut caller, state, stringify!($name), |call, memory| {
                        calls::$name(call, memory $(, $arg)*)
                    })
                },
            )?;
        )*};
    }
    for_each_v1_import!(bind);
    Ok(())
}

/// Calls `then` with the running invocation and the guest's memory.
fn with_memory<T, R>(
    caller: &mut Caller<'_, T>,
    state: fn(&mut T) -> &mut StorageState,
    import: &'static str,
    then: impl FnOnce(&mut Invocation, &mut [u8]) -> Result<R, Trap>,
) -> wasmtime::Result<R> {
    let memory = match state(caller.data_mut()).memory {
        Some(memory) => memory,
        None => {
            let found = caller.get_export("memory").and_then(Extern::into_memory);
            let plain = found.filter(|memory| !memory.ty(&caller).is_64());
            let memory = plain.ok_or_else(|| {
                wasmtime::Error::msg(format!("{import}: the module exports no 32-bit memory"))
            })?;
            state(caller.data_mut()).memory = Some(memory);
            memory
        }
    };
    let (bytes, data) = memory.data_and_store_mut(caller);
    match &mut state(data).invocation {
        Some(call) => Ok(then(call, bytes)?),
        None => Err(Trap::NoInvocation { import }.into()),
    }
}
