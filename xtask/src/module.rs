//! Looks into a Wasm module: its size without names, and whether it can allocate.

use crate::error::{At, Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use wasmparser::{
    BinaryReaderError, KnownCustom, Name, NameSectionReader, Operator, Parser, Payload, TypeRef,
};

/// Parts of the names of functions that only an allocator has.
const ALLOCATOR: [&str; 6] = [
    "__rust_alloc",
    "__rust_realloc",
    "__rg_",
    "__rdl_",
    "malloc",
    "handle_alloc_error",
];

/// Functions that [`Module::largest`] names.
const LARGEST: usize = 5;

/// What `cargo xtask sizes` wants to know of a module built with names.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Bytes of the module as a user ships it: without names and debug information.
    pub(crate) shipped: usize,
    /// Signs of an allocator: functions by name, and the one instruction that each needs.
    pub(crate) allocator: Vec<String>,
    /// The names by function index; none at all means that they were stripped.
    pub(crate) names: BTreeMap<u32, String>,
    /// The bytes of each function's code, by function index: imports come first.
    pub(crate) code: BTreeMap<u32, usize>,
}

impl Module {
    /// Reads a module that was built without stripping.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).at("read", path)?;
        let module = Self::parse(&bytes)
            .map_err(|error| Error::new(format!("{} is not Wasm: {error}", path.display())))?;
        if module.names.is_empty() {
            return Err(
                Error::new(format!("{} has no function names", path.display()))
                    .remedy("set `strip = false` in [profile.sizes] of guests/Cargo.toml"),
            );
        }
        Ok(module)
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, BinaryReaderError> {
        let mut module = Self {
            shipped: bytes.len(),
            ..Self::default()
        };
        // The end of the section before: a section's own range leaves out its id and length.
        let mut end = 0;
        let mut next_function = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            match &payload {
                Payload::Version { range, .. } => end = range.end,
                Payload::CustomSection(custom) => {
                    if is_stripped(custom.name()) {
                        module.shipped -= custom.range().end.saturating_sub(end);
                    }
                    if let KnownCustom::Name(names) = custom.as_known() {
                        module.read_names(names)?;
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.clone().into_imports() {
                        next_function += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => {
                    module.code.insert(next_function, body.range().len());
                    next_function += 1;
                    for operator in body.get_operators_reader()? {
                        if matches!(operator?, Operator::MemoryGrow { .. }) {
                            module
                                .allocator
                                .push("the instruction memory.grow".to_owned());
                        }
                    }
                }
                _ => {}
            }
            if let Some((_, range)) = payload.as_section() {
                end = range.end;
            }
        }
        Ok(module)
    }

    fn read_names(
        &mut self,
        names: NameSectionReader<'_>,
    ) -> std::result::Result<(), BinaryReaderError> {
        for subsection in names {
            let Name::Function(functions) = subsection? else {
                continue;
            };
            for function in functions {
                let function = function?;
                if ALLOCATOR.iter().any(|part| function.name.contains(part)) {
                    self.allocator.push(function.name.to_owned());
                }
                self.names.insert(function.index, function.name.to_owned());
            }
        }
        Ok(())
    }

    /// The functions with the most code, the largest first.
    pub(crate) fn largest(&self) -> Vec<(usize, &str)> {
        let name = |index| {
            self.names
                .get(index)
                .map_or("without a name", String::as_str)
        };
        let mut all: Vec<_> = self
            .code
            .iter()
            .map(|(index, size)| (*size, name(index)))
            .collect();
        all.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        all.truncate(LARGEST);
        all
    }
}

/// The custom sections that `strip = true` leaves out.
fn is_stripped(name: &str) -> bool {
    matches!(name, "name" | "producers" | "target_features") || name.starts_with(".debug")
}

#[cfg(test)]
mod tests {
    use super::Module;

    /// `(module (memory 1) (func $f BODY))` by hand, then a custom section of each kind.
    fn wasm(function: &str, body: &[u8]) -> Vec<u8> {
        let mut names = vec![1, byte(function.len() + 3), 1, 0, byte(function.len())];
        names.extend(function.as_bytes());
        let mut code = vec![1, byte(body.len() + 2), 0];
        code.extend(body);
        code.push(0x0b);
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for (id, payload) in [
            (1, vec![1, 0x60, 0, 0]),
            (3, vec![1, 0]),
            (5, vec![1, 0, 1]),
            (10, code),
            (0, [b"\x04name".as_slice(), &names].concat()),
            (0, b"\x04kept!".to_vec()),
        ] {
            module.extend([id, byte(payload.len())]);
            module.extend(payload);
        }
        module
    }

    fn byte(length: usize) -> u8 {
        u8::try_from(length).unwrap()
    }

    #[test]
    fn names_do_not_count_and_other_custom_sections_do() {
        let module = Module::parse(&wasm("f", &[])).unwrap();
        // Header 8, type 6, function 4, memory 5, code 6, custom section `kept` 8.
        assert_eq!(module.shipped, 37);
        assert_eq!(module.largest(), [(2, "f")]);
        assert_eq!(module.allocator, [""; 0]);
    }

    #[test]
    fn an_allocator_is_known_by_its_names_and_by_its_instruction() {
        let module = Module::parse(&wasm("_RNv_7___rustc12___rust_alloc", &[])).unwrap();
        assert_eq!(module.allocator, ["_RNv_7___rustc12___rust_alloc"]);
        // i32.const 1; memory.grow; drop
        let module = Module::parse(&wasm("f", &[0x41, 1, 0x40, 0, 0x1a])).unwrap();
        assert_eq!(module.allocator, ["the instruction memory.grow"]);
    }

    #[test]
    fn the_panic_handler_is_no_allocator() {
        let module = Module::parse(&wasm("_RNvC_7___rustc17rust_begin_unwind", &[])).unwrap();
        assert_eq!(module.allocator, [""; 0]);
    }

    #[test]
    fn anything_else_is_refused() {
        assert!(Module::parse(b"GIF89a").is_err());
        assert!(Module::parse(&[]).is_err());
    }
}
