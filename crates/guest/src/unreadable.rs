//! Why a stored entry is not a value of the wanted type, and how types are called.

use core::fmt;

use wasm_storage_abi::tag;

use crate::text::{HOLDS, HOLDS_DAMAGE, Line, NOT};

/// Why a stored entry is not a value of the wanted type: the answer of
/// [`Value::read`](crate::Value::read).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Unreadable {
    /// The entry has another type.
    Type {
        /// What is stored.
        found: TypeName,
        /// What was wanted.
        expected: TypeName,
    },
    /// The record was written by another version of the type, and nothing reads it.
    Version {
        /// Schema version of the record.
        found: u32,
        /// Schema version of the type, as this program has it.
        known: u32,
    },
    /// The bytes are no value of the type that they claim.
    Corrupt,
}

/// A type as an entry's header says it: a tag and, for arrays, the tag of the elements.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TypeName(u32);

impl Unreadable {
    /// The type that was wanted, and yet no value of it: damage. Told apart when it
    /// is asked, so that a small program need not.
    #[inline]
    pub(crate) fn settled(self) -> Unreadable {
        match self {
            Unreadable::Type { found, expected } if found == expected => Unreadable::Corrupt,
            why => why,
        }
    }

    pub(crate) fn write(self, out: &mut Line) {
        match self.settled() {
            Unreadable::Type { found, expected } => {
                out.text(HOLDS);
                found.write(out);
                out.text(NOT);
                expected.write(out);
            }
            Unreadable::Version { found, known } => {
                out.text("holds version ");
                out.number(found.into());
                out.text(", this program knows version ");
                out.number(known.into());
            }
            Unreadable::Corrupt => out.text(HOLDS_DAMAGE),
        }
    }
}

impl TypeName {
    /// The type of a tag of `wasm_storage_abi::tag`; 0 for an entry that was too
    /// long to be looked at.
    #[inline]
    pub const fn of(tag: u8) -> TypeName {
        TypeName(u32::from_le_bytes([tag, 0, 0, 0]))
    }

    /// An array of a tag's type.
    #[inline]
    pub const fn array_of(element: u8) -> TypeName {
        TypeName(u32::from_le_bytes([tag::ARRAY, element, 0, 0]))
    }

    /// The tag.
    #[inline]
    pub const fn tag(self) -> u8 {
        let [tag, ..] = self.0.to_le_bytes();
        tag
    }

    /// The tag of the elements of an array; 0 for others.
    #[inline]
    pub const fn element(self) -> u8 {
        let [_, element, ..] = self.0.to_le_bytes();
        element
    }

    fn write(self, out: &mut Line) {
        out.tag(self.tag());
        if self.element() != 0 {
            out.text(" of ");
            out.tag(self.element());
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line::new();
        self.write(&mut line);
        line.fmt(f)
    }
}

impl core::error::Error for Unreadable {}

/// The name: `u32`, `array of f64`.
impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line::new();
        self.write(&mut line);
        fmt::Display::fmt(&line, f)
    }
}
