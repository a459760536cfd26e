//! Rows of the table, as Markdown.

use crate::harness::Samples;

/// One line of docs/performance.md.
#[derive(Debug)]
pub(crate) struct Row {
    /// The goal's number.
    pub(crate) id: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// The result, with its unit.
    pub(crate) measured: String,
    /// What was measured beside it, with its result.
    pub(crate) reference: String,
    /// How the two compare.
    pub(crate) ratio: String,
    /// What it should be.
    pub(crate) goal: String,
    /// Whether it is.
    pub(crate) met: Verdict,
}

/// Whether a goal is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    NoGoal,
    Met,
    Missed,
    /// The goal lies within the middle half of the rounds: the machine was too busy,
    /// or it is too close to say.
    Unclear,
}

impl Verdict {
    pub(crate) fn of(met: bool) -> Self {
        if met { Verdict::Met } else { Verdict::Missed }
    }

    /// Both goals of a row.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Verdict::Missed, _) | (_, Verdict::Missed) => Verdict::Missed,
            (Verdict::Unclear, _) | (_, Verdict::Unclear) => Verdict::Unclear,
            (Verdict::Met, Verdict::Met) => Verdict::Met,
            (Verdict::NoGoal, goal) | (goal, Verdict::NoGoal) => goal,
        }
    }
}

impl Row {
    /// `on`: the day, and how busy the machine was.
    pub(crate) fn markdown(&self, on: &str) -> String {
        let met = match self.met {
            Verdict::NoGoal => "",
            Verdict::Met => "yes",
            Verdict::Missed => "**no**",
            Verdict::Unclear => "unclear",
        };
        let Row {
            id,
            what,
            measured,
            reference,
            ratio,
            goal,
            ..
        } = self;
        format!("| {id} | {what} | {measured} | {reference} | {ratio} | {goal} | {met} | {on} |")
    }
}

/// What was measured over what was measured beside it.
#[derive(Debug)]
pub(crate) struct Ratio {
    of_medians: f64,
    /// The middle half of the ratios of single rounds.
    low: f64,
    high: f64,
}

impl Ratio {
    pub(crate) fn new(measured: &Samples, reference: &Samples) -> Self {
        let rounds = measured.over(reference);
        Ratio {
            of_medians: measured.median() / reference.median(),
            low: rounds.quantile(1, 4),
            high: rounds.quantile(3, 4),
        }
    }

    /// Whether it is at most `goal`.
    pub(crate) fn at_most(&self, goal: f64) -> Verdict {
        if self.low <= goal && goal < self.high {
            return Verdict::Unclear;
        }
        Verdict::of(self.of_medians <= goal)
    }

    /// Whether it is at least `goal`.
    pub(crate) fn at_least(&self, goal: f64) -> Verdict {
        if self.low < goal && goal <= self.high {
            return Verdict::Unclear;
        }
        Verdict::of(self.of_medians >= goal)
    }
}

/// The ratio of the medians, and in brackets the middle half of the rounds.
impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [ratio, low, high] = [self.of_medians, self.low, self.high].map(short);
        write!(f, "{ratio} ({low}–{high})")
    }
}

fn short(number: f64) -> String {
    if number < 10.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.1}")
    }
}

/// What is done in a second, from the seconds that one takes.
pub(crate) fn rate(seconds: f64) -> String {
    format!("{:.0}/s", seconds.recip())
}

/// Seconds, in the unit that suits them.
pub(crate) fn time(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "us"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    match number {
        n if n < 10.0 => format!("{n:.2} {unit}"),
        n if n < 100.0 => format!("{n:.1} {unit}"),
        n => format!("{n:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Ratio, Verdict};

    #[test]
    fn a_goal_within_the_middle_half_is_unclear() {
        let ratio = Ratio {
            of_medians: 1.0,
            low: 0.9,
            high: 1.2,
        };
        assert_eq!(ratio.at_most(1.2), Verdict::Met);
        assert_eq!(ratio.at_most(1.1), Verdict::Unclear);
        assert_eq!(ratio.at_most(0.9), Verdict::Unclear);
        assert_eq!(ratio.at_most(0.8), Verdict::Missed);
        assert_eq!(ratio.at_least(0.9), Verdict::Met);
        assert_eq!(ratio.at_least(1.1), Verdict::Unclear);
        assert_eq!(ratio.at_least(1.3), Verdict::Missed);
        assert_eq!(Verdict::Unclear.and(Verdict::Met), Verdict::Unclear);
        assert_eq!(Verdict::Unclear.and(Verdict::Missed), Verdict::Missed);
    }
}
