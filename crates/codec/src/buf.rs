//! The writer that everything in this crate writes to.
//!
//! Invariant: no method panics or allocates. What does not fit is counted, not
//! written, so a caller learns the size it needs from the first attempt.

/// A writer over borrowed memory.
///
/// ```
/// use wasm_storage_codec::KeyBuf;
///
/// let mut memory = [0; 4];
/// let mut out = KeyBuf::new(&mut memory);
/// out.push(1);
/// out.extend(&[2, 3]);
/// assert_eq!(out.written(), Some(&[1, 2, 3][..]));
/// out.extend(&[4, 5]);
/// assert_eq!((out.len(), out.written()), (5, None));
/// ```
#[derive(Debug)]
pub struct KeyBuf<'a> {
    memory: &'a mut [u8],
    /// Bytes asked for, also those beyond the end of `memory`.
    len: usize,
}

impl<'a> KeyBuf<'a> {
    /// A writer that starts at the first byte of `memory`.
    #[inline]
    pub fn new(memory: &'a mut [u8]) -> Self {
        KeyBuf { memory, len: 0 }
    }

    /// Writes one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        if let Some(slot) = self.memory.get_mut(self.len) {
            *slot = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Writes bytes: all of them or, where they do not fit, none.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        // Of equal lengths by `get`, so `copy_from_slice` needs no panic path; a loop would
        // copy byte by byte in Wasm.
        if let Some(room) = self.memory.get_mut(self.len..end)
            && let Some(bytes) = bytes.get(..room.len())
        {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    /// Bytes asked for so far, also those that did not fit.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been asked for yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes written, or `None` if not all fitted.
    #[inline]
    pub fn written(&self) -> Option<&[u8]> {
        self.memory.get(..self.len)
    }

    /// Like [`written`](KeyBuf::written), for as long as the memory is borrowed.
    #[inline]
    pub fn into_written(self) -> Option<&'a mut [u8]> {
        self.memory.get_mut(..self.len)
    }
}
