//! `scan`: the entries of a namespace in the order of their keys, one a line.
//!
//! Invariant: all lines are from one state of the store, and one page of text is
//! held at a time. The store is not touched while a page is written, so a reader
//! may take its time.

use std::io::{self, Write};
use std::ops::{Bound, ControlFlow};

use wasm_storage_codec::key::{KeyBuf, successor};
use wasm_storage_engine::{KeyRange, NamespaceId, Order, PageHint, Session, SessionOptions};

use crate::failure::Failure;
use crate::settings::{Scan, Settings};
use crate::{opening, show};

/// A page of text is ended after this, in bytes.
const PAGE_BYTES: usize = 64 * 1024;

/// Runs the command.
pub(crate) fn run(settings: &Settings, scan: &Scan) -> Result<(), Failure> {
    let (store, ns) = opening::to_read(settings)?;
    let mut session = store.begin(SessionOptions::read_only());
    let mut out = io::stdout().lock();
    let mut left = scan.limit;
    let mut after = None;
    while left > 0 {
        let (page, ended) = page(&mut session, ns, scan, after.as_deref(), left);
        // What was read before an error is shown before it.
        out.write_all(&page.text)?;
        ended?;
        match page.last {
            Some(last) => after = Some(last),
            None => break,
        }
        left = left.saturating_sub(page.entries);
    }
    out.flush()?;
    Ok(())
}

/// Some lines.
#[derive(Default)]
struct Page {
    text: Vec<u8>,
    entries: u64,
    /// The last key, if more may follow.
    last: Option<Vec<u8>>,
}

fn page(
    session: &mut Session,
    ns: NamespaceId,
    scan: &Scan,
    after: Option<&[u8]>,
    most: u64,
) -> (Page, Result<(), Failure>) {
    let mut memory = vec![0; scan.prefix.len()];
    let mut end = KeyBuf::new(&mut memory);
    let has_end = successor(&scan.prefix, &mut end);
    let range = KeyRange {
        lo: after.map_or(Bound::Included(&scan.prefix[..]), Bound::Excluded),
        hi: match end.written() {
            Some(end) if has_end => Bound::Excluded(end),
            _ => Bound::Unbounded,
        },
    };
    let hint = PageHint {
        entries: u32::try_from(most).ok(),
        bytes: Some(PAGE_BYTES),
    };
    let mut page = Page::default();
    let scanned = session.scan(ns, &range, Order::Forward, hint, &mut |key, value| {
        line(&mut page.text, scan, key, value);
        page.entries += 1;
        if page.entries >= most || page.text.len() >= PAGE_BYTES {
            page.last = Some(key.to_vec());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    (page, scanned.map_err(Failure::from))
}

fn line(text: &mut Vec<u8>, scan: &Scan, key: &[u8], value: &[u8]) {
    let written = if scan.hex {
        write!(text, "{}", show::Hex(key))
    } else {
        write!(text, "{}", show::Key(key))
    }
    .and_then(|()| match scan.keys_only {
        true => writeln!(text),
        false => writeln!(text, "\t{}", show::Value { key, value }),
    });
    // Writing to a Vec does not fail.
    debug_assert!(written.is_ok());
}
