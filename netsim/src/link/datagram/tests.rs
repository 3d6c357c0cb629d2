//! Laws of a path for datagrams: order, bounds of delay and queue, losses.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;

/// 10 ms, 1 MB/s, 5,000 bytes of queue, without jitter and loss.
const PATH: Path = Path {
    delay: Duration::from_millis(10),
    bandwidth: 1_000_000,
    queue: 5_000,
    jitter: Duration::ZERO,
    loss: 0,
    retransmission: Duration::ZERO,
};

fn datagrams(path: Path, reorder: bool) -> Datagrams {
    Datagrams::new(path, reorder, Random::new(1, 2))
}

#[test]
fn a_datagram_takes_its_size_with_headers_over_the_rate_plus_delay() {
    let mut path = datagrams(PATH, false);
    assert_eq!(path.send(Instant(0), 972), Ok(Instant(11 * MS)));
    assert_eq!(path.send(Instant(0), 1_972), Ok(Instant(13 * MS)), "behind the first");
    assert_eq!(path.send(Instant(50 * MS), 0), Ok(Instant(60_028_000)), "headers alone");
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_what_finds_it_idle_never() {
    let mut path = datagrams(PATH, false);
    assert_eq!(path.send(Instant(0), 65_507), Ok(Instant(75_535_000)), "longer than the queue");
    assert_eq!(path.send(Instant(1), 0), Err(Dropped::Queue));
    let mut path = datagrams(PATH, false);
    for n in 1..=5 {
        assert_eq!(path.send(Instant(0), 972), Ok(Instant((10 + n) * MS)));
    }
    assert_eq!(path.send(Instant(0), 972), Err(Dropped::Queue));
    assert_eq!(path.send(Instant(MS), 972), Ok(Instant(16 * MS)), "one has left");
}

#[test]
fn a_clock_that_steps_back_sends_nothing_into_the_past() {
    let mut path = datagrams(PATH, false);
    assert_eq!(path.send(Instant(9 * MS), 972), Ok(Instant(20 * MS)));
    assert_eq!(path.send(Instant(2 * MS), 972), Ok(Instant(21 * MS)));
}

#[test]
fn all_or_nothing_is_lost_at_the_ends_of_the_scale() {
    for (loss, lost) in [(0, 0), (1_000_000, 500)] {
        let mut path = datagrams(Path { loss, bandwidth: u64::MAX, ..PATH }, false);
        let count = (0..500).filter(|_| path.send(Instant(0), 100) == Err(Dropped::Lost)).count();
        assert_eq!(count, lost);
    }
}

#[test]
fn jitter_reorders_only_where_it_may() {
    let jitter = Duration::from_millis(50);
    for reorder in [false, true] {
        let mut path = datagrams(Path { jitter, bandwidth: u64::MAX, ..PATH }, reorder);
        let arrives: Vec<_> = (0..100).map(|i| path.send(Instant(i * MS), 100).unwrap()).collect();
        assert_eq!(arrives.is_sorted(), !reorder);
    }
}

proptest! {
    #[test]
    fn every_datagram_arrives_within_the_bounds_of_its_path_or_has_a_cause(
        seed: u64,
        bandwidth in 10_000u64..1_000_000_000,
        queue in 0u64..200_000,
        jitter in 0u64..20,
        loss in 0u32..=1_000_000,
        reorder: bool,
        sends in prop::collection::vec((0u64..5 * MS, 0usize..=65_507), 1..100),
    ) {
        let path =
            Path { bandwidth, queue, jitter: Duration::from_millis(jitter), loss, ..PATH };
        let mut direction = Datagrams::new(path, reorder, Random::new(seed, 0));
        // What the queue may hold, or one datagram that found the line idle.
        let before = queue.max(65_507 + HEADER_BYTES);
        let (mut now, mut last, mut sent) = (Instant(0), Instant(0), 0);
        for (gap, payload) in sends {
            now = now + Duration::from_nanos(gap);
            match direction.send(now, payload) {
                Ok(arrives) => {
                    let bytes = payload as u64 + HEADER_BYTES;
                    let own = bytes * 1_000_000_000 / bandwidth;
                    let wait = (before + bytes) * 1_000_000_000 / bandwidth + 1;
                    let spent = arrives.0 - now.0;
                    prop_assert!(spent >= 10 * MS + own);
                    prop_assert!(spent <= (10 + jitter) * MS + wait);
                    prop_assert!(reorder || arrives >= last);
                    last = arrives;
                }
                Err(Dropped::Lost) => prop_assert!(loss > 0),
                Err(Dropped::Queue) => prop_assert!(sent > 0, "the first finds the line idle"),
            }
            sent += 1;
        }
    }
}
