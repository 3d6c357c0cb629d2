//! Whether a consortium keeps up with what is asked of it. Not how fast it is.

use serde::Serialize;

use crate::capacity::Measured;

/// Share of the requests that may wait at the end before a scenario counts as backlogged.
const WAITING_SHARE: f64 = 0.02;

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
        let sum = |value: fn(&Measured) -> u64| runs.iter().map(value).sum::<u64>() as f64;
        let (requests, waiting) = (sum(|run| run.requests), sum(|run| run.waiting));
        let turned_away =
            sum(|run| run.institutions.iter().map(|institution| institution.turned_away).sum());
        // Arrivals of the second half that are not answered in it pile up.
        let late = |run: &Measured| {
            let half = run.until_s / 2.0;
            let waits = run.samples.iter().filter(|it| it.asked_s > half).map(|it| it.first_s);
            let early = run.samples.iter().filter(|it| it.asked_s <= half).map(|it| it.first_s);
            let mean = |values: Vec<f64>| crate::statistics::mean(&values);
            mean(waits.collect()) > 3.0 * mean(early.collect())
        };
        let growing = runs.iter().filter(|run| late(run)).count() * 2 > runs.len();
        if waiting > requests * WAITING_SHARE && (growing || turned_away > 0.0) {
            Self::Overloaded
        } else if waiting > requests * WAITING_SHARE || turned_away > 0.0 {
            Self::Backlogged
        } else {
            Self::Stable
        }
    }
}
