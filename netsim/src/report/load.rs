//! Whether a consortium keeps up with what is asked of it. Not how fast it is.

use serde::Serialize;

use crate::capacity::{Measured, SLICES};

/// Share of the requests that may wait at the end before a scenario counts as backlogged.
const WAITING_SHARE: f64 = 0.02;

/// Share of the requests that may be turned away before it counts as overloaded.
const TURNED_AWAY_SHARE: f64 = 0.05;
/// How many times as many requests inside as usual are too many, and how many more are chance.
const PILED_UP: f64 = 2.0;
const CHANCE: f64 = 10.0;
/// The last part of a run, in which no more may come than is answered.
const LAST_PART: f64 = 0.25;
/// Share of what comes then that may be left over, and how many standard deviations of a count are
/// chance.
const LEFT_SHARE: f64 = 0.05;
const DEVIATIONS: f64 = 3.0;

/// Whether the consortium keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// It does.
    Stable,
    /// Requests wait at the end, or were turned away for want of room.
    Backlogged,
    /// More comes than is answered: figures of times depend on how long was simulated.
    Overloaded,
}

impl Load {
    /// What runs say about it, without their first seconds.
    #[must_use]
    pub fn of(runs: &[Measured], warm_up_s: f64) -> Self {
        let sum = |value: fn(&Measured) -> f64| runs.iter().map(value).sum::<f64>();
        let requests = sum(|run| run.requests as f64);
        let waiting = sum(|run| run.waiting as f64);
        let turned_away = sum(|run| run.institutions.iter().map(|it| it.turned_away as f64).sum());
        // Little: as many are inside as come within the time of one. Where more are, they piled up.
        let inside = sum(|run| (run.waiting + run.running) as f64);
        let usual = sum(|run| {
            run.samples.iter().map(|it| it.ended_s - it.asked_s).sum::<f64>() / run.until_s
        });
        let piled_up = inside > PILED_UP * usual + CHANCE * runs.len() as f64;
        if piled_up && falls_behind(runs, warm_up_s) || turned_away > requests * TURNED_AWAY_SHARE {
            Self::Overloaded
        } else if waiting > requests * WAITING_SHARE || turned_away > 0.0 {
            Self::Backlogged
        } else {
            Self::Stable
        }
    }
}

impl Load {
    /// The word for it in a table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "yes",
            Self::Backlogged => "BACKLOGGED",
            Self::Overloaded => "OVERLOADED",
        }
    }
}

/// Whether more came in the last part of the runs than ended in it. Where ever more is asked, as in
/// the morning, more are inside than on the average of the run, but about as many end as come.
fn falls_behind(runs: &[Measured], warm_up_s: f64) -> bool {
    let last = |run: &Measured| -> (u64, u64) {
        let first = run.slice_from(run.until_s - (run.until_s - warm_up_s) * LAST_PART);
        let of = |counts: &[u64]| counts[first.min(SLICES - 1)..].iter().sum();
        (of(&run.series.asked), of(&run.series.ended))
    };
    let (asked, ended) = runs.iter().map(last).fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    let (asked, ended) = (asked as f64, ended as f64);
    asked - ended > (asked * LEFT_SHARE).max(DEVIATIONS * asked.sqrt())
}

#[cfg(test)]
mod tests;
