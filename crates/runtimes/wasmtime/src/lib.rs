//! Storage imports for [Wasmtime](https://docs.wasmtime.dev).
//!
//! Two ways in:
//!
//! - [`Runtime`] runs a function of a guest as one invocation over a store: fresh
//!   instance, deadline, memory limit, commit on return.
//! - [`add_to_linker`] gives the imports to an embedder's own `Linker`.
//!
//! ```no_run
//! use wasm_storage_engine::{Coordinator, Store, memory::MemoryKv};
//! use wasm_storage_wasmtime::{Call, Runtime, RuntimeOptions};
//!
//! let store = Store::new(Coordinator::open(MemoryKv::new(), None)?);
//! let runtime = Runtime::new(&RuntimeOptions::default())?;
//! let module = runtime.load("counter.wasm".as_ref())?;
//! let answer = runtime.call(&store, &module, &Call::new("increment", store.default_namespace()?))?;
//! println!("{:?}", answer.values);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `runtime` | compile, call: the way of one invocation |
//! | `module` | what a module must be to be loaded |
//! | `convention` | calls that pass text and bytes as modules of 2020 take them |
//! | `linker` | the rows of the import table → `wasm_storage_host::calls` |
//! | `pool` | instances that are used again, a fixed number at a time |
//! | `legacy` | the same for the imports of 2020; which form of them a module has |
//! | `limits` | the memory limit; the ticks of the deadline |
//!
//! There is no storage meaning here.
#![forbid(unsafe_code)]

mod convention;
mod legacy;
mod limits;
mod linker;
mod module;
mod pool;
mod runtime;

pub use legacy::{add_number_keys_to_linker, has_number_keys};
pub use linker::{StorageState, add_to_linker};
pub use module::{LoadError, Module};
pub use runtime::{Answer, Args, Call, CallError, Runtime, RuntimeOptions};
pub use wasm_storage_host::convention::Convention;
pub use wasmtime::{FuncType, Val, ValType};
