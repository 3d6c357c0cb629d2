//! Whether a consortium keeps up with what is asked of it. Not how fast it is.

use serde::Serialize;

use crate::capacity::Measured;

/// Share of the requests that may wait at the end before a scenario counts as backlogged.
const WAITING_SHARE: f64 = 0.02;

/// Share of the requests that may be turned away before it counts as overloaded.
const TURNED_AWAY_SHARE: f64 = 0.05;
/// How many times as many requests inside as usual are too many, and how many more are chance.
const PILED_UP: f64 = 2.0;
const CHANCE: f64 = 10.0;

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
    /// What runs say about it.
    pub(super) fn of(runs: &[Measured]) -> Self {
        let sum = |value: fn(&Measured) -> f64| runs.iter().map(value).sum::<f64>();
        let requests = sum(|run| run.requests as f64);
        let waiting = sum(|run| run.waiting as f64);
        let turned_away = sum(|run| run.institutions.iter().map(|it| it.turned_away as f64).sum());
        // Little: as many are inside as come within the time of one. Where more are, they pile up.
        let inside = sum(|run| (run.waiting + run.running) as f64);
        let usual = sum(|run| {
            run.samples.iter().map(|it| it.ended_s - it.asked_s).sum::<f64>() / run.until_s
        });
        let piled_up = inside > PILED_UP * usual + CHANCE * runs.len() as f64;
        if piled_up || turned_away > requests * TURNED_AWAY_SHARE {
            Self::Overloaded
        } else if waiting > requests * WAITING_SHARE || turned_away > 0.0 {
            Self::Backlogged
        } else {
            Self::Stable
        }
    }
}

#[cfg(test)]
mod tests;
