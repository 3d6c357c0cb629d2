//! What was put into times is found again.

use super::*;

/// Rows of a part that takes 100, each as crowded as said, where a full crowd adds `contention`.
fn rows(contention: f64, spread: f64) -> Vec<Crowded<1>> {
    let row = |number: u32| {
        let (size, crowd) = (f64::from(number % 7 + 1), f64::from(number % 5) / 4.0);
        let noise = spread.mul_add(f64::from(number % 3) - 1.0, 1.0);
        let lost = contention / (1.0 + contention);
        (([size], size * 100.0 * noise / (1.0 - lost * crowd)), crowd)
    };
    (0..2_100).map(row).collect()
}

#[test]
fn contention_is_found_however_little_else_varies() {
    for spread in [0.0, 0.01, 0.1] {
        for contention in [0.0, 0.08, 0.25, 1.0] {
            let (lines, found) = fit(&rows(contention, spread)).unwrap();
            assert!((found - contention).abs() < 0.01, "{found} for {contention}, {spread}");
            assert!((lines.parts[0] - 100.0).abs() < 1.0, "{lines:?} for {contention}");
        }
    }
}

#[test]
fn a_crowd_that_never_changes_tells_nothing() {
    let all: Vec<_> = rows(0.25, 0.1).into_iter().filter(|row| row.1 == 1.0).collect();
    assert_eq!(fit(&all).unwrap().1, 0.0);
}
