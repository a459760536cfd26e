//! What each import means, for any runtime.
//!
//! A runtime adapter brings two things: the guest's memory ([`GuestMemory`]) and
//! the invocation's state ([`Invocation`]). It binds every row of the import table
//! (`wasm_storage_abi::for_each_v1_import!`) to the function of the same name in
//! [`calls`], those of 2020 to [`legacy`], and when the guest's code is over it asks the invocation how to
//! [end](Invocation::end). There is no storage meaning in an adapter.
//!
//! | file | idea |
//! |---|---|
//! | [`calls`] | one function for each import: pointers and lengths → slices |
//! | [`legacy`] | the same for the imports of 2020 |
//! | [`convention`] | how a function is called: numbers, or the buffers of wasm-bindgen 0.2.61 |
//! | [`memory`] | the guest's memory, checked |
//! | [`invocation`] | the state of one call; the imports over slices |
//! | `scan`, `exec` | the two imports with a language of their own |
//! | [`ending`] | from how the guest's code ended to commit or rollback |
#![forbid(unsafe_code)]

pub mod calls;
pub mod convention;
pub mod ending;
mod exec;
pub mod invocation;
pub mod legacy;
pub mod memory;
mod scan;
pub mod trap;

pub use ending::{FailedCall, GuestEnd, GuestFailure, Reply};
pub use invocation::{Grants, Invocation, InvocationOptions};
pub use memory::GuestMemory;
pub use trap::Trap;
