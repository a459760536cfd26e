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
    /// Whether it is; `None`: there is no goal.
    pub(crate) met: Option<bool>,
}

impl Row {
    pub(crate) fn markdown(&self, date: &str) -> String {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
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
        format!("| {id} | {what} | {measured} | {reference} | {ratio} | {goal} | {met} | {date} |")
    }
}

/// The ratio of two medians, and in brackets the middle half of the rounds' ratios.
pub(crate) fn ratio(measured: &Samples, reference: &Samples) -> (f64, String) {
    let ratio = measured.median() / reference.median();
    let rounds = measured.over(reference);
    let text = format!(
        "{} ({}–{})",
        short(ratio),
        short(rounds.quantile(1, 4)),
        short(rounds.quantile(3, 4))
    );
    (ratio, text)
}

fn short(number: f64) -> String {
    if number < 10.0 {
        format!("{number:.2}")
    } else {
        format!("{number:.1}")
    }
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
