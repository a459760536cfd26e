//! Tuples: part after part. Each part says itself where it ends, so the order
//! of the bytes is the order of the tuples.

use super::{AsKey, Composite, Key, KeyBuf, Malformed};

/// No key at all: zero bytes. For collections of one element and empty prefixes.
impl Key for () {
    type Owned = ();

    #[inline]
    fn decode(_: &mut &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

impl AsKey<()> for () {
    #[inline]
    fn encode(&self, _: &mut KeyBuf<'_>) {}
}

macro_rules! tuple {
    ($($key:ident $held:ident $index:tt),*; $first:ident, $rest:ty) => {
        impl<$($key: Key),*> Key for ($($key,)*) {
            type Owned = ($($key::Owned,)*);

            #[inline]
            fn decode(r: &mut &[u8]) -> Result<Self::Owned, Malformed> {
                Ok(($($key::decode(r)?,)*))
            }
        }

        impl<$($key: Key, $held: AsKey<$key>),*> AsKey<($($key,)*)> for ($($held,)*) {
            #[inline]
            fn encode(&self, out: &mut KeyBuf<'_>) {
                $(self.$index.encode(out);)*
            }
        }

        impl<$($key: Key),*> Composite for ($($key,)*) {
            type First = $first;
            type Rest = $rest;
        }
    };
}
tuple!(A QA 0, B QB 1; A, B);
tuple!(A QA 0, B QB 1, C QC 2; A, (B, C));
tuple!(A QA 0, B QB 1, C QC 2, D QD 3; A, (B, C, D));
tuple!(A QA 0, B QB 1, C QC 2, D QD 3, E QE 4; A, (B, C, D, E));
tuple!(A QA 0, B QB 1, C QC 2, D QD 3, E QE 4, F QF 5; A, (B, C, D, E, F));
