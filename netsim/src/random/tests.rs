//! Streams stay apart, and `unit` stays within its bounds.

use super::Random;

#[test]
fn a_stream_depends_on_its_seed_purpose_and_entity_alone() {
    let first = |mut random: Random| random.next();
    let streams = [
        first(Random::of(1, 1, 1)),
        first(Random::of(1, 1, 2)),
        first(Random::of(1, 2, 1)),
        first(Random::of(2, 1, 1)),
        first(Random::new(1, 1)),
    ];
    for (index, one) in streams.iter().enumerate() {
        assert!(!streams[..index].contains(one), "stream {index} repeats another");
    }
    assert_eq!(first(Random::of(7, 3, 9)), first(Random::of(7, 3, 9)));
}

#[test]
fn units_fill_the_interval_evenly() {
    let mut random = Random::new(5, 5);
    let mut tenths = [0u32; 10];
    for _ in 0..100_000 {
        let unit = random.unit();
        assert!((0.0..1.0).contains(&unit), "{unit}");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 10")]
        let tenth = (unit * 10.0) as usize;
        tenths[tenth] += 1;
    }
    // Five standard deviations of a binomial with p = 0.1.
    assert!(tenths.iter().all(|count| count.abs_diff(10_000) < 475), "{tenths:?}");
}
