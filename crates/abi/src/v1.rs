//! The imports of module `wasm_storage_v1`, as one table.
//!
//! [`for_each_v1_import!`](crate::for_each_v1_import) hands the table to a macro of the caller: the guest crate makes
//! its `extern` block of it, a runtime adapter its bindings, this module the
//! [`IMPORTS`] list. So a name or a parameter stands in one place only.
//!
//! Every parameter is an unsigned `i32` (`u32` in the table: a pointer into the
//! guest's memory, a length in bytes or a handle), a signed `i32`, or an `i64`.

/// The import module's name.
pub const MODULE: &str = "wasm_storage_v1";

/// The minor version that `info` reports. It grows when `exec` learns an operation.
pub const MINOR: u32 = 0;

/// Calls the macro `$m` once with the rows of the import table.
///
/// A row is `name(parameter: type, ...) -> result;` with types `u32`, `i32` and
/// `i64`, and the result `i32` or `()`.
#[macro_export]
macro_rules! for_each_v1_import {
    ($m:ident) => {
        $m! {
            /// Argument bytes of this call. Result: their full length, or a status.
            input(out: u32, cap: u32) -> i32;
            /// The call is over: status 0 commits and the bytes are its result, 1 rolls back
            /// and the bytes are an error text. Returns the status.
            finish(status: i32, bytes: u32, len: u32) -> i32;
            /// Value under a key.
            get(ns: u32, key: u32, key_len: u32, out: u32, cap: u32) -> i32;
            /// Store a value under a key, blindly.
            put(ns: u32, key: u32, key_len: u32, value: u32, value_len: u32) -> i32;
            /// Store a value under a fresh key; the key (8 bytes) is written to `out`.
            mint(ns: u32, value: u32, value_len: u32, out: u32) -> i32;
            /// Delete a key, blindly.
            delete(ns: u32, key: u32, key_len: u32) -> i32;
            /// Length of the value under a key, or NOT_FOUND.
            has(ns: u32, key: u32, key_len: u32) -> i32;
            /// Checked add on an i64 entry; the new value (8 bytes) is written to `out`.
            add(ns: u32, key: u32, key_len: u32, delta: i64, out: u32) -> i32;
            /// Add on an i64 entry without a reply: never conflicts.
            increment(ns: u32, key: u32, key_len: u32, delta: i64) -> i32;
            /// One page of a range.
            scan(ns: u32, spec: u32, spec_len: u32, out: u32, cap: u32) -> i32;
            /// Many operations in one call, and the rarer ones.
            exec(command: u32, command_len: u32, out: u32, cap: u32) -> i32;
            /// Copy out the parked result.
            fetch(out: u32, cap: u32) -> i32;
            /// Handle of a granted namespace; `flags` is 0.
            open(name: u32, name_len: u32, flags: i32) -> i32;
            /// Set a savepoint. Returns its handle.
            savepoint() -> i32;
            /// Forget a savepoint and those set after it; their writes stay.
            release(savepoint: i32) -> i32;
            /// Undo all writes since a savepoint; it stays set.
            rollback_to(savepoint: i32) -> i32;
            /// End a part of a long call: a capability that the host grants.
            commit() -> i32;
            /// Doom the call, discard its writes, give the text to the caller, trap.
            abort(message: u32, message_len: u32) -> ();
            /// ABI minor version, limits, capability bits.
            info(out: u32, cap: u32) -> i32;
            /// Text of the last error.
            error_text(out: u32, cap: u32) -> i32;
        }
    };
}

/// A core Wasm value type, as it stands in an import's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

/// One row of the import table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// Field name within [`MODULE`].
    pub name: &'static str,
    /// Parameter types.
    pub params: &'static [Type],
    /// Result types: none or one.
    pub results: &'static [Type],
}

macro_rules! wasm_type {
    (u32) => {
        Type::I32
    };
    (i32) => {
        Type::I32
    };
    (i64) => {
        Type::I64
    };
}

macro_rules! wasm_results {
    (()) => {
        &[]
    };
    ($t:tt) => {
        &[wasm_type!($t)]
    };
}

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {
        /// Every import a guest may use, in the order of `docs/abi.md`.
        pub const IMPORTS: &[Import] = &[$(Import {
            name: stringify!($name),
            params: &[$(wasm_type!($t)),*],
            results: wasm_results!($r),
        }),*];
    };
}
for_each_v1_import!(table);

/// The row of an import by its name.
pub fn import(name: &str) -> Option<&'static Import> {
    IMPORTS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_each_name_once() {
        for (i, a) in IMPORTS.iter().enumerate() {
            assert!(
                IMPORTS.iter().skip(i + 1).all(|b| a.name != b.name),
                "{} twice",
                a.name
            );
        }
        assert_eq!(IMPORTS.len(), 20);
    }

    #[test]
    fn types_follow_the_rows() {
        use Type::{I32, I64};
        assert_eq!(
            import("add"),
            Some(&Import {
                name: "add",
                params: &[I32, I32, I32, I64, I32],
                results: &[I32]
            })
        );
        assert_eq!(import("abort").map(|i| i.results), Some(&[][..]));
        assert_eq!(import("put_if"), None);
    }
}
