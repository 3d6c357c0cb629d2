//! Chunks and links that wait for each other.

use futures::FutureExt as _;

use super::*;

const PEER: PeerKey = PeerKey([1; 32]);
const OTHER: PeerKey = PeerKey([2; 32]);

fn arrivals() -> (Arc<Arrivals<&'static str>>, Instant) {
    (Arc::default(), Instant::now())
}

impl Arrivals<&'static str> {
    fn count(&self) -> usize {
        self.lock().len()
    }
}

#[test]
fn either_may_come_first_and_both_are_forgotten() {
    let (arrivals, now) = arrivals();
    arrivals.arrive((PEER, 1), "early", now).unwrap();
    let mut early = arrivals.expect((PEER, 1)).unwrap();
    let mut late = arrivals.expect((PEER, 2)).unwrap();
    assert_eq!(late.stream().now_or_never(), None);
    arrivals.arrive((PEER, 2), "late", now).unwrap();
    assert_eq!(early.stream().now_or_never(), Some("early"));
    assert_eq!(late.stream().now_or_never(), Some("late"));
    assert_eq!(arrivals.count(), 0);
}

/// A peer that could name another's chunk would speak in its place.
#[test]
fn a_number_is_its_peers_own() {
    let (arrivals, now) = arrivals();
    let mut mine = arrivals.expect((PEER, 1)).unwrap();
    arrivals.arrive((OTHER, 1), "theirs", now).unwrap();
    assert_eq!(mine.stream().now_or_never(), None);
}

#[test]
fn a_second_of_one_number_comes_back_and_the_first_stays() {
    let (arrivals, now) = arrivals();
    arrivals.arrive((PEER, 1), "first", now).unwrap();
    assert_eq!(arrivals.arrive((PEER, 1), "second", now), Err("second"));
    assert_eq!(arrivals.expect((PEER, 1)).unwrap().stream().now_or_never(), Some("first"));
    let _one = arrivals.expect((PEER, 2)).unwrap();
    assert!(arrivals.expect((PEER, 2)).is_none());
}

#[test]
fn a_link_that_ends_waits_no_more() {
    let (arrivals, now) = arrivals();
    drop(arrivals.expect((PEER, 1)).unwrap());
    assert_eq!(arrivals.count(), 0);
    // What it had already, it took along.
    arrivals.arrive((PEER, 2), "taken", now).unwrap();
    drop(arrivals.expect((PEER, 2)).unwrap());
    assert_eq!(arrivals.count(), 0);
}

#[test]
fn chunks_of_ended_links_are_dropped_after_a_while_and_waiting_links_are_not() {
    let (arrivals, now) = arrivals();
    for key in [(PEER, 1), (OTHER, 1)] {
        arrivals.arrive(key, "left", now).unwrap();
    }
    arrivals.arrive((PEER, 2), "fresh", now + PATIENCE).unwrap();
    let mut waits = arrivals.expect((PEER, 3)).unwrap();
    arrivals.expire(PEER, now + PATIENCE - Duration::from_nanos(1));
    assert_eq!(arrivals.count(), 4);
    arrivals.expire(PEER, now + PATIENCE);
    assert_eq!(arrivals.count(), 3, "another peer's is not touched, nor what is fresh");
    arrivals.arrive((PEER, 3), "came", now).unwrap();
    assert_eq!(waits.stream().now_or_never(), Some("came"));
}
