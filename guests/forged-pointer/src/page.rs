//! The last page of the memory, fresh: no allocator and no other value knows it,
//! so whatever the host writes there is well-defined.

use core::arch::wasm32;
use core::ptr;

/// 64 KiB that end where the memory ends.
pub(crate) struct Page {
    start: usize,
}

impl Page {
    pub(crate) const BYTES: usize = 65_536;

    /// Grows the memory by a page.
    pub(crate) fn new() -> Self {
        let pages = wasm32::memory_grow::<0>(1);
        assert_ne!(pages, usize::MAX, "the host grants no page");
        Page {
            start: pages * Self::BYTES,
        }
    }

    /// Address of the first byte.
    pub(crate) fn start(&self) -> u32 {
        self.start as u32
    }

    /// Address behind the last byte: the size of the memory.
    pub(crate) fn end(&self) -> u32 {
        (self.start + Self::BYTES) as u32
    }

    /// Puts bytes into the page; their address.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> u32 {
        assert!(at + bytes.len() <= Self::BYTES);
        let to = ptr::with_exposed_provenance_mut(self.start + at);
        // SAFETY: the range is in this page (checked above), which is nobody else's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        (self.start + at) as u32
    }

    /// Bytes of the page.
    pub(crate) fn read(&self, at: usize, length: usize) -> Vec<u8> {
        assert!(at + length <= Self::BYTES);
        let mut bytes = vec![0; length];
        let from = ptr::with_exposed_provenance(self.start + at);
        // SAFETY: as in `write`.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), length) };
        bytes
    }
}
