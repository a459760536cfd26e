//! How a function is called: by numbers, or by the raw convention that wasm-bindgen
//! 0.2.61 gave the modules of 2020, which were run without its JavaScript. There,
//! text and bytes go in and one of them comes out.
//!
//! | | |
//! |---|---|
//! | exports | `memory`, `__wbindgen_malloc` (size) -> pointer, `__wbindgen_free` (pointer, size) |
//! | a function of n buffers | (i32 × (1 + 2n)) -> () |
//! | its arguments | 8, then for each buffer a pointer and a length |
//! | its result | a pointer at address 8, a length at address 12, little-endian |
//!
//! The function owns what it is given, as blocks of exactly their length; what it
//! returns is freed after it was copied. Nothing in a module tells text from bytes, nor
//! a function of numbers with such a type from one of buffers: who calls decides.
//! (The memory below 16 is free: the stack ends there, and is not that deep.)
//!
//! Later releases of wasm-bindgen gave `__wbindgen_malloc` and `__wbindgen_free` an
//! alignment. They are told apart and not called.
//!
//! All numbers of the guest are checked here; a runtime brings an [`Instance`].

use std::fmt;

use wasm_storage_abi::limits;
use wasm_storage_engine::{Error, Kind};

use crate::memory::GuestRange;
use crate::trap::Trap;

/// Exports that the convention calls by name.
pub const MALLOC: &str = "__wbindgen_malloc";
/// See [`MALLOC`].
pub const FREE: &str = "__wbindgen_free";
/// Called before everything else in an instance, if a module exports it as () -> ().
pub const INITIALIZE: &str = "_initialize";

/// Where the result's pointer and length are written to.
const RESULT: u32 = 8;
const RESULT_BYTES: u32 = 8;

/// Its name in messages.
const THE_RESULT: &str = "the result";

/// An export, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Export {
    /// A memory with 32-bit addresses.
    Memory,
    /// A function.
    Function(Signature),
    /// Anything else.
    Other,
}

/// A function's type, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    params: usize,
    results: usize,
    /// Whether each of them is an i32.
    plain: bool,
}

impl Signature {
    /// A type; of each parameter and result, whether it is an i32.
    pub fn new(
        params: impl IntoIterator<Item = bool>,
        results: impl IntoIterator<Item = bool>,
    ) -> Self {
        let mut plain = true;
        let mut count =
            |types: &mut dyn Iterator<Item = bool>| types.inspect(|is_i32| plain &= is_i32).count();
        Signature {
            params: count(&mut params.into_iter()),
            results: count(&mut results.into_iter()),
            plain,
        }
    }

    /// Whether it is a type of so many i32 to so many i32.
    fn is(&self, params: usize, results: usize) -> bool {
        self.plain && self.params == params && self.results == results
    }

    /// How many buffers a function of this type can take.
    fn buffers(&self) -> Option<usize> {
        let pairs = self.params.checked_sub(1)?;
        let fits = self.plain && self.results == 0 && pairs.is_multiple_of(2);
        fits.then_some(pairs / 2)
    }
}

/// How a function can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// By numbers only.
    Numbers,
    /// By so many texts or byte arrays; also by numbers, where it is a function of them
    /// that has such a type.
    Buffers(usize),
}

/// What a module has that buffers could be passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allocator {
    /// That of wasm-bindgen 0.2.61.
    Of2020,
    /// That of a later wasm-bindgen.
    Later,
    /// None.
    Missing,
    /// Exports with its names and other types, or a part of them.
    Unknown,
}

