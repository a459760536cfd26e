//! Small invocations, to be timed as a whole: an instance, a few operations, a commit.
//!
//! Keys and values are those of `benches/src/rows/invocation.rs`, and so is the order of the
//! operations: there the same is done without Wasm. The import calls are made here, without
//! the guest crate, which would refuse what the bare module's trivial imports answer.

use rust_storage_interface_library::Counter;

/// Bytes of a value.
const VALUE_BYTES: usize = 100;

static HOT: Counter = Counter::new("bench-hot");

#[link(wasm_import_module = "wasm_storage_v1")]
unsafe extern "C" {
    fn get(ns: u32, key: u32, key_len: u32, out: u32, cap: u32) -> i32;
    fn put(ns: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> i32;
}

/// Reads three entries and writes one.
#[unsafe(no_mangle)]
pub extern "C" fn three_gets_one_put(a: u64, b: u64, c: u64, to: u64, seed: u64) {
    for key in [a, b, c] {
        read(key);
    }
    write(to, seed);
}

/// Reads an entry and writes it.
#[unsafe(no_mangle)]
pub extern "C" fn get_and_put(key: u64, seed: u64) {
    read(key);
    write(key, seed);
}

/// Adds one to the counter that all share, and looks.
#[unsafe(no_mangle)]
pub extern "C" fn add() -> i64 {
    HOT.add(1).unwrap_or_else(|error| error.end())
}

/// Adds one to it without looking.
#[unsafe(no_mangle)]
pub extern "C" fn increment() {
    HOT.increment(1).unwrap_or_else(|error| error.end());
}

/// The counter's value.
#[unsafe(no_mangle)]
pub extern "C" fn total() -> i64 {
    HOT.get().unwrap_or_else(|error| error.end())
}

fn read(key: u64) {
    let key = u128::from(key).to_be_bytes();
    let mut value = [0; VALUE_BYTES];
    let cap = number(value.len());
    // Exposed, since the host writes there.
    let out = number(value.as_mut_ptr().expose_provenance());
    // SAFETY: the host reads the key and writes the value, both of them arrays.
    let status = unsafe { get(0, at(&key), number(key.len()), out, cap) };
    assert_eq!(number(VALUE_BYTES).cast_signed(), status, "get succeeds");
}

fn write(key: u64, seed: u64) {
    let key = u128::from(key).to_be_bytes();
    let value = value(seed);
    let (key_len, value_len) = (number(key.len()), number(value.len()));
    // SAFETY: the host reads key and value, both of them arrays.
    let status = unsafe { put(0, at(&key), key_len, at(&value), value_len) };
    assert_eq!(status, 0, "put succeeds");
}

/// Bytes that no compression makes smaller: `Random::fill` of the host's side.
fn value(seed: u64) -> [u8; VALUE_BYTES] {
    let mut random = seed;
    let mut value = [0; VALUE_BYTES];
    for chunk in value.chunks_mut(4) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        for (to, from) in chunk.iter_mut().zip((random >> 11).to_le_bytes()) {
            *to = from;
        }
    }
    value
}

fn at(bytes: &[u8]) -> u32 {
    number(bytes.as_ptr().expose_provenance())
}

fn number(address: usize) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}
