//! `store_as_i32_vector` of the crates of 2020 and 2021, as far as that is sound.
//!
//! Both have the same defect: they offer the host a C string of 11 characters to write
//! the 33 bytes of a key to, so 21 bytes of the guest's heap behind it are overwritten, and
//! the block is freed with another size than it was taken with. The host cannot
//! know: it sees 33 bytes within the memory. With the allocator below, every block is as
//! large as the host's write, and sizes 12 and 33 are the same; then nothing else is
//! overwritten, and what the functions do can be tested. A program with an
//! allocator of its own choice may lose data in its memory; it should use
//! `update_as_i32_vector`, which has no such defect, or `compat`.

use core::alloc::{GlobalAlloc, Layout};
use std::alloc::System;

use ssvm_2020::ssvm_storage as ssvm;
use wasmedge_storage_interface::wasmedge_storage as wasmedge;

/// The usual allocator, with blocks of 64, 128, ... bytes.
struct Roomy;

#[global_allocator]
static HEAP: Roomy = Roomy;

const STEP: usize = 64;

/// A larger layout; a size that overflows is left to the allocator to refuse.
fn roomy(layout: Layout) -> Layout {
    let size = layout.size().next_multiple_of(STEP).max(STEP);
    Layout::from_size_align(size, layout.align()).unwrap_or(layout)
}

// SAFETY: every call goes to `System` with a layout that depends on the block's layout
// only, so a block is freed with the layout that it was taken with. (That holds for the
// crates' wrong sizes as well: 12 and 33 become 64.)
unsafe impl GlobalAlloc for Roomy {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract; a larger size is no zero size.
        unsafe { System.alloc(roomy(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, roomy(layout)) }
    }
}

/// Vectors of several lengths; a thousand, so that a damaged heap would show.
macro_rules! round_trips {
    ($($(#[$doc:meta])* $export:ident: $crate_of:ident;)*) => {$(
        $(#[$doc])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $export() -> i32 {
            let vectors = || (0..1000).map(|n| (0..n % 7).map(|at| i32::MIN + n * at).collect());
            let keys: Vec<String> = vectors().map($crate_of::store::store_as_i32_vector).collect();
            for (key, vector) in keys.iter().zip(vectors()) {
                let vector: Vec<i32> = vector;
                assert_eq!(key.len(), 32);
                assert_eq!($crate_of::load::load_as_i32_vector(key), vector);
            }
            keys.len() as i32
        }
    )*};
}
round_trips! {
    /// Of 2020.
    vectors_ssvm: ssvm;
    /// Of 2021.
    vectors_wasmedge: wasmedge;
}
