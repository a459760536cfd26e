//! The host, as safe functions over slices: one function per import of
//! `wasm_storage_v1`, and the only `unsafe` code of the crate (in `wasm.rs` and
//! `heap.rs`).
//!
//! Contract of every function here: the slices are borrowed for the call and no
//! longer; the answer is the status of the ABI as it came (negative: a status
//! code; otherwise a length, a handle or 0). An answer greater than the length
//! of `out` means: nothing was written to `out`, `fetch` with that length gets it.
//!
//! Elsewhere: what a status means is `host.rs`; the meaning of the calls is
//! `docs/abi.md`.

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the imports; each call says why it is sound")]
mod wasm;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;

#[cfg(not(target_family = "wasm"))]
pub(crate) mod native;
#[cfg(not(target_family = "wasm"))]
pub(crate) use native::calls::*;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "an allocator is an unsafe trait")]
mod heap;
#[cfg(target_family = "wasm")]
pub use heap::NoAllocator;
