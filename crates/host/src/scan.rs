//! `scan`: from the guest's spec to one page. The wire forms are the codec's,
//! the merge with own writes is the session's.
//!
//! A page holds whole entries, as many as fit into the guest's buffer and 1 MiB,
//! and at least one if there is one. `more` says that the page stopped early; it
//! is set without looking further, so the next page may be empty.

use std::ops::{Bound, ControlFlow};

use wasm_storage_abi::wire::scan as flag;
use wasm_storage_abi::{Kind, limits};
use wasm_storage_codec::scan::{PageWriter, ScanSpec};
use wasm_storage_engine::{Error, KeyRange, NamespaceId, OpError, Order, PageHint, Session};

/// Fills `reply` with the page, or the count, that `spec` asks for.
pub(crate) fn page(
    session: &mut Session,
    ns: NamespaceId,
    spec: &[u8],
    cap: usize,
    reply: &mut Vec<u8>,
) -> Result<(), OpError> {
    let spec = ScanSpec::parse(spec)
        .map_err(|error| Error::with_source(Kind::InvalidArgument, "scan", error))?;
    let order = if spec.has(flag::REVERSE) {
        Order::Reverse
    } else {
        Order::Forward
    };
    let range = range(&spec, order);
    let limit = (spec.limit > 0).then_some(spec.limit);
    if spec.has(flag::COUNT_ONLY) {
        return count(session, ns, &range, order, limit, reply);
    }

    let cap = cap.min(limits::PAGE_BYTES);
    let hint = PageHint {
        entries: limit,
        bytes: Some(cap),
    };
    let keys_only = spec.has(flag::KEYS_ONLY);
    let mut page = PageWriter::new(reply);
    let mut more = false;
    session.scan(ns, &range, order, hint, &mut |key, value| {
        let value = if keys_only { &[] } else { value };
        if !page.is_empty() && !page.fits(key.len(), value.len(), cap) {
            more = true;
            return ControlFlow::Break(());
        }
        page.push(key, value);
        if limit.is_some_and(|limit| page.count() >= limit) {
            more = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    page.finish(more);
    Ok(())
}

fn count(
    session: &mut Session,
    ns: NamespaceId,
    range: &KeyRange<'_>,
    order: Order,
    limit: Option<u32>,
    reply: &mut Vec<u8>,
) -> Result<(), OpError> {
    let most = limit.map_or(u64::MAX, u64::from);
    let mut entries = 0;
    session.scan(ns, range, order, PageHint::default(), &mut |_, _| {
        entries += 1;
        if entries >= most {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    reply.clear();
    reply.extend_from_slice(&entries.to_le_bytes());
    Ok(())
}

/// The range of a spec, with `after` as its beginning where that is further.
fn range<'a>(spec: &ScanSpec<'a>, order: Order) -> KeyRange<'a> {
    let mut lo = match (spec.has(flag::HAS_LO), spec.has(flag::LO_OPEN)) {
        (false, _) => Bound::Unbounded,
        (true, false) => Bound::Included(spec.lo),
        (true, true) => Bound::Excluded(spec.lo),
    };
    let mut hi = match (spec.has(flag::HAS_HI), spec.has(flag::HI_INCL)) {
        (false, _) => Bound::Unbounded,
        (true, true) => Bound::Included(spec.hi),
        (true, false) => Bound::Excluded(spec.hi),
    };
    if spec.has(flag::HAS_AFTER) {
        let further = match (order, lo, hi) {
            (Order::Forward, Bound::Included(lo) | Bound::Excluded(lo), _) => spec.after >= lo,
            (Order::Reverse, _, Bound::Included(hi) | Bound::Excluded(hi)) => spec.after <= hi,
            _ => true,
        };
        match order {
            Order::Forward if further => lo = Bound::Excluded(spec.after),
            Order::Reverse if further => hi = Bound::Excluded(spec.after),
            _ => {}
        }
    }
    KeyRange { lo, hi }
}
