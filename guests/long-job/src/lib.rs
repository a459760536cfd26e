//! A long job that commits in parts: shows that the parts of a call stay whatever
//! becomes of the rest, and that the next call goes on where the last was stopped.
//!
//! Each entry under `done` is made once, by the part that it belongs to; its value
//! counts how often that happened. `next` is where the job is: it is read and
//! written in each part, together with the part's entries.

use rust_storage_interface_library::{self as storage, Item, Map, Result};

static NEXT: Item<u32> = Item::new("next");
static DONE: Map<u32, u32> = Map::new("done");
static BULK: Map<u32, Vec<u8>> = Map::new("bulk");

/// Entries of a part.
const PART: u32 = 100;

/// Does the parts of the job that are left, of `parts`; how many it did.
#[unsafe(no_mangle)]
pub extern "C" fn work(parts: u32) -> u32 {
    work_with(parts, |_| ())
}

/// [`work`], but traps in the middle of part `stop`, counted from 0.
#[unsafe(no_mangle)]
pub extern "C" fn work_then_trap(parts: u32, stop: u32) -> u32 {
    work_with(parts, |part| {
        if part == stop {
            core::arch::wasm32::unreachable()
        }
    })
}

/// [`work`], but never comes through part `stop`.
#[unsafe(no_mangle)]
pub extern "C" fn work_then_spin(parts: u32, stop: u32) -> u32 {
    work_with(parts, |part| {
        if part == stop {
            loop {
                core::hint::spin_loop();
            }
        }
    })
}

/// [`work`], but reports an error in the middle of part `stop`.
#[unsafe(no_mangle)]
pub extern "C" fn work_then_fail(parts: u32, stop: u32) -> i32 {
    work_with(parts, |part| {
        if part == stop {
            storage::fail("out of stock");
        }
    });
    1
}

/// Stores values of `bytes` bytes, one in a part, until the store takes no more.
#[unsafe(no_mangle)]
pub extern "C" fn fill(bytes: u32) {
    let value = vec![7; bytes as usize];
    loop {
        let stored: Result<()> = storage::part(|| {
            let next = NEXT.get()?.unwrap_or(0);
            BULK.put(next, &value)?;
            NEXT.put(&(next + 1))
        });
        stored.unwrap_or_else(|error| error.end());
    }
}

fn work_with(parts: u32, in_the_middle: impl Fn(u32)) -> u32 {
    let mut did = 0;
    loop {
        let more: Result<bool> = storage::part(|| {
            // Inside: what was read before may have changed when the part runs again.
            let part = NEXT.get()?.unwrap_or(0);
            if part >= parts {
                return Ok(false);
            }
            for entry in part * PART..(part + 1) * PART {
                if entry % PART == PART / 2 {
                    in_the_middle(part);
                }
                DONE.update(entry, |times| times.unwrap_or(0) + 1)?;
            }
            NEXT.put(&(part + 1))?;
            Ok(true)
        });
        match more {
            Ok(true) => did += 1,
            Ok(false) => return did,
            Err(error) => error.end(),
        }
    }
}
