//! Some of a call's work that may be undone while the rest stays.
//!
//! Named after what it does: it commits nothing. A commit is the end of the call, or
//! of a part of it (`part.rs`).

use crate::error::{Error, Result};
use crate::host;
use crate::sys;

/// Runs `work`; if it answers `Err`, everything that it wrote is undone.
///
/// What it has read stays in the conflict check. Attempts nest, up to 64 deep.
///
/// Host calls: 2, and 1 more if `work` fails.
///
/// ```
/// use rust_storage_interface_library::{self as storage, Counter, Map};
///
/// static STOCK: Map<&str, u32> = Map::new("stock");
/// static SOLD: Counter = Counter::new("sold");
///
/// fn sell(sku: &str) -> Result<u32, storage::Error> {
///     storage::attempt(|| {
///         SOLD.increment(1)?;
///         let left = STOCK.require(sku)? - 1; // an error undoes the increment
///         STOCK.put(sku, &left)?;
///         Ok(left)
///     })
/// }
///
/// STOCK.put("sku-1", &3)?;
/// assert_eq!(sell("sku-1")?, 2);
/// assert!(sell("sku-2").is_err());
/// assert_eq!(SOLD.get()?, 1);
/// # Ok::<(), storage::Error>(())
/// ```
pub fn attempt<T, E: From<Error>>(
    work: impl FnOnce() -> core::result::Result<T, E>,
) -> core::result::Result<T, E> {
    let savepoint = begin()?;
    let result = work();
    end(savepoint, result.is_err())?;
    result
}

const ATTEMPT: &str = "attempt";

fn begin() -> Result<i32> {
    let savepoint = sys::savepoint();
    host::done(ATTEMPT, &[], savepoint)?;
    Ok(savepoint)
}

fn end(savepoint: i32, undo: bool) -> Result<()> {
    if undo {
        host::done(ATTEMPT, &[], sys::rollback_to(savepoint))?;
    }
    host::done(ATTEMPT, &[], sys::release(savepoint))
}
