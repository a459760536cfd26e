//! Who waits to be committed, who leads, and what is reserved.
//!
//! There is no thread of the store's own: whoever finds no leader becomes one,
//! commits one group, its own transaction in it or not, and hands on to the next
//! that waits. Alone there is nobody to hand anything to, and no thread is woken.
//! (The scheme of LevelDB's writers queue, `DBImpl::Write`.)
//!
//! Invariants: one leader at a time. A member leaves the queue once, in the group
//! of one leader, and is settled once. A member with a reservation that is in force
//! has nobody else's before it in the queue when it enters; so members never wait
//! for each other in a circle.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use wasm_storage_abi::{Kind, limits};

use super::hooks::Hooks;
use super::read_set::ReadSet;
use crate::backend::{CommitId, NamespaceId, Outcome, OwnedKey, Why, Write};
use crate::error::Error;

/// Who waits looks again after this time, whatever it was promised: reservations
/// run out without anybody saying so.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A transaction that wants to commit.
#[derive(Debug)]
pub(super) struct Member {
    /// What it has read, tidy.
    pub(super) reads: ReadSet,
    /// Its reads are tested up to this group.
    pub(super) tested: u64,
    /// Its writes, keys ascending, each once, with the hash of each key.
    pub(super) writes: Vec<(OwnedKey, Write)>,
    pub(super) hashes: Vec<u64>,
    /// Keys and values together.
    pub(super) bytes: usize,
    /// Namespaces it writes.
    pub(super) namespaces: Vec<NamespaceId>,
    /// Its own reservation.
    pub(super) reservation: Option<Ticket>,
    pub(super) waiter: Waiter,
}

impl Member {
    /// Whether it reads or writes this namespace.
    pub(super) fn uses(&self, ns: NamespaceId) -> bool {
        self.namespaces.contains(&ns) || self.reads.namespaces().any(|read| read == ns)
    }
}

/// A thread that waits for its turn.
#[derive(Debug)]
pub(super) struct Waiter {
    thread: Thread,
    turn: Mutex<Turn>,
}

#[derive(Debug, Default)]
enum Turn {
    #[default]
    Waiting,
    /// It leads the next group.
    Leading,
    Settled(Outcome),
    /// The outcome has been taken.
    Gone,
}

/// What a member's thread has to do next.
pub(super) enum Next {
    Lead,
    Return(Outcome),
}

impl Waiter {
    /// For the present thread.
    pub(super) fn new() -> Self {
        Waiter {
            thread: thread::current(),
            turn: Mutex::default(),
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the member's thread the outcome. The first one counts.
    pub(super) fn settle(&self, outcome: Outcome) {
        let mut turn = self.turn();
        if matches!(*turn, Turn::Waiting | Turn::Leading) {
            *turn = Turn::Settled(outcome);
            drop(turn);
            self.thread.unpark();
        }
    }

    fn promote(&self) {
        *self.turn() = Turn::Leading;
        self.thread.unpark();
    }
}

/// Names a reservation; later ones have higher numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

#[derive(Debug)]
struct Reservation {
    ticket: Ticket,
    namespaces: Vec<NamespaceId>,
    /// Set once nobody before it has any of its namespaces.
    active: Option<Active>,
    thread: Thread,
}

/// A reservation that holds others up.
#[derive(Clone, Copy, Debug)]
struct Active {
    /// Since when its attempt can run. Its time counts from then: a slow group before
    /// it must not use that up.
    granted: Option<Instant>,
    /// The last group before it.
    group: u64,
    /// Groups taken out of the queue before it; they may have passed it by.
    collected: u64,
}

impl Reservation {
    fn is_over(&self, now: Now<'_>) -> bool {
        let limit = Duration::from_millis(limits::RESERVATION_MS);
        self.active
            .and_then(|active| active.granted)
            .is_some_and(|since| now().saturating_duration_since(since) >= limit)
    }

    fn overlaps(&self, namespaces: &[NamespaceId]) -> bool {
        self.namespaces.iter().any(|ns| namespaces.contains(ns))
    }
}

/// The clock that reservations run out by; asked only where there is one.
type Now<'a> = &'a dyn Fn() -> Instant;

/// Why the store takes no writes until it is reopened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Poison {
    /// This commit's outcome is unknown.
    Unknown(CommitId),
    /// This commit happened, but no snapshot of it could be had.
    Unseen(CommitId),
}

impl Poison {
    pub(super) fn error(self) -> Error {
        let why = match self {
            Poison::Unknown(id) => format!("the outcome of commit {id} is unknown"),
            Poison::Unseen(id) => format!("commit {id} happened but cannot be read"),
        };
        Error::new(
            Kind::Unavailable,
            format!("the store takes no writes until it is reopened: {why}"),
        )
    }
}

/// A group as its leader takes it out of the queue.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) members: Vec<Arc<Member>>,
    /// Records after this group are still needed by a reservation.
    pub(super) keep: u64,
}

