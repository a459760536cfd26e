//! Pointers and lengths that no safe program has: shows that the host checks every
//! range before it does anything, and what it makes of ranges that are odd but
//! within the memory.
//!
//! The imports are declared by hand, with pointers as plain numbers. Every export
//! stores `before` first, so that a test can see whether anything of the call stays.

mod import;
mod page;

use import::*;
use page::Page;

/// What `get` answers in here: longer than a small buffer.
const VALUE: &[u8] = b"a value of 22 bytes ok";

/// The status INVALID_ARGUMENT.
const INVALID_ARGUMENT: i32 = -2;

/// Calls one import with one range that is not inside the memory. Each case traps;
/// a number that is no case returns -1.
#[unsafe(no_mangle)]
pub extern "C" fn forged(case: i32) -> i32 {
    let page = before();
    let (start, end) = (page.start(), page.end());
    let key = page.write(0, b"key");
    let out = start + 100;
    // SAFETY: the host checks each range; those within the memory are in `page`.
    unsafe {
        match case {
            // A key that begins where the memory ends, that ends one byte beyond, that
            // ends beyond 2^32, and that is as long as all of it.
            0 => put(0, end, 1, key, 3),
            1 => put(0, end - 2, 3, key, 3),
            2 => put(0, u32::MAX, 2, key, 3),
            3 => put(0, 1, u32::MAX, key, 3),
            4 => put(0, key, 3, end - 2, 3),
            5 => get(0, end - 2, 3, out, 100),
            // All of the buffer counts, whatever the value's length.
            6 => get(0, key, 3, end - 99, 100),
            7 => get(0, key, 3, u32::MAX - 1, 100),
            8 => has(0, end, 3),
            9 => delete(0, end, 3),
            10 => add(0, end, 3, 1, out),
            11 => add(0, key, 3, 1, end - 7),
            12 => increment(0, end, 3, 1),
            13 => mint(0, end, 3, out),
            14 => mint(0, key, 3, end - 7),
            15 => scan(0, end, 20, out, 100),
            16 => scan(0, start + 200, 20, end, 100),
            17 => exec(end, 4, out, 100),
            18 => exec(start + 200, 4, end, 100),
            19 => fetch(end, 1),
            20 => open(end, 6, 0),
            21 => input(end, 1),
            22 => info(end, 1),
            23 => error_text(end, 1),
            24 => finish(0, end, 1),
            25 => {
                abort(end, 1);
                0
            }
            _ => -1,
        }
    }
}

/// Ranges that are odd, but allowed. Returns what the host answered; a number
/// that is no case returns -1.
#[unsafe(no_mangle)]
pub extern "C" fn odd(case: i32) -> i32 {
    let page = before();
    let wild = u32::MAX;
    let key = page.write(0, b"key");
    let value = page.write(16, VALUE);
    let length = VALUE.len() as u32;
    // SAFETY: the host looks at no pointer of length 0; all other ranges are in `page`.
    unsafe {
        assert_eq!(put(0, key, 3, value, length), 0);
        match case {
            // Length 0: the pointer is not looked at. An empty key is a key.
            0 => put(0, wild, 0, wild, 0),
            1 => get(0, key, 3, wild, 0),
            // The answer is written over the key.
            2 => {
                let answer = get(0, key, 3, key, 100);
                assert_eq!(page.read(0, VALUE.len()), VALUE);
                answer
            }
            // Key and value are the same bytes, at an odd address.
            3 => {
                let both = page.write(31, b"both");
                assert_eq!(put(0, both, 4, both, 4), 0);
                get(0, both, 4, both, 4)
            }
            // A buffer that ends with the memory.
            4 => {
                let answer = get(0, key, 3, page.end() - length, length);
                assert_eq!(page.read(Page::BYTES - VALUE.len(), VALUE.len()), VALUE);
                answer
            }
            // All of the page.
            5 => get(0, key, 3, page.start(), page.end() - page.start()),
            _ => -1,
        }
    }
}

/// Results that do not fit are parked for `fetch`. Returns what the last call
/// answered; a number that is no case returns -1.
#[unsafe(no_mangle)]
pub extern "C" fn parked(case: i32) -> i32 {
    let page = before();
    let key = page.write(0, b"key");
    let value = page.write(16, VALUE);
    let length = VALUE.len() as u32;
    let answer = VALUE.len() as i32;
    let out = page.start() + 100;
    // SAFETY: all ranges are in `page`.
    unsafe {
        assert_eq!(put(0, key, 3, value, length), 0);
        if case != 0 {
            // Too long for the buffer: nothing is written.
            assert_eq!(get(0, key, 3, out, 4), answer);
            assert_eq!(page.read(100, 4), [0; 4]);
        }
        match case {
            // Nothing is parked.
            0 => fetch(out, 100),
            // In time.
            1 => {
                let fetched = fetch(out, length);
                assert_eq!(page.read(100, VALUE.len()), VALUE);
                fetched
            }
            // After another call: it is gone.
            2 => {
                assert_eq!(has(0, key, 3), answer);
                fetch(out, length)
            }
            // Into a buffer that is too small: it stays parked, as often as one likes.
            3 => {
                assert_eq!(fetch(out, 4), answer);
                assert_eq!(fetch(out, length - 1), answer);
                assert_eq!(page.read(100, 4), [0; 4]);
                fetch(out, length)
            }
            // Twice: once fetched, it is gone.
            4 => {
                assert_eq!(fetch(out, length), answer);
                fetch(out, length)
            }
            // `info` and `error_text` leave it parked.
            5 => {
                assert!(info(out, 0) > 0);
                assert_eq!(error_text(out, 0), 0);
                fetch(out, length)
            }
            _ => -1,
        }
    }
}

/// Handles, statuses and flags that make no sense. Each is refused; returns
/// whether the host goes on afterwards, as INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub extern "C" fn nonsense() -> i32 {
    let page = before();
    let key = page.write(0, b"key");
    // SAFETY: all ranges are in `page`.
    let answers = unsafe {
        [
            put(1, key, 3, key, 3),
            get(u32::MAX, key, 3, key, 3),
            finish(7, key, 3),
            finish(-1, key, 3),
            release(0),
            rollback_to(-1),
            scan(0, key, 3, key, 100),
            exec(key, 3, key, 100),
            open(key, 3, 1),
        ]
    };
    assert_eq!(answers, [INVALID_ARGUMENT; 9]);
    // SAFETY: as above.
    unsafe { release(savepoint() + 1) }
}

/// Stores `before`, and gives a page of memory to play with.
fn before() -> Page {
    let page = Page::new();
    let key = page.write(0, b"before");
    // SAFETY: the range is in `page`.
    assert_eq!(unsafe { increment(0, key, 6, 1) }, 0);
    page
}
