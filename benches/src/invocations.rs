//! Invocations of the guest `benches/guests/invocation` through the Wasmtime runtime,
//! as a host that answers many calls would run it.

use std::num::NonZeroU32;
use std::path::Path;

use wasm_storage_engine::Store;
use wasm_storage_wasmtime::{Answer, Args, Call, CallError, Module, Runtime, RuntimeOptions, Val};

use crate::Result;

/// The guest, loaded, and the store that it works on.
#[derive(Debug)]
pub(crate) struct Invocations {
    runtime: Runtime,
    module: Module,
    store: Store,
}

impl Invocations {
    /// `instances`: from a pool for so many, or on demand.
    pub(crate) fn new(guest: &Path, store: &Store, instances: Option<NonZeroU32>) -> Result<Self> {
        let runtime = Runtime::new(&RuntimeOptions {
            instances,
            ..RuntimeOptions::default()
        })?;
        Ok(Invocations {
            module: runtime.load(guest)?,
            runtime,
            store: store.clone(),
        })
    }

    /// A call of `function`, to be used again.
    pub(crate) fn prepare(&self, function: &str) -> Result<Call> {
        Ok(Call::new(function, self.store.default_namespace()?))
    }

    /// One invocation, with these arguments.
    pub(crate) fn run(
        &self,
        call: &mut Call,
        args: &[u64],
    ) -> std::result::Result<Answer, CallError> {
        // The list is used again: what making one costs is not ours.
        if let Args::Numbers(numbers) = &mut call.args {
            numbers.clear();
            numbers.extend(args.iter().map(|number| Val::I64(number.cast_signed())));
        }
        self.runtime.call(&self.store, &self.module, call)
    }
}