impl Allocator {
    /// Looks at all exports of a module, by name.
    pub fn of<'a>(exports: impl IntoIterator<Item = (&'a str, Export)>) -> Self {
        let (mut memory, mut malloc, mut free, mut renamed) = (false, None, None, false);
        for (name, export) in exports {
            match name {
                "memory" => memory = export == Export::Memory,
                MALLOC => malloc = Some(export),
                FREE => free = Some(export),
                _ => renamed |= name.starts_with("__wbindgen_export"),
            }
        }
        let is = |export: &Option<Export>, params, results| match export {
            Some(Export::Function(signature)) => signature.is(params, results),
            _ => false,
        };
        if memory && is(&malloc, 1, 1) && is(&free, 2, 0) {
            Allocator::Of2020
        } else if is(&malloc, 2, 1) || is(&free, 3, 0) {
            Allocator::Later
        } else if malloc.is_some() || free.is_some() {
            Allocator::Unknown
        } else if renamed {
            // What the latest releases call them.
            Allocator::Later
        } else {
            Allocator::Missing
        }
    }

    /// How a function of this type can be called.
    pub fn convention(self, function: &Signature) -> Convention {
        match self.buffers(function) {
            Ok(count) => Convention::Buffers(count),
            Err(_) => Convention::Numbers,
        }
    }

    /// How many buffers a function of this type takes.
    ///
    /// Errors: why it takes none, not even no buffers.
    pub fn buffers(self, function: &Signature) -> Result<usize, NoBuffers> {
        match self {
            Allocator::Of2020 => function.buffers().ok_or(NoBuffers::Type),
            Allocator::Later => Err(NoBuffers::Later),
            Allocator::Missing => Err(NoBuffers::Missing),
            Allocator::Unknown => Err(NoBuffers::Unknown),
        }
    }
}

/// Why no text and no bytes can be passed to a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBuffers {
    /// The module has the convention; the function's type is another.
    Type,
    /// The module is of a later wasm-bindgen.
    Later,
    /// The module has no allocator to pass them by.
    Missing,
    /// The module has something else by the allocator's names.
    Unknown,
}

/// The end of a sentence that begins with "no text or bytes can be passed to it: ".
impl fmt::Display for NoBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoBuffers::Type => {
                "a function that takes them is of an odd number of i32 and returns nothing"
            }
            NoBuffers::Later => {
                "the module is built by a later wasm-bindgen, whose convention belongs to its JavaScript; that of 0.2.61 is known here"
            }
            NoBuffers::Missing => {
                "the module exports no __wbindgen_malloc and __wbindgen_free, as those of wasm-bindgen 0.2.61 do"
            }
            NoBuffers::Unknown => {
                "the module's memory, __wbindgen_malloc and __wbindgen_free are not those of wasm-bindgen 0.2.61"
            }
        })
    }
}

impl std::error::Error for NoBuffers {}

/// "no text or bytes", "1 text or byte array", "2 texts or byte arrays".
pub fn counted(buffers: usize) -> String {
    match buffers {
        0 => "no text or bytes".into(),
        1 => "1 text or byte array".into(),
        count => format!("{count} texts or byte arrays"),
    }
}

/// The buffers of a call are not too large together.
///
/// Errors: `TooLarge`.
pub fn check_size<B: AsRef<[u8]>>(buffers: &[B]) -> Result<(), Error> {
    let lengths = buffers.iter().map(|buffer| buffer.as_ref().len());
    let all = lengths.fold(0, usize::saturating_add);
    if all > limits::INPUT_BYTES {
        let what = "the text and bytes of a call,";
        let message = format!(
            "{what} {all} bytes together, are over the limit of {} bytes",
            limits::INPUT_BYTES
        );
        return Err(Error::new(Kind::TooLarge, message));
    }
    Ok(())
}

/// An instance of a guest with [`Allocator::Of2020`], and a function of it.
pub trait Instance {
    /// What ends the guest: a trap of its own, or one of this host.
    type Error: From<Trap>;

    /// Calls [`MALLOC`].
    fn malloc(&mut self, size: u32) -> Result<u32, Self::Error>;

    /// Calls [`FREE`].
    fn free(&mut self, pointer: u32, size: u32) -> Result<(), Self::Error>;

    /// Calls the function.
    fn function(&mut self, args: &[u32]) -> Result<(), Self::Error>;

    /// All of the memory, as large as it is now.
    fn memory(&mut self) -> &mut [u8];
}

