//! Through the guest crate, as a program would.

use rust_storage_interface_library::Map;

use crate::{Random, VALUE_BYTES};

static ENTRIES: Map<u64, Vec<u8>> = Map::new("bench-e");

/// Stores entries `from..to`.
#[unsafe(no_mangle)]
pub extern "C" fn fill(from: u64, to: u64) {
    let mut random = Random(from ^ 0x9e37_79b9_7f4a_7c15);
    for key in from..to {
        let value: Vec<u8> = (0..VALUE_BYTES)
            .map(|_| random.below(256).to_le_bytes()[0])
            .collect();
        ENTRIES.put(key, &value).unwrap_or_else(|error| error.end());
    }
}

/// Reads one entry `n` times.
#[unsafe(no_mangle)]
pub extern "C" fn get_hot(n: u32, key: u64) -> u64 {
    (0..n).map(|_| get(key)).sum()
}

/// Reads `n` of the entries `0..keys`.
#[unsafe(no_mangle)]
pub extern "C" fn get_random(n: u32, keys: u64, seed: u64) -> u64 {
    let mut random = Random(seed);
    (0..n).map(|_| get(random.below(keys))).sum()
}

fn get(key: u64) -> u64 {
    let value = ENTRIES.require(key).unwrap_or_else(|error| error.end());
    value.last().copied().unwrap_or(0).into()
}
