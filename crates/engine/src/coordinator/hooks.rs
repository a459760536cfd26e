//! Moments of a commit that tests can watch and hold up, so that every
//! interleaving is made on purpose and none by waiting; and the defects that prove
//! that the tests would see them.

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
    /// The group is visible; nobody has been told.
    Published,
    /// A transaction is about to take its snapshot.
    Begin,
    /// A reservation waits for others.
    Reserving,
}

/// Watches a coordinator. Called in the thread that does the work, without any
/// lock: it may wait.
pub trait Hooks: Send + Sync + 'static {
    /// `moment` has come.
    fn at(&self, moment: Moment);

    /// A defect to be had on purpose. Without the feature `planted` nobody asks.
    fn defect(&self) -> Option<Defect>;
}

/// Nothing is watched.
#[derive(Clone, Copy, Debug)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn at(&self, _moment: Moment) {}

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
}