/// Calls a function with buffers that [`check_size`] has let pass, as many as its
/// type says, and takes its result. A function that returns nothing gives an empty one.
///
/// Errors: those of the guest; a pointer of it that names no memory; a result over
/// its limit.
pub fn call<I: Instance, B: AsRef<[u8]>>(
    guest: &mut I,
    buffers: &[B],
) -> Result<Vec<u8>, I::Error> {
    let mut args = vec![RESULT];
    for buffer in buffers {
        let (pointer, length) = pass(guest, buffer.as_ref())?;
        args.extend([pointer, length]);
    }
    // A function that returns nothing leaves it as it is.
    area().of_mut(guest.memory())?.fill(0);
    guest.function(&args)?;

    let result = result(guest.memory())?;
    let bytes = result.of(guest.memory())?;
    if bytes.len() > limits::RESULT_BYTES {
        let error = Error::too_large("a result", limits::RESULT_BYTES, bytes.len());
        return Err(refused(THE_RESULT, error));
    }
    let bytes = bytes.to_vec();
    guest.free(result.pointer, result.length)?;
    Ok(bytes)
}

/// Puts a buffer into memory that the function will free; its pointer and length.
fn pass<I: Instance>(guest: &mut I, buffer: &[u8]) -> Result<(u32, u32), I::Error> {
    let length = u32::try_from(buffer.len()).map_err(|_| {
        let error = Error::too_large("an argument", limits::INPUT_BYTES, buffer.len());
        refused::<I::Error>(MALLOC, error)
    })?;
    let pointer = guest.malloc(length)?;
    if pointer == 0 && length > 0 {
        let message = format!("there is no memory for an argument of {length} bytes");
        return Err(refused(MALLOC, Error::new(Kind::TooLarge, message)));
    }
    let range = GuestRange {
        import: MALLOC,
        pointer,
        length,
    };
    range.of_mut(guest.memory())?.copy_from_slice(buffer);
    Ok((pointer, length))
}

/// Where the result is, as the function says.
fn result(memory: &[u8]) -> Result<GuestRange, Trap> {
    let (pointer, length) = match area().of(memory)? {
        &[a, b, c, d, e, f, g, h] => (
            u32::from_le_bytes([a, b, c, d]),
            u32::from_le_bytes([e, f, g, h]),
        ),
        // The area has eight bytes.
        _ => (0, 0),
    };
    Ok(GuestRange {
        import: THE_RESULT,
        pointer,
        length,
    })
}

fn area() -> GuestRange {
    GuestRange {
        import: "the address of the result",
        pointer: RESULT,
        length: RESULT_BYTES,
    }
}

