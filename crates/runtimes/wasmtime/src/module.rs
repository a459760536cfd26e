//! What a module must be to be loaded: a core Wasm module that exports a plain
//! 32-bit `memory`, with imports that this host provides. What it lacks is said
//! here, by name, before anything runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasm_storage_host::convention::{self, Allocator, Convention};
use wasmtime::{Engine, ExternType, FuncType, InstancePre, Linker, ModuleExport, Val, ValType};

use crate::convention::{allocator, is_initialize, signature};
use crate::legacy;
use crate::runtime::{Args, CallError, Data};

/// A module, compiled and linked: every call makes a fresh instance of it.
#[derive(Clone)]
pub struct Module {
    pub(crate) pre: InstancePre<Data>,
    name: Arc<str>,
    /// By name. Asking Wasmtime in every call costs more than the call itself.
    functions: Arc<BTreeMap<String, Function>>,
    allocator: Allocator,
}

/// An exported function.
pub(crate) struct Function {
    pub(crate) ty: FuncType,
    pub(crate) export: ModuleExport,
}

/// Why a module is not loaded.
#[derive(Debug)]
pub struct LoadError {
    /// The file, or another name of the module.
    pub module: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.module, self.reason)
    }
}

impl std::error::Error for LoadError {}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Module").field(&self.name).finish()
    }
}

impl Module {
    pub(crate) fn from_file(
        engine: &Engine,
        linker: &Linker<Data>,
        path: &Path,
    ) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|error| LoadError {
            module: path.display().to_string(),
            reason: format!("cannot be read: {error}"),
        })?;
        let name = PathBuf::from(path).display().to_string();
        Self::from_bytes(engine, linker, &name, &bytes)
    }

    pub(crate) fn from_bytes(
        engine: &Engine,
        linker: &Linker<Data>,
        name: &str,
        bytes: &[u8],
    ) -> Result<Self, LoadError> {
        load(engine, linker, bytes)
            .map(|pre| Module {
                functions: Arc::new(functions(pre.module())),
                allocator: allocator(pre.module()),
                pre,
                name: name.into(),
            })
            .map_err(|reason| LoadError {
                module: name.into(),
                reason,
            })
    }

    /// The file's path, or the name the module was loaded by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The functions that the module exports, with their types.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &FuncType)> {
        let functions = self.functions.iter();
        functions.map(|(name, function)| (name.as_str(), &function.ty))
    }

    /// The type of an exported function.
    ///
    /// Errors: `Usage`, with the functions that there are.
    pub fn function(&self, name: &str) -> Result<&FuncType, CallError> {
        Ok(&self.export(name)?.ty)
    }

    /// How a function can be called.
    ///
    /// Errors: `Usage`, with the functions that there are.
    pub fn convention(&self, name: &str) -> Result<Convention, CallError> {
        let signature = signature(self.function(name)?);
        Ok(self.allocator.convention(&signature))
    }

    /// Whether a function can be called with these arguments: what
    /// [`Runtime::call`](crate::Runtime::call) looks at before anything runs.
    ///
    /// Errors: `Usage`, with what the function takes; `Refused` if there are too many
    /// bytes.
    pub fn check(&self, name: &str, args: &Args) -> Result<(), CallError> {
        self.checked(name, args).map(drop)
    }

    /// The function to call, if the arguments fit it.
    pub(crate) fn checked(&self, name: &str, args: &Args) -> Result<&Function, CallError> {
        let function = self.export(name)?;
        let wrong = match args {
            Args::Numbers(given) => wrong_numbers(&function.ty, given),
            Args::Buffers(given) => {
                let takes = self.allocator.buffers(&signature(&function.ty));
                match takes {
                    Ok(takes) if takes == given.len() => {
                        convention::check_size(given).map_err(CallError::Refused)?;
                        None
                    }
                    Ok(takes) => Some(format!(
                        "takes {}, not {}",
                        convention::counted(takes),
                        given.len()
                    )),
                    Err(why) => Some(format!(
                        "takes {}; no text or bytes can be passed to it: {why}",
                        list(function.ty.params().map(|ty| ty.to_string()))
                    )),
                }
            }
        };
        match wrong {
            None => Ok(function),
            Some(wrong) => Err(CallError::Usage(format!(
                "{}: function {name:?} {wrong}",
                self.name()
            ))),
        }
    }

    /// The function that is called before all others, if there is one.
    pub(crate) fn initialize(&self) -> Option<&ModuleExport> {
        let (name, function) = self.functions.get_key_value(convention::INITIALIZE)?;
        is_initialize(name, &function.ty).then_some(&function.export)
    }

    pub(crate) fn export(&self, name: &str) -> Result<&Function, CallError> {
        self.functions.get(name).ok_or_else(|| {
            let exported: Vec<&str> = self.functions.keys().map(String::as_str).collect();
            let there = if exported.is_empty() {
                "it exports no function at all".to_string()
            } else {
                format!("it has: {}", exported.join(", "))
            };
            CallError::Usage(format!(
                "{}: exports no function {name:?}; {there}",
                self.name()
            ))
        })
    }
}

