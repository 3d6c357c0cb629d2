//! Rate and backlog against closed forms.

use proptest::prelude::*;

use super::*;

#[test]
fn bytes_leave_one_after_another_and_what_waits_shrinks_with_time() {
    let mut line = Line::new(1_000_000);
    assert_eq!(line.send(Instant(5_000), 3_000), Instant(3_005_000));
    assert_eq!(line.send(Instant(5_000), 1_000), Instant(4_005_000));
    assert_eq!(line.waiting(Instant(5_000)), 4_000);
    assert_eq!(line.waiting(Instant(3_505_000)), 500);
    assert_eq!(line.waiting(Instant(9_000_000)), 0);
    assert_eq!(line.send(Instant(9_000_000), 1_000), Instant(10_000_000), "idle time is gone");
}

#[test]
fn a_line_without_limit_takes_no_time() {
    let mut line = Line::new(u64::MAX);
    assert_eq!(line.send(Instant(7), u64::from(u32::MAX)), Instant(7));
    assert_eq!(line.waiting(Instant(7)), 0);
}

proptest! {
    #[test]
    fn no_span_of_a_busy_line_carries_more_than_its_rate(
        bandwidth in 10_000u64..2_000_000_000,
        sizes in prop::collection::vec(28u64..65_536, 1..100),
    ) {
        let mut line = Line::new(bandwidth);
        let left: Vec<_> = sizes.iter().map(|&bytes| line.send(Instant(0), bytes)).collect();
        prop_assert!(left.is_sorted());
        let ns = u128::from(sizes.iter().sum::<u64>()) * 1_000_000_000 / u128::from(bandwidth);
        let last = u128::from(left[left.len() - 1].0);
        // Each message is rounded down by less than a nanosecond.
        prop_assert!(last <= ns && ns < last + 1 + sizes.len() as u128);
    }
}
