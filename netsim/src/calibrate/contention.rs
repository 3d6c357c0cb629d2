//! How much longer everything takes while other processors of the machine work. Not how long it takes
//! alone.
//!
//! Processors share caches, memory and often a core: what a device does beside others is slower even
//! where there is a processor for each.

use super::fit::{self, Lines, Row};

/// Something that ran, and how crowded its machine was meanwhile: from 0 with one processor at work to 1
/// with all of them.
pub(super) type Crowded<const N: usize> = (Row<N>, f64);

/// How often lines and contention are found in turn.
const ROUNDS: u32 = 8;
/// Least variance of the crowd that tells anything.
const VARIANCE_MIN: f64 = 1e-4;
/// Most of a time that a crowd may be said to cost.
const LOST_MAX: f64 = 0.9;

/// Fits lines to what times would have been alone; returns how much longer they are in a full crowd,
/// relatively. `None` without any rows.
pub(super) fn fit<const N: usize>(rows: &[Crowded<N>]) -> Option<(Lines<N>, f64)> {
    // Of the time in a full crowd, the part that would have been none alone.
    let mut lost = 0.0;
    for _ in 0..ROUNDS {
        let alone = alone(rows, lost / (1.0 - lost));
        let more = left(rows, &alone, &fit::fit(&alone)?);
        lost = (lost + more * (1.0 - lost)).clamp(0.0, LOST_MAX);
    }
    let contention = lost / (1.0 - lost);
    Some((fit::fit(&alone(rows, contention))?, contention))
}

/// Rows with the times they would have had alone: what runs in a crowd does less in the same time.
pub(super) fn alone<const N: usize>(rows: &[Crowded<N>], contention: f64) -> Vec<Row<N>> {
    let lost = contention / (1.0 + contention);
    let alone = |((row, time), crowd): &Crowded<N>| (*row, time * lost.mul_add(-crowd, 1.0));
    rows.iter().map(alone).collect()
}

/// What contention is left in times that should have none: the slope of their ratio to what lines say
/// over the crowd, all weighted by how long they are.
fn left<const N: usize>(rows: &[Crowded<N>], alone: &[Row<N>], lines: &Lines<N>) -> f64 {
    let (mut weight, mut crowd, mut ratio, mut square, mut product) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for ((_, x), (row, time)) in rows.iter().zip(alone) {
        let at = lines.at(row);
        weight += at;
        crowd += at * x;
        square += at * x * x;
        // Preempted ones say nothing of those that were not.
        let took = time.min(at * lines.edge());
        ratio += took;
        product += took * x;
    }
    let (crowd, ratio) = (crowd / weight, ratio / weight);
    let variance = crowd.mul_add(-crowd, square / weight);
    if variance.is_nan() || variance < VARIANCE_MIN {
        return 0.0;
    }
    let slope = crowd.mul_add(-ratio, product / weight) / variance;
    let idle = slope.mul_add(-crowd, ratio);
    if idle > 0.0 { slope / idle } else { 0.0 }
}

#[cfg(test)]
mod tests;
