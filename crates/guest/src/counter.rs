//! A number that many calls add to.

use core::fmt;

use crate::error::Result;
use crate::host;
use crate::keys::checked_name;
use crate::namespace::Namespace;
use crate::sys;

/// An `i64` under a name. One that was never set is 0.
///
/// Two calls that [`add`](Counter::add) at the same time conflict, since each sees the
/// value: one of them is run again. Any number that [`increment`](Counter::increment) do not.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Counter};
///
/// static VISITS: Counter = Counter::new("visits");
///
/// VISITS.increment(1)?;
/// assert_eq!(VISITS.add(2)?, 3);
/// # Ok::<(), storage::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Counter {
    name: &'static str,
    ns: u32,
}

impl Counter {
    /// The counter `name`: 1 to 64 bytes, no control characters; another name is a
    /// compile error in a `static`.
    #[track_caller]
    pub const fn new(name: &'static str) -> Counter {
        Counter {
            name: checked_name(name),
            ns: 0,
        }
    }

    /// This counter in another namespace.
    pub fn at(&self, ns: &Namespace) -> Counter {
        Counter {
            name: self.name,
            ns: ns.handle(),
        }
    }

    /// The value.
    ///
    /// Host calls: 1. Reads: the key.
    pub fn get(&self) -> Result<i64> {
        let value = host::get("Counter::get", self.ns, self.key())?;
        Ok(value.unwrap_or(0))
    }

    /// Sets the value.
    ///
    /// Host calls: 1. Reads nothing.
    pub fn set(&self, value: i64) -> Result<()> {
        host::put("Counter::set", self.ns, self.key(), &value)
    }

    /// Adds `delta` and answers the new value.
    ///
    /// Errors: [`Kind::Overflow`](crate::Kind::Overflow).
    /// Host calls: 1. Reads: the key.
    pub fn add(&self, delta: i64) -> Result<i64> {
        let mut value = [0; 8];
        let status = sys::add(self.ns, self.key(), delta, &mut value);
        host::done("Counter::add", self.key(), status)?;
        Ok(i64::from_le_bytes(value))
    }

    /// Adds `delta` to whatever the counter is when the call is committed. It reads
    /// nothing and never conflicts, however many calls add at the same time.
    ///
    /// What cannot be added is found when the call, or its part, is committed:
    /// [`Kind::Overflow`](crate::Kind::Overflow), or
    /// [`Kind::TypeMismatch`](crate::Kind::TypeMismatch) if something else is stored under
    /// the name. Then nothing is committed, and the call is run again with an `add` in
    /// the place of this, so that the error comes from here. A call that has ended a
    /// part is not run again: there the [`part`](crate::part) fails, or the call.
    ///
    /// After [`set`](Counter::set) or [`add`](Counter::add) in the same call it is an
    /// `add`; [`get`](Counter::get) after it gives the sum, and reads.
    /// Host calls: 1. Reads nothing.
    pub fn increment(&self, delta: i64) -> Result<()> {
        let status = sys::increment(self.ns, self.key(), delta);
        host::done("Counter::increment", self.key(), status)
    }

    #[inline]
    fn key(&self) -> &'static [u8] {
        self.name.as_bytes()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.name).finish()
    }
}