fn refused<E: From<Trap>>(import: &'static str, error: Error) -> E {
    Trap::Refused { import, error }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(params: usize, results: usize) -> Export {
        Export::Function(i32s(params, results))
    }

    fn i32s(params: usize, results: usize) -> Signature {
        Signature::new(
            std::iter::repeat_n(true, params),
            std::iter::repeat_n(true, results),
        )
    }

    /// A module with a memory and these two.
    fn with(malloc: Export, free: Export) -> Allocator {
        Allocator::of([("memory", Export::Memory), (MALLOC, malloc), (FREE, free)])
    }

    #[test]
    fn the_allocator_of_2020_is_known_by_its_exports_and_their_types() {
        assert_eq!(with(function(1, 1), function(2, 0)), Allocator::Of2020);
        // In any order, and with others beside it.
        let exports = [
            (FREE, function(2, 0)),
            ("__wbindgen_realloc", function(3, 1)),
            ("__wbindgen_export_2", Export::Other),
            (MALLOC, function(1, 1)),
            ("say", function(3, 0)),
            ("memory", Export::Memory),
        ];
        assert_eq!(Allocator::of(exports), Allocator::Of2020);
    }

    #[test]
    fn that_of_a_later_wasm_bindgen_is_told_apart() {
        assert_eq!(with(function(2, 1), function(3, 0)), Allocator::Later);
        assert_eq!(with(function(2, 1), function(2, 0)), Allocator::Later);
        assert_eq!(with(function(1, 1), function(3, 0)), Allocator::Later);
        let exports = [
            ("memory", Export::Memory),
            ("__wbindgen_export_0", function(2, 1)),
        ];
        assert_eq!(Allocator::of(exports), Allocator::Later);
    }

    #[test]
    fn something_else_by_its_names_is_unknown_and_no_such_names_are_none() {
        let float = Export::Function(Signature::new([false], [true]));
        for (malloc, free) in [
            (float, function(2, 0)),
            (function(1, 0), function(2, 0)),
            (function(1, 1), function(2, 1)),
            (function(0, 1), function(2, 0)),
            (Export::Other, function(2, 0)),
            (function(1, 1), Export::Memory),
        ] {
            assert_eq!(with(malloc, free), Allocator::Unknown);
        }
        let no_memory = [(MALLOC, function(1, 1)), (FREE, function(2, 0))];
        assert_eq!(Allocator::of(no_memory.clone()), Allocator::Unknown);
        let other = no_memory.into_iter().chain([("memory", Export::Other)]);
        assert_eq!(Allocator::of(other), Allocator::Unknown);
        assert_eq!(
            Allocator::of([("memory", Export::Memory), (MALLOC, function(1, 1))]),
            Allocator::Unknown
        );
        let plain = [("memory", Export::Memory), ("say", function(3, 0))];
        assert_eq!(Allocator::of(plain), Allocator::Missing);
        assert_eq!(Allocator::of([]), Allocator::Missing);
    }

    #[test]
    fn a_function_takes_a_buffer_for_every_two_parameters_after_the_first() {
        let of = Allocator::Of2020;
        for (params, buffers) in [(1, 0), (3, 1), (5, 2), (7, 3), (999, 499)] {
            assert_eq!(of.buffers(&i32s(params, 0)), Ok(buffers));
            assert_eq!(
                of.convention(&i32s(params, 0)),
                Convention::Buffers(buffers)
            );
        }
        let other = [
            i32s(0, 0),
            i32s(2, 0),
            i32s(4, 0),
            i32s(3, 1),
            i32s(0, 1),
            Signature::new([true, true, false], []),
            Signature::new([false], []),
        ];
        for signature in other {
            assert_eq!(of.buffers(&signature), Err(NoBuffers::Type));
            assert_eq!(of.convention(&signature), Convention::Numbers);
        }
    }

    #[test]
    fn without_the_allocator_of_2020_functions_are_of_numbers() {
        for (allocator, why, word) in [
            (Allocator::Later, NoBuffers::Later, "later wasm-bindgen"),
            (Allocator::Missing, NoBuffers::Missing, "exports no"),
            (Allocator::Unknown, NoBuffers::Unknown, "are not those"),
        ] {
            assert_eq!(allocator.convention(&i32s(3, 0)), Convention::Numbers);
            assert_eq!(allocator.buffers(&i32s(3, 0)), Err(why));
            assert!(why.to_string().contains(word), "{why}");
        }
    }

    /// A guest in Rust: it answers its last buffer, or what `answers` says.
    struct Guest {
        memory: Vec<u8>,
        next: u32,
        sizes: Vec<u32>,
        freed: Vec<(u32, u32)>,
        args: Vec<u32>,
        answers: Option<(u32, u32)>,
    }

    fn guest(memory: usize) -> Guest {
        Guest {
            memory: vec![0xff; memory],
            next: 32,
            sizes: Vec::new(),
            freed: Vec::new(),
            args: Vec::new(),
            answers: None,
        }
    }

    impl Instance for Guest {
        type Error = Trap;

        fn malloc(&mut self, size: u32) -> Result<u32, Trap> {
            self.sizes.push(size);
            let pointer = self.next;
            if pointer != 0 {
                self.next += size;
            }
            Ok(pointer)
        }

        fn free(&mut self, pointer: u32, size: u32) -> Result<(), Trap> {
            self.freed.push((pointer, size));
            Ok(())
        }

        fn function(&mut self, args: &[u32]) -> Result<(), Trap> {
            self.args = args.to_vec();
            let last = match args {
                [_, .., pointer, length] => Some((*pointer, *length)),
                _ => None,
            };
            if let Some((pointer, length)) = self.answers.or(last) {
                self.memory[8..12].copy_from_slice(&pointer.to_le_bytes());
                self.memory[12..16].copy_from_slice(&length.to_le_bytes());
            }
            Ok(())
        }

        fn memory(&mut self) -> &mut [u8] {
            &mut self.memory
        }
    }

    #[test]
    fn buffers_are_passed_in_order_at_their_exact_length_and_the_result_is_freed_once() {
        let mut guest = guest(64);
        assert_eq!(call(&mut guest, &["one", "", "last"]).unwrap(), b"last");
        assert_eq!(guest.args, [8, 32, 3, 35, 0, 35, 4]);
        assert_eq!(guest.sizes, [3, 0, 4]);
        assert_eq!(guest.memory[32..39], *b"onelast");
        assert_eq!(guest.freed, [(35, 4)]);
    }

    #[test]
    fn a_function_that_writes_no_result_gives_an_empty_one() {
        let mut guest = guest(64);
        assert_eq!(call::<_, &str>(&mut guest, &[]).unwrap(), b"");
        assert_eq!(guest.args, [8]);
        assert_eq!(guest.memory[8..16], [0; 8]);
        assert_eq!(guest.memory[16], 0xff);
    }

    #[test]
    fn numbers_of_the_guest_that_name_no_memory_trap() {
        for (answer, word) in [
            ((61, 4), "0x3d"),
            ((64, 1), "0x40"),
            ((u32::MAX, u32::MAX), "0xffffffff"),
            ((0, 65), "65 bytes"),
        ] {
            let mut guest = guest(64);
            guest.answers = Some(answer);
            let trap = call(&mut guest, &["one"]).unwrap_err().to_string();
            assert!(trap.starts_with("the result: "), "{trap}");
            assert!(trap.contains(word), "{trap}");
            assert_eq!(guest.freed, []);
        }
        // Of an empty result the pointer means nothing.
        let mut empty = guest(64);
        empty.answers = Some((u32::MAX, 0));
        assert_eq!(call(&mut empty, &["one"]).unwrap(), b"");
        assert_eq!(empty.freed, [(u32::MAX, 0)]);

        for (next, word) in [(62, "0x3e"), (u32::MAX - 9, "0xfffffff6"), (0, "no memory")] {
            let mut guest = guest(64);
            guest.next = next;
            let trap = call(&mut guest, &["one"]).unwrap_err().to_string();
            assert!(trap.starts_with("__wbindgen_malloc: "), "{trap}");
            assert!(trap.contains(word), "{trap}");
            assert_eq!(guest.args, []);
        }
        let trap = call::<_, &str>(&mut guest(15), &[]).unwrap_err();
        assert!(trap.to_string().contains("address of the result"), "{trap}");
    }

    #[test]
    fn buffers_of_64_mib_together_are_taken_and_one_byte_more_is_not() {
        let half = vec![0; limits::INPUT_BYTES / 2];
        let more = vec![0; limits::INPUT_BYTES / 2 + 1];
        check_size(&[&half, &half]).unwrap();
        let text = check_size(&[&half, &more]).unwrap_err().to_string();
        assert!(text.contains("67108865 bytes together"), "{text}");
    }

    #[test]
    fn a_result_of_64_mib_is_taken_and_one_byte_more_is_not() {
        let length = u32::try_from(limits::RESULT_BYTES).unwrap();
        let mut guest = guest(limits::RESULT_BYTES + 64);
        guest.answers = Some((16, length));
        assert_eq!(
            call(&mut guest, &["one"]).unwrap().len(),
            limits::RESULT_BYTES
        );
        guest.answers = Some((16, length + 1));
        let trap = call(&mut guest, &["one"]).unwrap_err().to_string();
        assert!(
            trap.contains("67108865") && trap.contains("67108864"),
            "{trap}"
        );
        assert_eq!(guest.freed.len(), 1);
    }
}
