//! How a function of a module is called: the exports' types for
//! `wasm_storage_host::convention`, and an instance of which it calls the functions.

use std::fmt;
use std::sync::Arc;

use wasm_storage_host::convention::{self, Export, Signature};
use wasm_storage_host::{Trap, convention::Allocator};
use wasmtime::{ExternType, Func, FuncType, Instance, Memory, Store, Val, ValType};

use crate::runtime::Data;

/// What a module has that buffers could be passed by.
pub(crate) fn allocator(module: &wasmtime::Module) -> Allocator {
    Allocator::of(module.exports().map(|export| {
        let kind = match export.ty() {
            ExternType::Memory(memory) if !memory.is_64() => Export::Memory,
            ExternType::Func(ty) => Export::Function(signature(&ty)),
            _ => Export::Other,
        };
        (export.name(), kind)
    }))
}

pub(crate) fn signature(ty: &FuncType) -> Signature {
    let is_i32 = |ty: ValType| matches!(ty, ValType::I32);
    Signature::new(ty.params().map(is_i32), ty.results().map(is_i32))
}

/// Whether a module has a function of this type to be called before all others.
pub(crate) fn is_initialize(name: &str, ty: &FuncType) -> bool {
    name == convention::INITIALIZE && ty.params().len() == 0 && ty.results().len() == 0
}

/// Calls a function with buffers.
pub(crate) fn call(
    store: &mut Store<Data>,
    instance: &Instance,
    function: Func,
    buffers: &[Arc<[u8]>],
) -> wasmtime::Result<Vec<u8>> {
    let gone = || wasmtime::Error::msg("the memory has gone");
    let mut guest = Guest {
        memory: instance
            .get_memory(&mut *store, "memory")
            .ok_or_else(gone)?,
        instance,
        function,
        store,
    };
    convention::call(&mut guest, buffers).map_err(|Stopped(error)| error)
}

struct Guest<'a> {
    store: &'a mut Store<Data>,
    instance: &'a Instance,
    memory: Memory,
    function: Func,
}

/// Why the guest's code was stopped.
struct Stopped(wasmtime::Error);

impl From<Trap> for Stopped {
    fn from(trap: Trap) -> Self {
        Stopped(trap.into())
    }
}

impl From<wasmtime::Error> for Stopped {
    fn from(error: wasmtime::Error) -> Self {
        Stopped(error)
    }
}

impl convention::Instance for Guest<'_> {
    type Error = Stopped;

    fn malloc(&mut self, size: u32) -> Result<u32, Stopped> {
        let store = &mut *self.store;
        let malloc = self
            .instance
            .get_typed_func::<u32, u32>(&mut *store, convention::MALLOC)?;
        Ok(within(convention::MALLOC, malloc.call(store, size))?)
    }

    fn free(&mut self, pointer: u32, size: u32) -> Result<(), Stopped> {
        let store = &mut *self.store;
        let free = self
            .instance
            .get_typed_func::<(u32, u32), ()>(&mut *store, convention::FREE)?;
        Ok(within(convention::FREE, free.call(store, (pointer, size)))?)
    }

    fn function(&mut self, args: &[u32]) -> Result<(), Stopped> {
        let args: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        Ok(self.function.call(&mut *self.store, &args, &mut [])?)
    }

    fn memory(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut *self.store)
    }
}

/// The function in which a guest was stopped, if it is not the one that was to be called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within(pub(crate) &'static str);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}", self.0)
    }
}

/// What `function` ended with; an error of it says where it was.
pub(crate) fn within<T>(function: &'static str, ended: wasmtime::Result<T>) -> wasmtime::Result<T> {
    ended.map_err(|error| error.context(Within(function)))
}