pub(super) struct Queue {
    state: Mutex<State>,
    /// Somebody has stopped leading.
    idle: Condvar,
    hooks: Arc<dyn Hooks>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Member>>,
    leading: bool,
    /// Set by `refuse`, for good.
    closed: bool,
    /// Set by a group that did not come to its end, for good.
    poison: Option<Poison>,
    reservations: Vec<Reservation>,
    last_ticket: u64,
    /// Groups taken out of the queue, and groups that came to their end.
    collected: u64,
    served: u64,
}

pub(super) fn closed() -> Error {
    Error::new(Kind::Unavailable, "the store is closed")
}

impl State {
    fn writable(&self) -> Result<(), Error> {
        match (self.closed, self.poison) {
            (true, _) => Err(closed()),
            (false, Some(poison)) => Err(poison.error()),
            (false, None) => Ok(()),
        }
    }

    /// Whether somebody else has reserved what this member writes.
    fn is_blocked(&self, member: &Member, now: Now<'_>) -> bool {
        self.reservations.iter().any(|reservation| {
            reservation.active.is_some()
                && member.reservation != Some(reservation.ticket)
                && reservation.overlaps(&member.namespaces)
                && !reservation.is_over(now)
        })
    }

    /// Whether this member has reserved something, so that others may wait for it.
    fn holds_up(&self, member: &Member, now: Now<'_>) -> bool {
        self.reservations.iter().any(|reservation| {
            member.reservation == Some(reservation.ticket) && !reservation.is_over(now)
        })
    }

    /// Hands the lead to the first that may be committed; nobody leads before.
    fn hand_on(&mut self, now: Now<'_>) {
        let mut waiting = self.waiting.iter();
        let next = waiting.find(|member| !self.is_blocked(member, now));
        self.leading = next.is_some();
        if let Some(member) = next {
            member.waiter.promote();
        }
    }

    fn group_served(&mut self) {
        self.served += 1;
        for reservation in &self.reservations {
            if reservation
                .active
                .is_some_and(|active| active.collected == self.served)
            {
                reservation.thread.unpark();
            }
        }
    }

    /// Lets those look again whose reservation may have come to its turn.
    fn wake_reservations(&self) {
        let mut before: Vec<NamespaceId> = Vec::new();
        for reservation in &self.reservations {
            if reservation.active.is_none() && !reservation.overlaps(&before) {
                reservation.thread.unpark();
            }
            before.extend(&reservation.namespaces);
        }
    }
}

