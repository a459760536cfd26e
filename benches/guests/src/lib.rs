//! Storage operations in loops, to be timed from outside: each export does `n` of
//! one kind and returns a number made of what it saw, so that nothing is left out.
//!
//! The exports of [`typed`] use the guest crate as a program would; those of
//! [`raw`] make the import calls themselves, with keys of the same bytes; those of
//! [`bytes`] are about the protocol of 2020. What
//! both need to agree on with the host's side is in `benches/src/rows/calls.rs`.

mod bytes;
mod raw;
mod typed;

/// Bytes of a value.
const VALUE_BYTES: usize = 100;

/// Pseudo-random numbers (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
