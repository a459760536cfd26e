//! The imports of 2020 (`ssvm_native`, `wasmedge_native`), bound as those of `linker`
//! are: every row of `wasm_storage_abi::legacy` to its function in
//! `wasm_storage_host::legacy`.
//!
//! Three names have two types: keys were numbers, later text. A linker has one
//! function for a name, so it has the text form, and a module with number keys is
//! linked by a linker of its own in which the number form stands instead. Which
//! form a module has is looked at when it is loaded, for each of the two import modules.

use std::borrow::Cow;

use wasm_storage_abi::legacy::{self, Form};
use wasm_storage_abi::v1::Type;
use wasm_storage_abi::{for_each_legacy_import, legacy_names};
use wasm_storage_host::legacy as host;
use wasmtime::{Caller, ExternType, FuncType, ImportType, Linker, ValType};

use crate::linker::{StorageState, with_memory};

/// Adds the imports of 2020, with text keys.
pub(crate) fn add<T: 'static>(
    linker: &mut Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
) -> wasmtime::Result<()> {
    for (module, _) in legacy::MODULES {
        add_rows(linker, state, module, |row| Form::Text.has(row))?;
    }
    Ok(())
}

/// Puts the imports with number keys in the place of those with text keys: for a module
/// of the crate versions up to 0.1.22, whose `createUUID` returns an i32
/// ([`has_number_keys`]).
///
/// Errors: none that is known of.
pub fn add_number_keys_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
) -> wasmtime::Result<()> {
    for (module, _) in legacy::MODULES {
        shadow(linker, state, module)?;
    }
    Ok(())
}

fn shadow<T: 'static>(
    linker: &mut Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
    module: &str,
) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let added = add_rows(linker, state, module, |row| row == Form::Number);
    linker.allow_shadowing(false);
    added
}

fn add_rows<T: 'static>(
    linker: &mut Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
    of: &str,
    wanted: impl Fn(Form) -> bool,
) -> wasmtime::Result<()> {
    macro_rules! bind {
        ($($(#[$doc:meta])* $form:ident $suffix:literal $function:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {$(
            for (module, import) in legacy_names!($suffix) {
                if module == of && wanted(Form::$form) {
                    linker.func_wrap(
                        module,
                        import,
                        move |mut caller: Caller<'_, T> $(, $arg: $t)*| -> wasmtime::Result<$r> {
                            with_memory(&mut caller, state, import, |call, memory| {
                                host::$function(call, memory, import $(, $arg)*)
                            })
                        },
                    )?;
                }
            }
        )*};
    }
    for_each_legacy_import!(bind);
    Ok(())
}

/// Whether a module's storage imports of 2020 have numbers as keys.
pub fn has_number_keys(module: &wasmtime::Module) -> bool {
    let mut modules = legacy::MODULES.into_iter();
    modules.any(|(name, _)| form_of(module, name) == Form::Number)
}

/// The linker that a module is linked by.
pub(crate) fn linker_for<'a, T: 'static>(
    module: &wasmtime::Module,
    linker: &'a Linker<T>,
    state: fn(&mut T) -> &mut StorageState,
) -> wasmtime::Result<Cow<'a, Linker<T>>> {
    let mut linker = Cow::Borrowed(linker);
    for (name, _) in legacy::MODULES {
        if form_of(module, name) == Form::Number {
            shadow(linker.to_mut(), state, name)?;
        }
    }
    Ok(linker)
}

/// Whether an import is one of these by its name, whatever its type.
pub(crate) fn is_import(import: &ImportType<'_>) -> bool {
    let name = (import.module(), import.name());
    legacy::IMPORTS.iter().any(|row| row.names.contains(&name))
}

/// Whether a module is of the first crate versions, whose imports are in `env`.
pub(crate) fn is_of_before(module: &wasmtime::Module) -> bool {
    module.imports().any(|import| {
        let mut names = legacy::MODULES.into_iter();
        import.module() == "env" && names.any(|(_, prefix)| import.name().starts_with(prefix))
    })
}

/// Every import of 2020 has the type that it had then; the others are named.
pub(crate) fn check_types(module: &wasmtime::Module) -> Result<(), String> {
    let mut wrong = Vec::new();
    for import in module.imports().filter(is_import) {
        let form = form_of(module, import.module());
        let row = legacy::import(form, import.module(), import.name());
        let is = types(&import.ty());
        if row.is_none_or(|row| is.as_ref() != Some(&(row.params.to_vec(), row.results.to_vec()))) {
            let is = match import.ty() {
                ExternType::Func(ty) => ty.to_string(),
                _ => "no function".into(),
            };
            let has = row.map_or(String::new(), |row| {
                format!(
                    ", not (type (func{}{}))",
                    list("param", row.params),
                    list("result", row.results)
                )
            });
            wrong.push(format!(
                "{:?} {:?} is {is}{has}",
                import.module(),
                import.name()
            ));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "has imports of 2020 with other types than this host knows: {}",
        wrong.join("; ")
    ))
}

/// The form that the type of a module's `createUUID` tells.
fn form_of(module: &wasmtime::Module, of: &str) -> Form {
    let mut imports = module.imports().filter(|import| import.module() == of);
    let create = imports.find(|import| {
        let name = (import.module(), import.name());
        legacy_names!("createUUID").contains(&name)
    });
    match create.and_then(|import| types(&import.ty())) {
        Some((params, results)) => Form::of(&params, &results),
        None => Form::Text,
    }
}

/// The types of a function of integers.
fn types(ty: &ExternType) -> Option<(Vec<Type>, Vec<Type>)> {
    let ty: &FuncType = ty.func()?;
    let params = ty.params().map(|ty| integer(&ty)).collect::<Option<_>>()?;
    let results = ty.results().map(|ty| integer(&ty)).collect::<Option<_>>()?;
    Some((params, results))
}

fn integer(ty: &ValType) -> Option<Type> {
    match ty {
        ValType::I32 => Some(Type::I32),
        ValType::I64 => Some(Type::I64),
        _ => None,
    }
}

fn list(what: &str, types: &[Type]) -> String {
    if types.is_empty() {
        return String::new();
    }
    let names = types.iter().map(|ty| match ty {
        Type::I32 => " i32",
        Type::I64 => " i64",
    });
    format!(" ({what}{})", names.collect::<String>())
}