/// What a function takes instead of these numbers.
fn wrong_numbers(ty: &FuncType, given: &[Val]) -> Option<String> {
    let wants = ty.params();
    let fits = wants.len() == given.len()
        && wants.zip(given).all(|(want, arg)| {
            matches!(
                (want, arg),
                (ValType::I32, Val::I32(_))
                    | (ValType::I64, Val::I64(_))
                    | (ValType::F32, Val::F32(_))
                    | (ValType::F64, Val::F64(_))
            )
        });
    if fits {
        return None;
    }
    let takes = list(ty.params().map(|ty| ty.to_string()));
    let given = list(given.iter().map(type_name));
    Some(format!("takes {takes}, not {given}"))
}

fn list(types: impl Iterator<Item = String>) -> String {
    format!("({})", types.collect::<Vec<_>>().join(", "))
}

fn type_name(value: &Val) -> String {
    match value {
        Val::I32(_) => "i32",
        Val::I64(_) => "i64",
        Val::F32(_) => "f32",
        Val::F64(_) => "f64",
        Val::V128(_) => "v128",
        _ => "a reference",
    }
    .into()
}

fn functions(module: &wasmtime::Module) -> BTreeMap<String, Function> {
    let function = |export: wasmtime::ExportType<'_>| {
        let name = export.name();
        let function = Function {
            ty: export.ty().func()?.clone(),
            export: module.get_export_index(name)?,
        };
        Some((name.to_owned(), function))
    };
    module.exports().filter_map(function).collect()
}

fn load(engine: &Engine, linker: &Linker<Data>, bytes: &[u8]) -> Result<InstancePre<Data>, String> {
    check_header(bytes)?;
    let module =
        wasmtime::Module::from_binary(engine, bytes).map_err(|error| invalid(&causes(&error)))?;
    check_imports(&module)?;
    check_memory(&module)?;
    let linker = legacy::linker_for(&module, linker, |data| &mut data.storage)
        .map_err(|error| format!("cannot be linked: {}", causes(&error)))?;
    linker
        .instantiate_pre(&module)
        .map_err(|error| format!("cannot be linked: {}", causes(&error)))
}

/// Core modules and components differ in the eight bytes at the beginning.
/// (WebAssembly specification, binary format; component model, Binary.md.)
fn check_header(bytes: &[u8]) -> Result<(), String> {
    match bytes.split_at_checked(8) {
        Some((b"\0asm\x01\0\0\0", _)) => Ok(()),
        Some((b"\0asm\x0d\0\x01\0", _)) => Err(
            "is a Wasm component; this command runs core modules (target wasm32-unknown-unknown)"
                .into(),
        ),
        _ => Err("is not a Wasm module: it does not begin with \\0asm and version 1".into()),
    }
}

const SHARED: &str = "has a shared memory; storage calls need one that is not shared";

/// Wasmtime is built without threads, so it refuses shared memories when it reads
/// the module. (A test would notice other words.)
fn invalid(reason: &str) -> String {
    if reason.contains("shared memories") {
        return format!("{SHARED} ({reason})");
    }
    format!("is not a valid Wasm module: {reason}")
}

fn check_imports(module: &wasmtime::Module) -> Result<(), String> {
    let known: Vec<(&str, &str)> = wasm_storage_abi::v1::IMPORTS
        .iter()
        .map(|import| (wasm_storage_abi::v1::MODULE, import.name))
        .collect();
    let unknown: Vec<String> = module
        .imports()
        .filter(|import| {
            !known.contains(&(import.module(), import.name())) && !legacy::is_import(import)
        })
        .map(|import| format!("{:?} {:?}", import.module(), import.name()))
        .collect();
    if unknown.is_empty() {
        return legacy::check_types(module);
    }
    let hint = if unknown.iter().any(|import| import.contains("wasi")) {
        "; WASI is not provided: build for wasm32-unknown-unknown"
    } else if legacy::is_of_before(module) {
        "; the storage crates of 2020 are known from version 0.1.22 on"
    } else {
        ""
    };
    Err(format!(
        "has imports that this host does not provide: {}{hint}",
        unknown.join(", ")
    ))
}

fn check_memory(module: &wasmtime::Module) -> Result<(), String> {
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) if memory.is_shared() => Err(SHARED.into()),
        Some(ExternType::Memory(memory)) if memory.is_64() => {
            Err("has a 64-bit memory; storage calls need a 32-bit one".into())
        }
        Some(ExternType::Memory(_)) => Ok(()),
        Some(_) => Err("exports \"memory\", but it is no memory".into()),
        None => Err("exports no memory named \"memory\", which storage calls need".into()),
    }
}

/// An error with all its causes, on one line.
pub(crate) fn causes(error: &wasmtime::Error) -> String {
    let texts: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    texts.join(": ")
}
