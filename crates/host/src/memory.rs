//! The guest's memory, as a runtime lends it for one host call.
//!
//! Pointers and lengths come from the guest and are hostile: they meet the
//! memory here and nowhere else, and come out as checked slices or a [`Trap`].

use crate::trap::Trap;

/// The exported memory of the calling instance.
pub trait GuestMemory {
    /// All of it.
    fn bytes(&self) -> &[u8];

    /// All of it, to write to.
    fn bytes_mut(&mut self) -> &mut [u8];
}

impl GuestMemory for [u8] {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// A range that a guest names in a call of `import`: checked overflow-safe; for
/// length 0 the pointer is not looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestRange {
    pub(crate) import: &'static str,
    pub(crate) pointer: u32,
    pub(crate) length: u32,
}

impl GuestRange {
    /// The bytes of the range.
    pub(crate) fn of<M: GuestMemory + ?Sized>(self, memory: &M) -> Result<&[u8], Trap> {
        let bytes = memory.bytes();
        match self.ends() {
            None => Ok(&[]),
            Some((start, end)) => bytes
                .get(start..end)
                .ok_or_else(|| self.outside(bytes.len())),
        }
    }

    /// The bytes of the range, to write to.
    pub(crate) fn of_mut<M: GuestMemory + ?Sized>(self, memory: &mut M) -> Result<&mut [u8], Trap> {
        let bytes = memory.bytes_mut();
        let size = bytes.len();
        match self.ends() {
            None => Ok(&mut []),
            Some((start, end)) => bytes.get_mut(start..end).ok_or_else(|| self.outside(size)),
        }
    }

    /// Where the range starts and ends; `None` for length 0.
    fn ends(self) -> Option<(usize, usize)> {
        if self.length == 0 {
            return None;
        }
        // A range that a usize cannot hold is outside any memory, as usize::MAX is.
        let start = usize::try_from(self.pointer).unwrap_or(usize::MAX);
        let length = usize::try_from(self.length).unwrap_or(usize::MAX);
        Some((start, start.saturating_add(length)))
    }

    fn outside(self, size: usize) -> Trap {
        Trap::OutOfBounds {
            import: self.import,
            pointer: self.pointer,
            length: self.length,
            memory: size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(pointer: u32, length: u32) -> GuestRange {
        GuestRange {
            import: "get",
            pointer,
            length,
        }
    }

    #[test]
    fn ranges_at_the_end_of_memory_and_one_beyond() {
        let mut memory = *b"0123456789abcdef";
        let memory = &mut memory[..];
        assert_eq!(range(12, 4).of(memory).unwrap(), b"cdef");
        assert_eq!(range(0, 16).of(memory).unwrap().len(), 16);
        for (pointer, length) in [(13, 4), (16, 1), (0, 17), (u32::MAX, 1), (1, u32::MAX)] {
            assert!(range(pointer, length).of(memory).is_err());
            let trap = range(pointer, length).of_mut(memory).unwrap_err();
            assert!(trap.to_string().contains(&length.to_string()), "{trap}");
        }
    }

    #[test]
    fn of_length_zero_the_pointer_is_not_looked_at() {
        let memory: &mut [u8] = &mut [];
        assert_eq!(range(u32::MAX, 0).of(memory).unwrap(), b"");
        assert_eq!(range(u32::MAX, 0).of_mut(memory).unwrap(), b"");
    }
}
