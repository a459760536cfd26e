//! Ranges of keys, as Rust writes them.
//!
//! Our own trait: with `RangeBounds<Q>` the type of `..` would be ambiguous.

use core::ops::{Bound, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use wasm_storage_codec::{AsKey, Key, KeyBuf};

/// A range of keys of type `K`: `a..b`, `a..=b`, `a..`, `..b`, `..=b`, `..`, or a
/// pair of [`Bound`]s. A range that ends before it begins is empty.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a range of keys of type `{K}`",
    label = "expected a range like `a..b` of keys of type `{K}`"
)]
pub trait IntoRange<K: Key> {
    /// What the ends are.
    type End: AsKey<K>;

    /// The ends.
    fn into_bounds(self) -> (Bound<Self::End>, Bound<Self::End>);
}

/// The ends of a range that has none.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum NoEnd {}

impl<K: Key> AsKey<K> for NoEnd {
    fn encode(&self, _: &mut KeyBuf<'_>) {
        match *self {}
    }
}

impl<K: Key> IntoRange<K> for RangeFull {
    type End = NoEnd;

    fn into_bounds(self) -> (Bound<NoEnd>, Bound<NoEnd>) {
        (Bound::Unbounded, Bound::Unbounded)
    }
}

macro_rules! ranges {
    ($($range:ty: |$it:ident| $lo:expr, $hi:expr;)*) => {$(
        impl<K: Key, Q: AsKey<K>> IntoRange<K> for $range {
            type End = Q;

            fn into_bounds(self) -> (Bound<Q>, Bound<Q>) {
                let $it = self;
                ($lo, $hi)
            }
        }
    )*};
}
ranges! {
    Range<Q>: |it| Bound::Included(it.start), Bound::Excluded(it.end);
    RangeFrom<Q>: |it| Bound::Included(it.start), Bound::Unbounded;
    RangeTo<Q>: |it| Bound::Unbounded, Bound::Excluded(it.end);
    RangeToInclusive<Q>: |it| Bound::Unbounded, Bound::Included(it.end);
    (Bound<Q>, Bound<Q>): |it| it.0, it.1;
}

impl<K: Key, Q: AsKey<K>> IntoRange<K> for RangeInclusive<Q> {
    type End = Q;

    fn into_bounds(self) -> (Bound<Q>, Bound<Q>) {
        let (lo, hi) = self.into_inner();
        (Bound::Included(lo), Bound::Included(hi))
    }
}
