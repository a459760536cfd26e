//! A long call in parts: each part is a commit of its own.
//!
//! Invariant: what a part lost against another call is done again by the same code,
//! and nothing else is in it. So writes from before a part are committed before it
//! begins, and there is no bare `commit`: a variable that was read before a lost
//! commit is out of date.

use crate::error::{Error, Result};
use crate::host::{self, status_of};
use crate::savepoint::attempt;
use crate::sys;

use wasm_storage_abi::Kind;

/// Runs `work` as a part of a long call and commits it: what it has written is durable
/// and visible when this returns `Ok`, and stays whatever becomes of the rest.
///
/// For jobs that would be too long, or too large, as one transaction. The host must
/// grant it (`wasm-storage run --parts`, `Host::grant_parts` in tests); without that
/// this is [`Kind::Denied`](crate::Kind::Denied) and `work` does not run.
///
/// - **`Ok`**: committed. The next part reads what is stored then, by other calls, too.
/// - **`Err`**: what `work` has written is undone, nothing is committed, and the call goes on.
/// - **Another call was faster**: `work` runs again, from its beginning, until it is
///   committed or the call's time is over. So it must read *inside* what it decides
///   by: what was read before it may have changed. (Before the first part is
///   committed, the host may run the whole call again instead.)
/// - **A trap, a panic, [`fail`](crate::fail), the deadline** later in the call: the
///   parts stay, and the caller is told how many. Only what follows the last one is
///   undone. A job should store where it is in each part, to go on from there in
///   its next call.
///
/// What the call has written before, outside of parts, is committed first, as a part
/// of its own: it cannot be done again. After a call's first part the host does not
/// run it again, so keep writes in parts from then on; one outside that loses is
/// [`Kind::Conflict`](crate::Kind::Conflict) here, or the end of the call, and is gone.
///
/// Errors: what `work` answers. [`Kind::Denied`](crate::Kind::Denied).
/// [`Kind::InvalidArgument`](crate::Kind::InvalidArgument) inside of
/// [`attempt`](crate::attempt) or of another part.
/// [`Kind::UnknownOutcome`](crate::Kind::UnknownOutcome): the part may or may not have been
/// committed; every further operation answers the same, so end the call. What an
/// [`increment`](crate::Counter::increment) in the part cannot add, and what the store
/// reports, otherwise: the part is undone.
///
/// Host calls: 4, 3 more for each time that `work` runs again, and its own.
/// Reads: what `work` reads, and nothing from before.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Item, Kind, Map, testing::Host};
///
/// static PRICES: Map<u32, u64> = Map::new("prices");
/// static NEXT: Item<u32> = Item::new("next to be raised");
///
/// /// Raises 1,000 prices, 100 in a part. A call that does not come to its end has done
/// /// whole parts only, and the next one goes on there.
/// fn raise() -> Result<u32, storage::Error> {
///     loop {
///         let next = storage::part(|| {
///             let first = NEXT.get()?.unwrap_or(0); // inside: it belongs to this part
///             let next = first + 100;
///             for article in first..next {
///                 PRICES.update(article, |price| price.unwrap_or(100) + 1)?;
///             }
///             NEXT.put(&next)?;
///             Ok::<_, storage::Error>(next)
///         })?;
///         if next >= 1_000 {
///             return Ok(next);
///         }
///     }
/// }
///
/// let host = Host::new().grant_parts();
/// for _ in 0..3 {
///     host.fail_next_commit(Kind::Conflict); // another call is faster: done again
/// }
/// assert_eq!(host.try_invoke(raise).unwrap(), 1_000);
/// assert_eq!(host.invoke(|| PRICES.get(999).unwrap()).unwrap(), Some(101));
/// ```
pub fn part<T, E: From<Error>>(
    mut work: impl FnMut() -> Result<T, E>,
) -> core::result::Result<T, E> {
    commit(sys::commit())?;
    loop {
        let value = attempt(&mut work)?;
        let status = sys::commit();
        if status != CONFLICT {
            commit(status)?;
            return Ok(value);
        }
    }
}

const CONFLICT: i32 = status_of(Kind::Conflict);

fn commit(status: i32) -> Result<()> {
    host::done("part", &[], status)
}
