//! Never ends: shows that the host's deadline stops a guest in its own code and
//! between host calls, and that nothing of it stays.
//!
//! The import is declared by hand: a guest needs no more than this.

#[link(wasm_import_module = "wasm_storage_v1")]
unsafe extern "C" {
    fn increment(ns: u32, key: *const u8, key_len: usize, delta: i64) -> i32;
}

/// Loops for ever, without a host call.
#[unsafe(no_mangle)]
pub extern "C" fn spin() {
    loop {
        core::hint::spin_loop();
    }
}

/// Counts its turns under `turns`, for ever.
#[unsafe(no_mangle)]
pub extern "C" fn spin_storing() {
    let key = "turns";
    loop {
        // SAFETY: the key is a slice that lives through the call; the host keeps no pointer.
        let status = unsafe { increment(0, key.as_ptr(), key.len(), 1) };
        assert_eq!(status, 0, "increment answered {status}");
    }
}
