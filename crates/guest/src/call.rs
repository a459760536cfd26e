//! The call itself: its input, its result, its end; and what a panic becomes.
//!
//! For plain exports. A plain export that returns without [`finish`] commits too.

use alloc::string::String;
use alloc::vec::Vec;

use crate::host::SMALL;
use crate::plain::end_nowhere;
use crate::sys;
use crate::text::Line;

/// The input of the call: the bytes that its caller has given.
///
/// Host calls: 1, and `fetch` for an input over 256 bytes.
pub fn input() -> Vec<u8> {
    let mut room = [0; SMALL];
    let len = must(INPUT, sys::input(&mut room));
    if let Some(input) = room.get(..len) {
        return input.to_vec();
    }
    let mut input = alloc::vec![0; len];
    let len = must(INPUT, sys::fetch(&mut input));
    input.truncate(len);
    input
}

const INPUT: &str = "input";

/// The input of the call, as text. Ends the call if it is not UTF-8.
///
/// Host calls: as [`input`].
pub fn input_text() -> String {
    match String::from_utf8(input()) {
        Ok(text) => text,
        Err(_) => abort("input_text: the input is not UTF-8"),
    }
}

/// A length or status that is no failure, or the end of the call.
#[inline]
fn must(operation: &'static str, status: i32) -> usize {
    match usize::try_from(status) {
        Ok(len) => len,
        Err(_) => end_nowhere(operation, status),
    }
}

/// Ends the call with its result. All that it has written is committed and
/// `result` goes to the caller.
///
/// Returns the status, for the export to return. After it, storage functions trap.
/// Host calls: 1.
///
/// ```
/// use rust_storage_interface_library as storage;
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn greet() -> i32 {
///     let name = storage::input_text();
///     storage::finish(format!("Hello, {name}").as_bytes())
/// }
///
/// let host = storage::testing::Host::new();
/// assert_eq!(host.call(b"Ada", || greet()).unwrap(), b"Hello, Ada");
/// ```
pub fn finish(result: &[u8]) -> i32 {
    let status = sys::finish(0, result);
    must("finish", status);
    status
}

/// Ends the call with an error text for the caller. Nothing that it has written stays.
///
/// Returns the status, for the export to return. Host calls: 1.
pub fn fail(text: &str) -> i32 {
    let status = sys::finish(1, text.as_bytes());
    must("fail", status);
    status
}

/// Ends the call at once, with a message for the caller. Nothing that it has
/// written stays. At most 4 KiB of the message are kept. Host calls: 1.
pub fn abort(message: &str) -> ! {
    sys::abort(message.as_bytes())
}

/// The text of a panic, without `core::fmt`: the place, and the message if it
/// is one text without values in it.
#[doc(hidden)]
pub fn end_panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let mut text = Line::new();
    text.text("panicked");
    if let Some(place) = info.location() {
        text.text(" at ");
        text.text(place.file());
        text.text(":");
        text.number(place.line().into());
    }
    if let Some(message) = info.message().as_str() {
        text.text(": ");
        text.text(message);
    }
    sys::abort(text.bytes())
}

/// The panic handler of a `no_std` program: a panic ends the call with its place
/// and, where that takes no formatting, its message.
///
/// ```ignore
/// #![no_std]
/// use rust_storage_interface_library as storage;
/// storage::panic_handler!();
/// ```
#[macro_export]
macro_rules! panic_handler {
    () => {
        #[cfg(target_family = "wasm")]
        #[panic_handler]
        fn storage_panic_handler(info: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::end_panic(info)
        }
    };
}

/// Makes panics end the call with their text, in a program that links `std`: say
/// it first in every export. (`no_std` programs have [`panic_handler!`] instead.)
///
/// A macro, since this crate does not link `std` itself. Natively it does nothing:
/// `testing::Host` sees a panic without it. Host calls: none; a panic makes one.
///
/// ```
/// use rust_storage_interface_library as storage;
///
/// #[unsafe(no_mangle)]
/// pub extern "C" fn half(of: u32) -> u32 {
///     storage::report_panics!();
///     assert!(of % 2 == 0, "{of} is odd");
///     of / 2
/// }
/// # let host = storage::testing::Host::new();
/// # assert_eq!(host.invoke(|| half(4)).unwrap(), 2);
/// ```
#[macro_export]
macro_rules! report_panics {
    () => {
        #[cfg(target_family = "wasm")]
        {
            static ONCE: ::std::sync::Once = ::std::sync::Once::new();
            ONCE.call_once(|| {
                ::std::panic::set_hook(::std::boxed::Box::new(|info| {
                    $crate::abort(&::std::string::ToString::to_string(info))
                }));
            });
        }
    };
}
