//! The imports of 2020, as one table: module `ssvm_native` with names that begin
//! with `ssvm_storage_`, from 2021 on module `wasmedge_native` with
//! `wasmedge_storage_`, otherwise the same. Modules and crates of that time have
//! them; new programs use [`v1`](crate::v1).
//!
//! [`for_each_legacy_import!`](crate::for_each_legacy_import) hands the table to a macro of the caller, as
//! the one of `v1` does. A suffix stands in it twice where its type changed: keys
//! were numbers in crate versions up to 0.1.22 and text from 0.1.26 on. Which of
//! the two a module has is told by the type of its `createUUID` ([`Form::of`]).
//!
//! A value is a sequence of i32 or i64, a call for each; a record has one key at a
//! time (`host`, module `legacy`). Keys are in the key space
//! [`LEGACY`](crate::keyspace::LEGACY).

use crate::v1::Type;

/// The import modules, each with the beginning of its names.
pub const MODULES: [(&str, &str); 2] = [
    ("ssvm_native", "ssvm_storage_"),
    ("wasmedge_native", "wasmedge_storage_"),
];

/// Bytes of a text key: no end mark is looked for.
pub const KEY_BYTES: u32 = 32;
/// Bytes that `createUUID` writes: a key and a NUL.
pub const UUID_BYTES: u32 = 33;

/// Calls the macro `$m` once with the rows of the table.
///
/// A row is `form "suffix" function(parameter: type, ...) -> result;`. The form is that of
/// [`Form`](crate::legacy::Form); the function's name is the one that `host` has for it.
#[macro_export]
macro_rules! for_each_legacy_import {
    ($m:ident) => {
        $m! {
            /// A new random key, 32 hex digits and a NUL, is written to `out`.
            Text "createUUID" create_uuid(out: u32) -> ();
            /// A new random key.
            Number "createUUID" create_number() -> i32;
            /// Begin to store under the 32 bytes at `key`.
            Text "beginStoreTx" begin_store(key: u32) -> ();
            /// Begin to store under a number.
            Number "beginStoreTx" begin_store_number(key: u32) -> ();
            /// Begin to load what is under the 32 bytes at `key`.
            Text "beginLoadTx" begin_load(key: u32) -> ();
            /// Begin to load what is under a number.
            Number "beginLoadTx" begin_load_number(key: u32) -> ();
            /// Append 4 bytes.
            Both "storeI32" store_i32(value: i32) -> ();
            /// The next 4 bytes.
            Both "loadI32" load_i32() -> i32;
            /// Append 8 bytes.
            Both "storeI64" store_i64(value: i64) -> ();
            /// The next 8 bytes.
            Both "loadI64" load_i64() -> i64;
            /// Store what was appended.
            Both "endStoreTx" end_store() -> ();
            /// Back to the first byte.
            Both "endLoadTx" end_load() -> ();
        }
    };
}

/// The two full names of an import, each with its module, by its suffix.
#[macro_export]
macro_rules! legacy_names {
    ($suffix:literal) => {
        [
            ("ssvm_native", concat!("ssvm_storage_", $suffix)),
            ("wasmedge_native", concat!("wasmedge_storage_", $suffix)),
        ]
    };
}

/// Which modules have a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Those with text keys.
    Text,
    /// Those with numbers as keys.
    Number,
    /// All.
    Both,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// Which modules have it.
    pub form: Form,
    /// Import module and name: of 2020 and of 2021.
    pub names: [(&'static str, &'static str); 2],
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
    ($($(#[$doc:meta])* $form:ident $suffix:literal $function:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {
        /// Every row.
        pub const IMPORTS: &[Import] = &[$(Import {
            form: Form::$form,
            names: legacy_names!($suffix),
            params: &[$(wasm_type!($t)),*],
            results: wasm_results!($r),
        }),*];
    };
}
for_each_legacy_import!(table);

impl Form {
    /// The form of a module whose `createUUID` has these types. A module without one
    /// has text keys, as nearly all have.
    pub fn of(params: &[Type], results: &[Type]) -> Form {
        match (params, results) {
            ([], [Type::I32]) => Form::Number,
            _ => Form::Text,
        }
    }

    /// Whether a module of this form has rows of the other.
    pub fn has(self, row: Form) -> bool {
        row == Form::Both || row == self
    }
}

/// The row of an import in a module of a form, by its full name.
pub fn import(form: Form, module: &str, name: &str) -> Option<&'static Import> {
    IMPORTS
        .iter()
        .find(|row| form.has(row.form) && row.names.contains(&(module, name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_has_each_name_once_and_every_name_begins_as_its_module_says() {
        for form in [Form::Text, Form::Number] {
            let rows = || IMPORTS.iter().filter(move |row| form.has(row.form));
            assert_eq!(rows().count(), 9);
            for (i, a) in rows().enumerate() {
                assert!(rows().skip(i + 1).all(|b| a.names != b.names));
                for ((module, name), (of, prefix)) in a.names.into_iter().zip(MODULES) {
                    assert_eq!(module, of);
                    assert!(name.starts_with(prefix), "{name}");
                }
            }
        }
    }

    #[test]
    fn the_type_of_create_uuid_tells_the_form() {
        assert_eq!(Form::of(&[], &[Type::I32]), Form::Number);
        assert_eq!(Form::of(&[Type::I32], &[]), Form::Text);
        for row in IMPORTS {
            let [(_, name), _] = row.names;
            if name == "ssvm_storage_createUUID" {
                assert_eq!(Form::of(row.params, row.results), row.form);
            }
        }
    }

    #[test]
    fn types_follow_the_rows() {
        let row = |form, name| import(form, "wasmedge_native", name).unwrap();
        let stored = row(Form::Number, "wasmedge_storage_storeI64");
        assert_eq!((stored.params, stored.results), (&[Type::I64][..], &[][..]));
        let loaded = row(Form::Text, "wasmedge_storage_loadI32");
        assert_eq!((loaded.params, loaded.results), (&[][..], &[Type::I32][..]));
        assert_eq!(
            import(Form::Text, "wasmedge_native", "ssvm_storage_loadI32"),
            None
        );
    }
}
