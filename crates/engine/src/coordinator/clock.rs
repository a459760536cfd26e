//! The store's clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::backend::Millis;

/// Milliseconds since 1970, never less than it has shown before, in this opening
/// of the store or an earlier one.
#[derive(Debug)]
pub(super) struct StoreClock(AtomicU64);

impl StoreClock {
    pub(super) fn new(last: u64) -> Self {
        StoreClock(AtomicU64::new(last))
    }

    pub(super) fn now(&self) -> Millis {
        let system = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        let system = u64::try_from(system).unwrap_or(u64::MAX);
        let before = self.0.fetch_max(system, Ordering::Relaxed);
        Millis(before.max(system))
    }
}
