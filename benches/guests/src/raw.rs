//! The bare import calls.
//!
//! Every call must succeed: a negative status traps.

use crate::{Random, VALUE_BYTES};

#[link(wasm_import_module = "wasm_storage_v1")]
unsafe extern "C" {
    fn get(ns: u32, key: u32, key_len: u32, out: u32, cap: u32) -> i32;
    fn put(ns: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> i32;
}

#[link(wasm_import_module = "bench")]
unsafe extern "C" {
    /// The trivial import: returns its argument.
    safe fn same(number: i32) -> i32;
}

const MIB: usize = 1 << 20;
/// Keys of a write set.
const OWN_KEYS: u64 = 64;

/// Calls the trivial import `n` times.
#[unsafe(no_mangle)]
pub extern "C" fn trivial(n: i32) -> i32 {
    (0..n).fold(0, |sum, number| sum ^ same(number))
}

/// Reads one entry `n` times.
#[unsafe(no_mangle)]
pub extern "C" fn raw_get_hot(n: u32, key: u64) -> u64 {
    let mut value = [0; 2 * VALUE_BYTES];
    let key = entry(key);
    (0..n).map(|_| read(&key, &mut value)).sum()
}

/// Reads `n` of the entries `0..keys`.
#[unsafe(no_mangle)]
pub extern "C" fn raw_get_random(n: u32, keys: u64, seed: u64) -> u64 {
    let mut value = [0; 2 * VALUE_BYTES];
    let mut random = Random(seed);
    (0..n)
        .map(|_| read(&entry(random.below(keys)), &mut value))
        .sum()
}

/// Makes a write set of 64 keys.
#[unsafe(no_mangle)]
pub extern "C" fn own_fill() {
    own_put(u32::try_from(OWN_KEYS).unwrap_or(0));
}

/// Reads `n` values of this call's write set.
#[unsafe(no_mangle)]
pub extern "C" fn own_get(n: u32) -> u64 {
    let mut value = [0; 2 * VALUE_BYTES];
    (0..u64::from(n))
        .map(|number| read(&own(number % OWN_KEYS), &mut value))
        .sum()
}

/// Writes `n` values into this call's write set.
#[unsafe(no_mangle)]
pub extern "C" fn own_put(n: u32) {
    let mut value = [7; VALUE_BYTES];
    for number in 0..u64::from(n) {
        value[..8].copy_from_slice(&number.to_le_bytes());
        write(&own(number % OWN_KEYS), &value);
    }
}

/// Writes a value of 1 MiB `n` times.
#[unsafe(no_mangle)]
pub extern "C" fn large_put(n: u32) {
    let mut value = vec![7; MIB];
    for number in 0..n {
        value[..4].copy_from_slice(&number.to_le_bytes());
        write(b"large", &value);
    }
}

/// Reads the value of 1 MiB `n` times.
#[unsafe(no_mangle)]
pub extern "C" fn large_get(n: u32) -> u64 {
    let mut value = vec![0; MIB];
    (0..n).map(|_| read(b"large", &mut value)).sum()
}

/// The key of an entry of `typed`.
fn entry(key: u64) -> [u8; 16] {
    let mut bytes = *b"bench-e\0\0\0\0\0\0\0\0\0";
    bytes[8..].copy_from_slice(&key.to_be_bytes());
    bytes
}

fn own(key: u64) -> [u8; 16] {
    let mut bytes = *b"bench-own-key-\0\0";
    bytes[14..].copy_from_slice(&key.to_be_bytes()[6..]);
    bytes
}

fn read(key: &[u8], value: &mut [u8]) -> u64 {
    let cap = len(value);
    // Exposed, since the host writes there.
    let out = number(value.as_mut_ptr().expose_provenance());
    // SAFETY: the host reads the key and writes the value, both of them slices.
    let status = unsafe { get(0, at(key), len(key), out, cap) };
    let length = usize::try_from(status).expect("get succeeds");
    value[length - 1].into()
}

fn write(key: &[u8], value: &[u8]) {
    // SAFETY: the host reads key and value, both of them slices.
    let status = unsafe { put(0, at(key), len(key), at(value), len(value)) };
    assert_eq!(status, 0, "put succeeds");
}

fn at(bytes: &[u8]) -> u32 {
    number(bytes.as_ptr().expose_provenance())
}

fn len(bytes: &[u8]) -> u32 {
    number(bytes.len())
}

fn number(address: usize) -> u32 {
    u32::try_from(address).unwrap_or(u32::MAX)
}
