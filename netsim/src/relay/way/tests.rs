//! Every packet is accounted for, once.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::link::Path;

fn way(change: impl FnOnce(&mut Path)) -> Way<usize> {
    let mut direction = Direction::default();
    change(&mut direction.path);
    Way::new(direction, Random::new(3, 4))
}

#[test]
fn packets_arrive_when_they_are_due_and_not_before() {
    let mut way = way(|path| path.delay = Duration::from_nanos(100));
    way.send(Instant(0), 10, || 1);
    way.send(Instant(5), 20, || 2);
    assert_eq!(way.next_at(), Some(Instant(100)));
    assert_eq!(way.arrive(Instant(99)), None);
    let first = Arrival { due: Instant(100), payload: 10, packet: 1 };
    assert_eq!(way.arrive(Instant(104)), Some(first));
    assert_eq!(way.arrive(Instant(104)), None);
    assert_eq!(way.finish().under_way, 1);
}

#[test]
fn what_a_direction_holds_is_bounded() {
    let mut way = way(|path| path.delay = Duration::from_secs(1));
    let fits = HELD_BYTES_MAX / (65_507 + PACKET_BYTES);
    for _ in 0..fits + 3 {
        way.send(Instant(0), 65_507, || 0);
    }
    assert_eq!(way.statistics.dropped_memory, 3);
    assert!(way.arrive(Instant(1_000_000_000)).is_some(), "one leaves");
    way.send(Instant(0), 65_507, || 0);
    assert_eq!(way.statistics.dropped_memory, 3, "and there is room again");
}

proptest! {
    #[test]
    fn packets_arrive_in_order_and_each_has_one_fate(
        bandwidth in 100_000u64..100_000_000,
        queue in 0u64..100_000,
        loss in 0u32..500_000,
        sends in prop::collection::vec((0u64..3_000_000, 0usize..=65_507), 1..100),
    ) {
        let mut way = way(|path| (path.bandwidth, path.queue, path.loss) = (bandwidth, queue, loss));
        let (mut now, mut last, mut arrived) = (Instant(0), None, 0);
        let count = sends.len() as u64;
        for (packet, (gap, payload)) in sends.into_iter().enumerate() {
            now = now + Duration::from_nanos(gap);
            while let Some(arrival) = way.arrive(now) {
                prop_assert!(arrival.due <= now && Some(arrival.packet) > last);
                last = Some(arrival.packet);
                arrived += 1;
            }
            way.send(now, payload, || packet);
        }
        let statistics = way.finish();
        let WayStatistics { lost, dropped_queue, dropped_memory, under_way, .. } = statistics;
        prop_assert_eq!(statistics.received, count);
        prop_assert_eq!(arrived + lost + dropped_queue + dropped_memory + under_way, count);
    }
}
