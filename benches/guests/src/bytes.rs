//! Bytes stored and loaded: by the guest crate, and by the protocol of 2020.

use rust_storage_interface_library::{load, store};
use ssvm_2020::ssvm_storage;

#[link(wasm_import_module = "ssvm_native")]
unsafe extern "C" {
    #[link_name = "ssvm_storage_createUUID"]
    fn create_uuid(key: u32);
    #[link_name = "ssvm_storage_beginStoreTx"]
    fn begin_store(key: u32);
    #[link_name = "ssvm_storage_beginLoadTx"]
    fn begin_load(key: u32);
    #[link_name = "ssvm_storage_storeI32"]
    safe fn store_i32(number: i32);
    #[link_name = "ssvm_storage_loadI32"]
    safe fn load_i32() -> i32;
    #[link_name = "ssvm_storage_endStoreTx"]
    safe fn end_store();
    #[link_name = "ssvm_storage_endLoadTx"]
    safe fn end_load();
}

/// By the crate of 2020 itself, as it was published.
#[unsafe(no_mangle)]
pub extern "C" fn store_and_load_by_crate_of_2020(n: u32, length: u32) -> u64 {
    let mut value = vec![7; length as usize];
    (0..n)
        .map(|number| {
            value[..4].copy_from_slice(&number.to_le_bytes());
            let key = ssvm_storage::store::store(&value);
            checked(&ssvm_storage::load::load_as_struct(&key, vec![]), &value)
        })
        .sum()
}

/// Stores and loads a value `n` times, under a fresh key each time.
#[unsafe(no_mangle)]
pub extern "C" fn store_and_load_bytes(n: u32, length: u32) -> u64 {
    let mut value = vec![7; length as usize];
    (0..n)
        .map(|number| {
            value[..4].copy_from_slice(&number.to_le_bytes());
            let key = store::store_bytes(&value);
            checked(&load::load_bytes(key), &value)
        })
        .sum()
}

/// The same as the crates of 2020 did it, less what they did beside: three bytes packed
/// into an i32, a host call for each.
#[unsafe(no_mangle)]
pub extern "C" fn store_and_load_2020(n: u32, length: u32) -> u64 {
    let mut value = vec![7; length as usize];
    (0..n)
        .map(|number| {
            value[..4].copy_from_slice(&number.to_le_bytes());
            let mut key = [0_u8; 33];
            // Exposed: the host writes there, and reads.
            let at = key.as_mut_ptr().expose_provenance() as u32;
            // SAFETY: `createUUID` writes 33 bytes, `beginStoreTx` reads 32.
            unsafe {
                create_uuid(at);
                begin_store(at);
            }
            store_i32(value.len().div_ceil(3) as i32);
            for chunk in value.chunks(3) {
                store_i32(packed(chunk));
            }
            end_store();
            // SAFETY: `beginLoadTx` reads 32 bytes.
            unsafe { begin_load(at) };
            let count = load_i32();
            let mut loaded = Vec::with_capacity(count as usize * 3);
            for _ in 0..count {
                unpack(load_i32(), &mut loaded);
            }
            end_load();
            checked(&loaded, &value)
        })
        .sum()
}

fn packed(chunk: &[u8]) -> i32 {
    match *chunk {
        [a, b, c] => 1_000_000_000 + 1_000_000 * i32::from(a) + 1_000 * i32::from(b) + i32::from(c),
        [a, b] => 2_000_000_000 + 1_000 * i32::from(a) + i32::from(b),
        [a, ..] => i32::from(a),
        [] => 0,
    }
}

fn unpack(number: i32, into: &mut Vec<u8>) {
    let byte = |unit: i32| (number / unit % 1_000) as u8;
    match number / 1_000_000_000 {
        1 => into.extend([byte(1_000_000), byte(1_000), byte(1)]),
        2 => into.extend([byte(1_000), byte(1)]),
        _ => into.push(byte(1)),
    }
}

fn checked(loaded: &[u8], stored: &[u8]) -> u64 {
    assert_eq!(loaded.len(), stored.len());
    assert_eq!(loaded[..4], stored[..4]);
    loaded[loaded.len() - 1].into()
}
