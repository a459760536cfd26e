//! How each child is to be killed: a deck with every way in it, shuffled anew when it
//! is used up, so that even few kills are of all kinds.

use std::time::Duration;

use super::disk::{CAN_BE_FULL, ROOMS};
use super::points::{Death, Point};
use super::trouble::{End, Trouble, What};

/// One kill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// On a store that is only just made.
    pub(crate) fresh: bool,
    pub(crate) kill: Kill,
    /// Whether the store is opened and read before the next kill.
    pub(crate) check: bool,
}

/// When.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kill {
    /// So many thousandths of the time that opening takes after it has begun.
    Opening(u32),
    /// So long after the writers have begun.
    Writing(Duration),
    /// The child ends itself.
    At(Death),
    /// A write fails; the child says what each writer heard of it, and ends.
    Failing(Trouble),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Card {
    Writing,
    At(Point),
    Opening,
    Creating,
    Failing(Failure),
}

/// What becomes of the group whose write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Written,
    Unwritten,
    /// Nobody knows: the engine itself fails.
    Real,
}

const DECK: [Card; 12] = [
    Card::Writing,
    Card::Writing,
    Card::At(Point::BeforeApply),
    Card::At(Point::InApply),
    Card::At(Point::AfterApply),
    Card::At(Point::BeforeAcknowledgement),
    Card::Opening,
    Card::Opening,
    Card::Creating,
    Card::Failing(Failure::Written),
    Card::Failing(Failure::Unwritten),
    Card::Failing(Failure::Real),
];

/// Deals plans without end.
#[derive(Debug)]
pub(crate) struct Deck {
    random: fastrand::Rng,
    cards: Vec<Card>,
    /// Whether the engine passes the points in and around apply.
    hooks: bool,
    writers: usize,
}

impl Deck {
    pub(crate) fn new(seed: u64, hooks: bool, writers: usize) -> Self {
        Deck {
            random: fastrand::Rng::with_seed(seed),
            cards: Vec::new(),
            hooks,
            writers,
        }
    }

    pub(crate) fn deal(&mut self) -> Plan {
        let card = self.draw();
        // Opening is most worth a kill where the store was not closed.
        let dirty = self.peek() == Card::Opening || self.random.u8(..4) == 0;
        let kill = self.kill(card);
        let failing = matches!(kill, Kill::Failing(_));
        // A failed write in a store's first opening, now and then.
        let fresh = card == Card::Creating || (failing && self.random.u8(..6) == 0);
        Plan {
            fresh,
            kill,
            check: fresh || failing || !dirty,
        }
    }

    fn kill(&mut self, card: Card) -> Kill {
        match card {
            Card::Writing => Kill::Writing(Duration::from_micros(self.random.u64(..200_000))),
            // A little longer than it takes: the first commits are met, too.
            Card::Opening => Kill::Opening(self.random.u32(..1_200)),
            Card::Creating => match self.random.u8(..6) {
                // The first records, the first namespace, the first commit.
                0 if self.hooks => self.death(Point::BeforeApply, 3),
                1 if self.hooks => self.death(Point::InApply, 3),
                2 if self.hooks => self.death(Point::AfterApply, 3),
                _ => Kill::Opening(self.random.u32(..1_200)),
            },
            Card::At(Point::BeforeAcknowledgement) => self.death(Point::BeforeAcknowledgement, 40),
            Card::At(point) if self.hooks => self.death(point, 40),
            Card::Failing(failure) if self.hooks => self.trouble(failure),
            Card::At(_) | Card::Failing(_) => self.kill(Card::Writing),
        }
    }

    fn trouble(&mut self, failure: Failure) -> Kill {
        let of: &[What] = match failure {
            Failure::Written => &[What::UnknownWritten, What::PanicWritten, What::Unseen],
            Failure::Real if CAN_BE_FULL => &[What::DiskFull, What::DiskFullAWhile],
            Failure::Unwritten | Failure::Real => &[What::UnknownUnwritten, What::Panic],
        };
        let what = self.random.choice(of).copied();
        Kill::Failing(Trouble {
            what: what.unwrap_or(What::Panic),
            // The first group of an opening is the one that announces it.
            after: match self.random.u8(..3) {
                0 => 0,
                _ => self.random.u64(..40),
            },
            crowd: self.random.usize(1..=self.writers),
            room: self.random.u64(..ROOMS),
            end: match self.random.bool() {
                true => End::Close,
                false => End::Abort,
            },
        })
    }

    fn death(&mut self, point: Point, times: u64) -> Kill {
        Kill::At(Death {
            point,
            time: self.random.u64(1..=times),
            delay: match point {
                Point::InApply => Duration::from_micros(self.random.u64(..1_500)),
                _ => Duration::ZERO,
            },
        })
    }

    fn peek(&mut self) -> Card {
        if self.cards.is_empty() {
            self.cards = DECK.to_vec();
            self.random.shuffle(&mut self.cards);
        }
        self.cards.last().copied().unwrap_or(Card::Writing)
    }

    fn draw(&mut self) -> Card {
        let card = self.peek();
        self.cards.pop();
        card
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_kills_are_of_every_kind_and_one_seed_gives_one_order() {
        let deal = |seed| {
            let mut deck = Deck::new(seed, true, 16);
            (0..12).map(|_| deck.deal()).collect::<Vec<_>>()
        };
        for seed in 0..20 {
            let plans = deal(seed);
            let at = |point| move |plan: &&Plan| matches!(plan.kill, Kill::At(death) if death.point == point);
            for point in [Point::BeforeApply, Point::InApply, Point::AfterApply] {
                assert!(plans.iter().any(|plan| at(point)(&plan)), "{point:?}");
            }
            let opening = |plan: &&Plan| matches!(plan.kill, Kill::Opening(_)) && !plan.fresh;
            assert_eq!(plans.iter().filter(opening).count(), 2);
            let made = |plan: &&Plan| plan.fresh && !matches!(plan.kill, Kill::Failing(_));
            assert_eq!(plans.iter().filter(made).count(), 1);
            let failing = |plan: &Plan| match plan.kill {
                Kill::Failing(trouble) => Some(trouble.what),
                _ => None,
            };
            let failing: Vec<What> = plans.iter().filter_map(failing).collect();
            assert_eq!(failing.len(), 3);
            let unwritten = [What::UnknownUnwritten, What::Panic];
            assert!(failing.iter().any(|what| unwritten.contains(what)));
            assert_eq!(failing.iter().any(|what| what.is_real()), CAN_BE_FULL);
            assert_eq!(format!("{plans:?}"), format!("{:?}", deal(seed)));
        }
        assert_ne!(format!("{:?}", deal(1)), format!("{:?}", deal(2)));
    }

    #[test]
    fn an_engine_without_hooks_is_not_told_to_end_itself_there() {
        let mut deck = Deck::new(1, false, 16);
        for _ in 0..200 {
            match deck.deal().kill {
                Kill::At(death) => assert_eq!(death.point, Point::BeforeAcknowledgement),
                Kill::Failing(trouble) => panic!("{trouble}"),
                Kill::Opening(_) | Kill::Writing(_) => {}
            }
        }
    }
}
