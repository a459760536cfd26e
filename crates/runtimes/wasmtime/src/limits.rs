//! What a guest may use: memory, by a limiter that also remembers what it refused,
//! and time, by epochs that a thread counts.
//!
//! Invariant: all memories of a guest together stay within its limit, as do all
//! its tables; a module may have as many as it likes.

use std::thread;
use std::time::Duration;

use wasmtime::{Engine, ResourceLimiter};

/// The length of one epoch: a guest is stopped at most this much after its deadline.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Counts epochs as long as the engine lives.
pub(crate) fn start_ticking(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new()
        .name("wasm-storage-epoch".into())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })
        .map(drop)
}

/// How many epochs from now a deadline is: never too early.
pub(crate) fn ticks(left: Duration) -> u64 {
    // Wasmtime adds it to the present epoch: half the range is beyond any wait.
    const MOST: u64 = u64::MAX / 2;
    let ticks = left.as_nanos().div_ceil(TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(MOST).min(MOST) + 1
}

/// Elements that a guest's tables may have together: 8 MiB.
pub(crate) const TABLE_ELEMENTS: usize = 1 << 20;

/// Refuses memory over the limit, and remembers it for the message.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: usize,
    /// Bytes of all memories.
    used: usize,
    refused: Option<usize>,
    /// Elements of all tables.
    elements: usize,
}

impl MemoryLimiter {
    pub(crate) fn new(limit: usize) -> Self {
        MemoryLimiter {
            limit,
            used: 0,
            refused: None,
            elements: 0,
        }
    }

    /// What was refused, as the end of a sentence about a trap.
    pub(crate) fn explanation(&self) -> Option<String> {
        self.refused.map(|asked| {
            format!(
                "before that it asked for {asked} bytes of memory; the limit is {} bytes",
                self.limit
            )
        })
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // It fails for the memory's own maximum, whatever is said here.
            return Ok(false);
        }
        let used = grown(self.used, current, desired);
        if used > self.limit {
            self.refused = Some(used);
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = grown(self.elements, current, desired);
        if elements > TABLE_ELEMENTS || maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }
}

/// The sum of all after one has grown from `current` to `desired`.
fn grown(all: usize, current: usize, desired: usize) -> usize {
    all.saturating_sub(current).saturating_add(desired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_at_the_limit_is_granted_and_one_byte_more_is_not() {
        let mut limiter = MemoryLimiter::new(65_536);
        assert!(limiter.memory_growing(0, 65_536, None).unwrap());
        assert_eq!(limiter.explanation(), None);
        assert!(!limiter.memory_growing(65_536, 65_537, None).unwrap());
        let text = limiter.explanation().unwrap();
        assert!(text.contains("65537") && text.contains("65536"), "{text}");
    }

    #[test]
    fn a_deadline_is_never_early() {
        assert_eq!(ticks(Duration::ZERO), 1);
        assert_eq!(ticks(TICK), 2);
        assert_eq!(ticks(TICK + Duration::from_nanos(1)), 3);
        assert_eq!(ticks(Duration::MAX), (1 << 63));
    }
}
