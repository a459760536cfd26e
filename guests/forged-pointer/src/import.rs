//! The imports as the host sees them: pointers and lengths are numbers.

#[link(wasm_import_module = "wasm_storage_v1")]
unsafe extern "C" {
    pub(crate) fn input(out: u32, cap: u32) -> i32;
    pub(crate) fn finish(status: i32, bytes: u32, len: u32) -> i32;
    pub(crate) fn get(ns: u32, key: u32, key_len: u32, out: u32, cap: u32) -> i32;
    pub(crate) fn put(ns: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> i32;
    pub(crate) fn mint(ns: u32, value: u32, value_len: u32, out: u32) -> i32;
    pub(crate) fn delete(ns: u32, key: u32, key_len: u32) -> i32;
    pub(crate) fn has(ns: u32, key: u32, key_len: u32) -> i32;
    pub(crate) fn add(ns: u32, key: u32, key_len: u32, delta: i64, out: u32) -> i32;
    pub(crate) fn increment(ns: u32, key: u32, key_len: u32, delta: i64) -> i32;
    pub(crate) fn scan(ns: u32, spec: u32, spec_len: u32, out: u32, cap: u32) -> i32;
    pub(crate) fn exec(command: u32, command_len: u32, out: u32, cap: u32) -> i32;
    pub(crate) fn fetch(out: u32, cap: u32) -> i32;
    pub(crate) fn open(name: u32, name_len: u32, flags: i32) -> i32;
    pub(crate) fn savepoint() -> i32;
    pub(crate) fn release(savepoint: i32) -> i32;
    pub(crate) fn rollback_to(savepoint: i32) -> i32;
    pub(crate) fn abort(message: u32, message_len: u32);
    pub(crate) fn info(out: u32, cap: u32) -> i32;
    pub(crate) fn error_text(out: u32, cap: u32) -> i32;
}
