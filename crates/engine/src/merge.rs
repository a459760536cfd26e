//! A scan as a session shows it: stored entries and own writes, merged into one
//! ordered sequence. An own write hides the stored entry under the same key, or is
//! added to it.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::time::Instant;

use wasm_storage_codec::record;

use crate::backend::{Order, Visit, Write};
use crate::error::Error;
use crate::layout;

/// A scan looks at the clock after this many entries.
const ENTRIES_PER_LOOK: usize = 1024;

type Writes<'a> = Box<dyn DoubleEndedIterator<Item = (&'a [u8], &'a Write)> + 'a>;

/// Shows one sequence to a visitor.
pub(crate) struct Merge<'a, 'v> {
    own: OwnWrites<'a>,
    order: Order,
    visit: &'a mut Visit<'v>,
    deadline: Option<Instant>,
    /// Entries so far, hidden ones included.
    looked_at: usize,
    /// Nothing more is shown: the visitor broke off, or what `end` says.
    ended: bool,
    end: ScanEnd,
}

/// How a merged scan came to its end.
pub(crate) enum ScanEnd {
    /// All was shown, or the visitor broke off.
    Done,
    /// The deadline passed.
    Overdue,
    /// A stored entry cannot be read.
    Bad(Error),
    /// An own addition cannot be made to the stored entry.
    Unmergeable(Error),
}

impl<'a, 'v> Merge<'a, 'v> {
    /// Of the own writes of a range, ascending.
    pub(crate) fn new(
        own: Writes<'a>,
        order: Order,
        visit: &'a mut Visit<'v>,
        deadline: Option<Instant>,
    ) -> Self {
        Merge {
            own: OwnWrites::new(own, order),
            order,
            visit,
            deadline,
            looked_at: 0,
            ended: false,
            end: ScanEnd::Done,
        }
    }

    /// The store shows an entry: own writes before it come first.
    pub(crate) fn stored(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.look_at_the_clock()?;
        while let Some((own, write)) = self.own.next {
            let before = match self.order {
                Order::Forward => own.cmp(key),
                Order::Reverse => key.cmp(own),
            };
            if before == Ordering::Greater {
                break;
            }
            self.own.advance();
            if before == Ordering::Equal {
                return self.show_own(own, write, Some(value));
            }
            self.show_own(own, write, None)?;
        }
        self.show(key, value)
    }

    /// The store has no more: the own writes that are left.
    pub(crate) fn rest(&mut self) {
        while !self.ended
            && let Some((key, write)) = self.own.next
        {
            self.own.advance();
            if self.show_own(key, write, None).is_break() {
                return;
            }
        }
    }

    /// How it ended.
    pub(crate) fn end(self) -> ScanEnd {
        self.end
    }

    /// An own write, over what the store holds under its key.
    fn show_own(&mut self, key: &[u8], write: &Write, stored: Option<&[u8]>) -> ControlFlow<()> {
        self.look_at_the_clock()?;
        match write {
            Write::Put(value) => self.show(key, value),
            Write::Delete => ControlFlow::Continue(()),
            Write::Add(delta) => {
                let stored = stored.map(layout::guest_value).transpose();
                match stored.and_then(|entry| layout::add(entry, *delta, key)) {
                    Ok(sum) => self.hand_out(key, &record::i64_entry(sum)),
                    Err(error) => self.break_off(ScanEnd::Unmergeable(error)),
                }
            }
        }
    }

    fn look_at_the_clock(&mut self) -> ControlFlow<()> {
        self.looked_at += 1;
        let overdue = || self.deadline.is_some_and(|at| Instant::now() >= at);
        if self.looked_at.is_multiple_of(ENTRIES_PER_LOOK) && overdue() {
            return self.break_off(ScanEnd::Overdue);
        }
        ControlFlow::Continue(())
    }

    fn show(&mut self, key: &[u8], physical: &[u8]) -> ControlFlow<()> {
        match layout::guest_value(physical) {
            Ok(value) => self.hand_out(key, value),
            Err(error) => self.break_off(ScanEnd::Bad(error.of_key(key))),
        }
    }

    fn hand_out(&mut self, key: &[u8], value: &[u8]) -> ControlFlow<()> {
        let flow = (self.visit)(key, value);
        self.ended |= flow.is_break();
        flow
    }

    fn break_off(&mut self, end: ScanEnd) -> ControlFlow<()> {
        self.end = end;
        self.ended = true;
        ControlFlow::Break(())
    }
}

/// A session's own writes of a range, in scan order.
struct OwnWrites<'a> {
    writes: Writes<'a>,
    order: Order,
    next: Option<(&'a [u8], &'a Write)>,
}

impl<'a> OwnWrites<'a> {
    fn new(writes: Writes<'a>, order: Order) -> Self {
        let mut own = OwnWrites {
            writes,
            order,
            next: None,
        };
        own.advance();
        own
    }

    fn advance(&mut self) {
        self.next = match self.order {
            Order::Forward => self.writes.next(),
            Order::Reverse => self.writes.next_back(),
        };
    }
}
