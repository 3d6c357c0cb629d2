//! Known quantiles, known coverage, and a warm-up that is found.

use super::*;

#[test]
fn an_interval_is_students() {
    // Table value: t(0.975, 4) = 2.776445; values with mean 3 and standard deviation sqrt(2.5).
    let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    let expected = 2.776_445_105 * (2.5f64 / 5.0).sqrt();
    assert!((estimate.half_width.unwrap() - expected).abs() < 1e-6, "{estimate:?}");
    assert_eq!(Estimate::of(&[4.0]).half_width, None);
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mut random = Random::new(3, 3);
    let covered = (0..2_000)
        .filter(|_| {
            let values: Vec<f64> = (0..8).map(|_| random.unit()).collect();
            let estimate = Estimate::of(&values);
            (estimate.mean - 0.5).abs() <= estimate.half_width.unwrap()
        })
        .count();
    // 1900 expected, standard deviation 10; uniforms are light-tailed, so a little off is theirs.
    assert!((1_850..1_960).contains(&covered), "{covered} of 2000");
}

#[test]
fn percentiles_stand_between_neighbours() {
    let sorted = [10.0, 20.0, 30.0, 40.0];
    assert_eq!(percentile(&sorted, 0.0), 10.0);
    assert_eq!(percentile(&sorted, 0.5), 25.0);
    assert_eq!(percentile(&sorted, 1.0), 40.0);
    assert!(percentile(&[], 0.5).is_nan());
}

#[test]
fn a_bootstrap_interval_holds_the_percentile_and_narrows() {
    let mut random = Random::new(1, 9);
    let mut width = |count: usize| {
        let mut values: Vec<f64> = (0..count).map(|_| random.unit()).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = bootstrap(&values, 0.5, &mut random);
        let median = percentile(&values, 0.5);
        assert!(low <= median && median <= high, "{median} outside {low} to {high}");
        high - low
    };
    let (few, many) = (width(50), width(2_000));
    assert!(many < few / 3.0, "{many} is not much narrower than {few}");
}

#[test]
fn the_warm_up_is_cut_where_it_ends() {
    let mut random = Random::new(2, 2);
    let samples: Vec<f64> = (0..1_000u32)
        .map(|index| f64::from(200u32.saturating_sub(index)) + random.unit())
        .collect();
    let cut = warm_up(&samples);
    assert!((190..=215).contains(&cut), "{cut}");
    let steady: Vec<f64> = (0..1_000).map(|_| random.unit()).collect();
    assert!(warm_up(&steady) <= 500);
    assert_eq!(warm_up(&[1.0, 2.0]), 0);
}

#[test]
fn fairness_is_one_for_equals_and_a_share_for_one_alone() {
    assert_eq!(fairness(&[2.0, 2.0, 2.0]), Some(1.0));
    assert_eq!(fairness(&[5.0, 0.0, 0.0, 0.0]), Some(0.25));
    assert_eq!(fairness(&[0.0]), None);
    assert_eq!(fairness(&[]), None);
}

#[test]
fn an_error_that_no_run_shows_widens_intervals() {
    let chance = Estimate { mean: 100.0, half_width: Some(3.0), runs: 5 };
    let both = chance.with_error(0.04 / NORMAL);
    assert!((both.half_width.unwrap() - 5.0).abs() < 1e-9, "{both:?}");
    assert_eq!(chance.with_error(0.0), chance);
    assert_eq!(Estimate { half_width: None, ..chance }.with_error(0.1).half_width, None);
}

#[test]
fn ranks_agree_whatever_the_distances() {
    let one = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(rank_correlation(&one, &[1.0, 10.0, 11.0, 1_000.0]), Some(1.0));
    assert_eq!(rank_correlation(&one, &[4.0, 3.0, 2.0, 1.0]), Some(-1.0));
    // One pair the other way round: 1 - 6 * 2 / (4 * 15).
    let swapped = rank_correlation(&one, &[1.0, 3.0, 2.0, 4.0]).unwrap();
    assert!((swapped - 0.8).abs() < 1e-12, "{swapped}");
    // Equal ones share their places: 1, 2.5, 2.5, 4.
    let shared = rank_correlation(&one, &[1.0, 2.0, 2.0, 3.0]).unwrap();
    assert!((shared - 4.5 / (5.0_f64 * 4.5).sqrt()).abs() < 1e-12, "{shared}");
    assert_eq!(rank_correlation(&one, &[1.0; 4]), None);
    assert_eq!(rank_correlation(&[1.0, 2.0], &[1.0, 2.0]), None);
}
