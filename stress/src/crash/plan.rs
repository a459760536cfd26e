//! How each child is to be killed: a deck with every way in it, shuffled anew when it
//! is used up, so that even few kills are of all kinds.

use std::time::Duration;

use super::points::{Death, Point};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Card {
    Writing,
    At(Point),
    Opening,
    Creating,
}

const DECK: [Card; 10] = [
    Card::Writing,
    Card::Writing,
    Card::Writing,
    Card::At(Point::BeforeApply),
    Card::At(Point::InApply),
    Card::At(Point::AfterApply),
    Card::At(Point::BeforeAcknowledgement),
    Card::Opening,
    Card::Opening,
    Card::Creating,
];

/// Deals plans without end.
#[derive(Debug)]
pub(crate) struct Deck {
    random: fastrand::Rng,
    cards: Vec<Card>,
    /// Whether the engine passes the points in and around apply.
    hooks: bool,
}

impl Deck {
    pub(crate) fn new(seed: u64, hooks: bool) -> Self {
        Deck {
            random: fastrand::Rng::with_seed(seed),
            cards: Vec::new(),
            hooks,
        }
    }

    pub(crate) fn deal(&mut self) -> Plan {
        let card = self.draw();
        // Opening is most worth a kill where the store was not closed.
        let dirty = self.peek() == Card::Opening || self.random.u8(..4) == 0;
        Plan {
            fresh: card == Card::Creating,
            kill: self.kill(card),
            check: card == Card::Creating || !dirty,
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
            Card::At(_) => self.kill(Card::Writing),
        }
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
    fn ten_kills_are_of_every_kind_and_one_seed_gives_one_order() {
        let deal = |seed| {
            let mut deck = Deck::new(seed, true);
            (0..10).map(|_| deck.deal()).collect::<Vec<_>>()
        };
        for seed in 0..20 {
            let plans = deal(seed);
            let at = |point| move |plan: &&Plan| matches!(plan.kill, Kill::At(death) if death.point == point);
            for point in [Point::BeforeApply, Point::InApply, Point::AfterApply] {
                assert!(plans.iter().any(|plan| at(point)(&plan)), "{point:?}");
            }
            assert_eq!(plans.iter().filter(|plan| plan.fresh).count(), 1);
            assert_eq!(format!("{plans:?}"), format!("{:?}", deal(seed)));
        }
        assert_ne!(format!("{:?}", deal(1)), format!("{:?}", deal(2)));
    }

    #[test]
    fn an_engine_without_hooks_is_not_told_to_end_itself_there() {
        let mut deck = Deck::new(1, false);
        for _ in 0..200 {
            if let Kill::At(death) = deck.deal().kill {
                assert_eq!(death.point, Point::BeforeAcknowledgement);
            }
        }
    }
}
