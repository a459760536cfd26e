//! `cargo xtask test`: runs the stages in order and says at the end how long each took.
//!
//! Invariant: the table is printed whatever happens; the stages after a failed one are not run.

use crate::error::{Error, Result};
use crate::stages::Stage;
use crate::workspace::Workspace;
use clap::ValueEnum;
use std::time::{Duration, Instant};

/// How a stage ended.
#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Ok(Duration),
    Failed(Duration),
    NotRun,
}

/// Runs the chosen stages, or all.
pub(crate) fn run(workspace: &Workspace, chosen: &[Stage]) -> Result<()> {
    let all = Stage::value_variants();
    let stages = all
        .iter()
        .copied()
        .filter(|stage| chosen.is_empty() || chosen.contains(stage));
    let mut table = Vec::new();
    let mut failed = None;
    for stage in stages {
        if failed.is_some() {
            table.push((stage, Outcome::NotRun));
            continue;
        }
        println!("\n== {}", stage.name());
        let started = Instant::now();
        let result = stage.run(workspace);
        let time = started.elapsed();
        table.push((
            stage,
            if result.is_ok() {
                Outcome::Ok(time)
            } else {
                Outcome::Failed(time)
            },
        ));
        if let Err(error) = result {
            eprintln!("{}: {error}", stage.name());
            failed = Some(stage);
        }
    }
    print!("\n{}", shown(&table));
    match failed {
        None => Ok(()),
        Some(stage) => Err(Error::new(format!("stage {} failed", stage.name()))
            .remedy(format!("mend it, then: cargo xtask test {}", stage.name()))),
    }
}

fn shown(table: &[(Stage, Outcome)]) -> String {
    let mut text = format!("{:<10} {:>8}  result\n", "stage", "seconds");
    for (stage, outcome) in table {
        let (time, result) = match outcome {
            Outcome::Ok(time) => (Some(time), "ok"),
            Outcome::Failed(time) => (Some(time), "FAILED"),
            Outcome::NotRun => (None, "not run"),
        };
        let seconds = time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64()));
        text.push_str(&format!("{:<10} {seconds:>8}  {result}\n", stage.name()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Outcome, shown};
    use crate::stages::Stage;
    use clap::ValueEnum;
    use std::time::Duration;

    #[test]
    fn the_table_has_a_line_for_each_stage_also_after_a_failure() {
        let table = [
            (Stage::Fmt, Outcome::Ok(Duration::from_millis(1250))),
            (Stage::Layers, Outcome::Failed(Duration::ZERO)),
            (Stage::Guests, Outcome::NotRun),
        ];
        assert_eq!(
            shown(&table),
            "stage       seconds  result\n\
             fmt             1.2  ok\n\
             layers          0.0  FAILED\n\
             guests               not run\n"
        );
    }

    #[test]
    fn stages_run_in_the_order_of_their_declaration() {
        assert!(Stage::value_variants().is_sorted());
    }
}
