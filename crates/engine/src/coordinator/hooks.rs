//! Moments of a commit that tests can watch and hold up, so that every
//! interleaving is made on purpose and none by waiting; and the defects that prove
//! that the tests would see them.

use std::time::Instant;

/// A moment in the way of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Moment {
    /// A commit waits in the queue, or is about to lead.
    Enqueued,
    /// A leader has taken its group out of the queue.
    Collected,
    /// Who is in and who has lost is decided; nothing is written.
    Decided,
    /// The engine has the group, durably; nobody can see it.
    Applied,
    /// The snapshot with the group is open; nobody can see it.
    Snapshot,
    /// What the group wrote is known to the conflict check; nobody can see it.
    Recorded,
    /// The group is visible; nobody of it has been told.
    Published,
    /// A member has been told its outcome.
    Told,
    /// A transaction is about to take its snapshot.
    Begin,
    /// A reservation has its place in the order, and may wait for others.
    Reserving,
    /// The store takes no more work, and waits for what is in flight.
    Closing,
}

/// Watches a coordinator.
pub trait Hooks: Send + Sync + 'static {
    /// `moment` has come. Called in the thread that does the work, without any lock:
    /// it may wait.
    fn at(&self, moment: Moment);

    /// The time, for reservations to run out by. Called under a lock: it must not
    /// wait.
    fn now(&self) -> Instant;

    /// A defect to be had on purpose. Without the feature `planted` nobody asks.
    fn defect(&self) -> Option<Defect>;
}

/// Nothing is watched.
#[derive(Clone, Copy, Debug)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn at(&self, _moment: Moment) {}

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn defect(&self) -> Option<Defect> {
        None
    }
}

/// What could be wrong with a commit protocol and would be found seldom: each is
/// caught by a test (feature `planted`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Members of one group are not tested against each other.
    NoTestInsideGroup,
    /// A transaction takes its snapshot first and looks up its number afterwards.
    SnapshotBeforeNumber,
    /// Who lost to a member of its own group is told before that is visible.
    LosersWokenAtOnce,
    /// Scanned ranges are not recorded.
    RangesNotRecorded,
    /// A group is visible before the conflict check knows what it wrote.
    RecordAfterPublished,
    /// Whoever is in a group is told before that is visible.
    ToldBeforePublished,
    /// A transaction older than what is remembered is tested against the rest.
    FloorNotChecked,
    /// A long transaction moves on to a newer snapshot whatever has changed.
    CatchUpUntested,
    /// A reservation holds nobody up.
    NothingReserved,
    /// A reservation holds up whoever has it.
    OwnReservationIgnored,
}
