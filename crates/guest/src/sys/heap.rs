//! The allocator of a program that has none. `rustc` wants one named in every
//! `no_std` program that links the `alloc` crate, used or not.
//!
//! Invariant: it never gives memory, so a program that does allocate ends.

use core::alloc::{GlobalAlloc, Layout};

/// An allocator without memory, for `no_std` programs that store scalars only.
///
/// What allocates nevertheless ends the call with a trap.
///
/// ```ignore
/// #[global_allocator]
/// static HEAP: storage::NoAllocator = storage::NoAllocator;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct NoAllocator;

// SAFETY: null is the answer of an allocator that has no memory; nothing is ever
// handed out, so `dealloc` has nothing to take back.
unsafe impl GlobalAlloc for NoAllocator {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
