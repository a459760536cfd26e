//! The imports of `wasm_storage_v1`, bound to a Wasmtime linker: every row of the
//! import table to the function of the same name in `wasm_storage_host::calls`.
//! (Those of 2020: `legacy`.)
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

/// Adds every import of `wasm_storage_v1` to a linker, and those of 2020 in the form
/// with text keys. `state` finds the [`StorageState`] in the embedder's data; use a
/// fresh one for each instance.
///
/// A module of 2020 with numbers as keys needs [`add_number_keys_to_linker`](crate::add_number_keys_to_linker), too.
///
/// # Running again
///
/// An embedder opens each invocation itself. With `Store::begin`, one that lost to
/// another is a conflict to its caller. `Store::run` runs it again, which is right if
/// the lost attempt had no effect but through its session; else say `rerun: false`.
/// It has none if
///
/// - every attempt has a fresh instance and a fresh `wasmtime::Store`, so that the
///   guest's memory and globals, and what it left in the embedder's data, are gone;
/// - every other import of the linker can be called again without harm: it prints,
///   sends and writes nothing;
/// - WASI, if it is linked, has no socket and no folder that the guest may write to,
///   and what the guest prints is kept until the outcome is known.
///
/// A result that the attempt left outside of what its closure answers must be reset
/// by the next. [`Runtime`](crate::Runtime) keeps all of these.
///
/// ```
/// use wasm_storage_engine::{Coordinator, RunOptions, Store, memory::MemoryKv};
/// use wasm_storage_host::{GuestEnd, Invocation, InvocationOptions};
/// use wasm_storage_wasmtime::{StorageState, add_to_linker};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let wat = r#"(module (memory (export "memory") 1) (func (export "run")))"#;
/// # let module = wasmtime::Module::new(&wasmtime::Engine::default(), wat::parse_str(wat)?)?;
/// let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
/// let ns = store.default_namespace()?;
/// let mut linker = wasmtime::Linker::new(module.engine());
/// add_to_linker(&mut linker, |state: &mut StorageState| state)?;
///
/// let done = store.run(RunOptions::default(), |session| {
///     let invocation = Invocation::new(session, InvocationOptions::new(ns)).unwrap();
///     // Fresh in every attempt.
///     let state = StorageState::new(invocation);
///     let mut instance_store = wasmtime::Store::new(module.engine(), state);
///     let ran = linker
///         .instantiate(&mut instance_store, &module)
///         .and_then(|instance| instance.get_typed_func::<(), ()>(&mut instance_store, "run"))
///         .and_then(|run| run.call(&mut instance_store, ()));
///     let end = match ran {
///         Ok(()) => GuestEnd::Returned,
///         Err(error) => GuestEnd::Trapped(error.to_string()),
///     };
///     let invocation = instance_store.into_data().invocation.unwrap();
///     invocation.end(end)
/// })?;
/// assert!(done.value.is_ok() && done.attempts == 1);
/// # Ok(())
/// # }
/// ```
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
    crate::legacy::add(linker, state)
}

/// Calls `then` with the running invocation and the guest's memory.
pub(crate) fn with_memory<T, R>(
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