impl Queue {
    pub(super) fn new(hooks: Arc<dyn Hooks>) -> Self {
        Queue {
            state: Mutex::default(),
            idle: Condvar::new(),
            hooks,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics; what is behind it is always consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `Unavailable` once the store takes no more writes.
    pub(super) fn writable(&self) -> Result<(), Error> {
        self.state().writable()
    }

    pub(super) fn poison(&self) -> Option<Poison> {
        self.state().poison
    }

    /// Puts a member into the queue; true: it leads.
    ///
    /// One that holds others up by a reservation of its own does not wait here for
    /// another reservation: the two could wait for each other. It has lost, for it
    /// touches more than it has reserved.
    pub(super) fn enter(&self, member: &Arc<Member>) -> Result<bool, Outcome> {
        let now = &|| self.hooks.now();
        let mut state = self.state();
        state.writable().map_err(Outcome::Rejected)?;
        if state.holds_up(member, now) && state.is_blocked(member, now) {
            let text = "this call writes to what another call has reserved";
            let error = Error::new(Kind::Conflict, text);
            return Err(Outcome::Conflict(Why::Beaten(error)));
        }
        state.waiting.push_back(Arc::clone(member));
        let leads = !state.leading && !state.is_blocked(member, now);
        state.leading |= leads;
        Ok(leads)
    }

    /// Waits until a member is settled or leads.
    pub(super) fn wait(&self, member: &Member) -> Next {
        loop {
            {
                let mut turn = member.waiter.turn();
                match std::mem::replace(&mut *turn, Turn::Gone) {
                    Turn::Settled(outcome) => return Next::Return(outcome),
                    before @ (Turn::Waiting | Turn::Gone) => *turn = before,
                    Turn::Leading => {
                        *turn = Turn::Waiting;
                        return Next::Lead;
                    }
                }
            }
            let parked = Instant::now();
            thread::park_timeout(LOOK_AGAIN);
            if parked.elapsed() < LOOK_AGAIN {
                continue;
            }
            // A reservation that held everybody up may have run out.
            let now = &|| self.hooks.now();
            let mut state = self.state();
            if !state.leading {
                state.hand_on(now);
            }
        }
    }

    /// Takes the next group out of the queue, in the order of its entering, without
    /// those that somebody else's reservation holds up. The caller leads.
    pub(super) fn collect(&self, most_bytes: usize) -> Group {
        let now = &|| self.hooks.now();
        let mut state = self.state();
        state.collected += 1;
        let mut members: Vec<Arc<Member>> = Vec::new();
        let mut bytes = 0;
        let mut held_up = VecDeque::new();
        while members.len() < limits::GROUP_COMMITS
            && let Some(member) = state.waiting.pop_front()
        {
            if state.is_blocked(&member, now) {
                held_up.push_back(member);
                continue;
            }
            bytes += member.bytes;
            if bytes > most_bytes && !members.is_empty() {
                state.waiting.push_front(member);
                break;
            }
            members.push(member);
        }
        held_up.append(&mut state.waiting);
        state.waiting = held_up;
        // One whose time is over can lose anyway.
        let reservations = state.reservations.iter().filter(|r| !r.is_over(now));
        let active = reservations.filter_map(|reservation| reservation.active);
        let keep = active.map(|active| active.group).min();
        Group {
            members,
            keep: keep.unwrap_or(u64::MAX),
        }
    }

    /// The leader's group is served: the next leads, if somebody waits.
    pub(super) fn hand_on(&self) {
        let now = &|| self.hooks.now();
        let mut state = self.state();
        state.group_served();
        state.hand_on(now);
        // Waking nobody is a system call, too.
        if state.closed && !state.leading {
            self.idle.notify_all();
        }
    }

    /// The leader's group did not come to its end: everybody who waits is turned
    /// away, and nobody leads any more.
    pub(super) fn poison_with(&self, poison: Poison) {
        let mut state = self.state();
        state.poison = Some(poison);
        state.leading = false;
        let waiting = std::mem::take(&mut state.waiting);
        state.group_served();
        for reservation in &state.reservations {
            reservation.thread.unpark();
        }
        self.idle.notify_all();
        drop(state);
        for member in waiting {
            member.waiter.settle(Outcome::Rejected(poison.error()));
        }
    }

    /// Refuses new members, for good.
    pub(super) fn refuse(&self) {
        self.state().closed = true;
    }

    /// Waits until the last member is served.
    pub(super) fn wait_until_idle(&self) {
        let mut state = self.state();
        while state.leading || !state.waiting.is_empty() {
            state = match self.idle.wait_timeout(state, LOOK_AGAIN) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// Keeps others from writing to some namespaces; given back by drop.
pub(super) struct Reserved {
    queue: Arc<Queue>,
    pub(super) ticket: Ticket,
}

impl Queue {
    /// Gives a reservation of these namespaces its place in the order; it is in force
    /// from here on if none before it shares one of them. `published`: a group that is.
    pub(super) fn reserve(
        self: &Arc<Self>,
        namespaces: &[NamespaceId],
        published: u64,
    ) -> Reserved {
        let now = &|| self.hooks.now();
        let mut state = self.state();
        let ticket = state.new_reservation(namespaces);
        state.advance_reservation(ticket, published, now);
        drop(state);
        Reserved {
            queue: Arc::clone(self),
            ticket,
        }
    }

    /// Waits for the reservations before this one that share a namespace with it, and
    /// then until every group that could have passed it by is served. A snapshot
    /// taken from then on has all that is written there.
    ///
    /// All at once and in the order of tickets, so no two wait for each other here.
    /// False: the deadline has passed.
    pub(super) fn wait_for_turn(
        &self,
        reserved: &Reserved,
        deadline: Option<Instant>,
        published: impl Fn() -> u64,
    ) -> Result<bool, Error> {
        loop {
            let group = published();
            let now = &|| self.hooks.now();
            {
                let mut state = self.state();
                state.writable()?;
                if state.advance_reservation(reserved.ticket, group, now) {
                    return Ok(true);
                }
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
            thread::park_timeout(left.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
        }
    }
}

impl State {
    fn new_reservation(&mut self, namespaces: &[NamespaceId]) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.reservations.push(Reservation {
            ticket,
            namespaces: namespaces.to_vec(),
            active: None,
            thread: thread::current(),
        });
        ticket
    }

    /// Activates a reservation if it is its turn; true: every group that passed it
    /// by is served.
    fn advance_reservation(&mut self, ticket: Ticket, group: u64, now: Now<'_>) -> bool {
        let (collected, served) = (self.collected, self.served);
        let at = self
            .reservations
            .partition_point(|other| other.ticket < ticket);
        let Some((own, before)) = self
            .reservations
            .get_mut(..=at)
            .and_then(<[Reservation]>::split_last_mut)
        else {
            return false;
        };
        let held_up = before
            .iter()
            .any(|other| other.overlaps(&own.namespaces) && !other.is_over(now));
        if held_up {
            return false;
        }
        let active = own.active.get_or_insert(Active {
            granted: None,
            group,
            collected,
        });
        if active.collected > served {
            return false;
        }
        active.granted.get_or_insert_with(now);
        true
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let now = &|| self.queue.hooks.now();
        let mut state = self.queue.state();
        state
            .reservations
            .retain(|other| other.ticket != self.ticket);
        state.wake_reservations();
        if !state.leading {
            state.hand_on(now);
        }
    }
}
