//! Known lines are found again, through noise, outliers and columns that cannot be told apart.

use super::fit;
use crate::random::Random;

/// Rows of a device of 100 and 30 a block, 4 a row and block, that takes up to a tenth more or less.
fn rows(count: usize, noise: f64) -> Vec<([f64; 3], f64)> {
    let mut random = Random::new(1, 1);
    let row = |_| {
        let (blocks, rows) =
            (if random.below(2) == 0 { 10.0 } else { 15.0 }, 1.0 + random.below(16) as f64);
        let exact = 100.0 + blocks * (30.0 + 4.0 * rows);
        let late = noise.mul_add(random.unit() * 2.0 - 1.0, 1.0);
        ([blocks, blocks * rows, 1.0], exact * late)
    };
    (0..count).map(row).collect()
}

fn near(value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() <= share, "{value}, not {expected}");
}

#[test]
fn exact_times_give_exact_lines() {
    let lines = fit(&rows(50, 0.0)).unwrap();
    for (part, expected) in lines.parts.into_iter().zip([30.0, 4.0, 100.0]) {
        near(part, expected, 1e-6);
    }
    assert!(lines.deviation < 1e-9, "{lines:?}");
}

#[test]
fn noise_moves_lines_by_what_their_errors_say() {
    let lines = fit(&rows(4_000, 0.1)).unwrap();
    for ((part, error), expected) in
        lines.parts.into_iter().zip(lines.errors).zip([30.0, 4.0, 100.0])
    {
        assert!((part - expected).abs() < 3.0 * error, "{part} ± {error}, not {expected}");
        assert!(error < 0.1 * expected, "{error}");
    }
}

#[test]
fn disturbed_times_hardly_count() {
    let mut rows = rows(2_000, 0.02);
    rows.iter_mut().step_by(50).for_each(|row| row.1 *= 30.0);
    let lines = fit(&rows).unwrap();
    near(lines.parts[0], 30.0, 0.03);
    near(lines.parts[1], 4.0, 0.03);
}

#[test]
fn no_part_is_below_zero() {
    // Longer with fewer rows: what a part below zero would say.
    let rows: Vec<_> = (1..9).map(|n| ([1.0, f64::from(n)], 100.0 - f64::from(n))).collect();
    let lines = fit(&rows).unwrap();
    assert_eq!(lines.parts[1], 0.0, "{lines:?}");
    near(lines.parts[0], 95.5, 0.02);
}

#[test]
fn what_cannot_be_told_apart_goes_to_the_first_part() {
    let row = |n| ([15.0, 15.0 * f64::from(n), 1.0], 30.0_f64.mul_add(f64::from(n), 150.0));
    let lines = fit(&(1..9).map(row).collect::<Vec<_>>()).unwrap();
    near(lines.parts[0], 10.0, 1e-6);
    near(lines.parts[1], 2.0, 1e-6);
    assert_eq!(lines.parts[2], 0.0);
    assert!(lines.errors[2].is_nan());
}
