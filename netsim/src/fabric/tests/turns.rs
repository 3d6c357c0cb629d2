//! Larger messages that take their turn on links.

use super::*;

/// When a message that needs no flow arrives.
#[track_caller]
fn arrives(fabric: &mut Fabric, at_us: u64, connection: ConnectionId, bytes: u64) -> f64 {
    match fabric.send(Instant(at_us * 1_000), connection, bytes, 0) {
        Sent::Arrives(at) => at.0 as f64 / 1e9,
        other => panic!("{other:?}"),
    }
}

/// Two connections over one link, with a window of eight megabytes for 20 ms there and back.
fn pair() -> (Fabric, [ConnectionId; 2]) {
    let mut fabric = Fabric::new(&[link(GIGABIT, 10), link(GIGABIT, 10)], 1);
    let quic = Quic { initial_window: 8_000_000, ordered: false, ..OPEN };
    let pair = [0, 1].map(|_| fabric.connect(&links(&[0]), &links(&[1]), quic));
    (fabric, pair)
}

#[test]
fn one_takes_its_delay_and_its_size_over_the_slowest_rate() {
    for rates in [[GIGABIT, GIGABIT / 2], [GIGABIT / 2, GIGABIT]] {
        let mut fabric =
            Fabric::new(&[link(rates[0], 10), link(rates[1], 5), link(GIGABIT, 15)], 1);
        let connection = fabric.connect(&links(&[0, 1]), &links(&[2]), OPEN);
        let took = arrives(&mut fabric, 0, connection, 1_000_000);
        near(took, 0.015 + seconds(1_000_000, GIGABIT / 2), 1e-3);
        assert_eq!(fabric.next_at(), None, "nothing is left to do");
    }
}

#[test]
fn it_takes_what_a_flow_takes() {
    let rate = |bytes: u64, took: f64| bytes as f64 / (took - 0.01);
    let (mut fabric, [one, _]) = pair();
    let turn = rate(5_900_000, arrives(&mut fabric, 0, one, 5_900_000));
    let (mut fabric, [one, _]) = pair();
    assert_eq!(fabric.send(Instant(0), one, 6_300_000, 0), Sent::Flows);
    near(rate(6_300_000, times(&mut fabric)[0]), turn, 1e-3);
}

#[test]
fn pacing_alone_may_hold_it_back() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 10), link(GIGABIT, 10)], 1);
    let quic = Quic { initial_window: 1_100_000, ..OPEN };
    let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
    let size = datagram_bytes(1_000_000) as f64;
    let lasts = size / (1.25 * 1_100_000.0 / 0.02);
    let took = arrives(&mut fabric, 0, connection, 1_000_000);
    near(took, 0.01 + lasts, 1e-3);
    // The next one leaves once it has left.
    let mut fabric = Fabric::new(&[link(GIGABIT, 20), link(GIGABIT, 20)], 1);
    let quic = Quic { initial_window: 2_200_000, ..OPEN };
    let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
    let took = [0, 0].map(|_| arrives(&mut fabric, 0, connection, 1_000_000));
    near(took[1] - took[0], lasts, 0.03);
}

#[test]
fn a_window_grows_while_pacing_holds_messages_back() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 10), link(GIGABIT, 10)], 1);
    let quic = Quic { initial_window: 800_000, ..OPEN };
    for (every_us, grows) in [(4_500, true), (200_000, false)] {
        let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
        let from = if grows { 0 } else { 10_000_000 };
        for n in 0..200 {
            let _ = arrives(&mut fabric, from + n * every_us, connection, 150_000);
        }
        let window = fabric.window(connection);
        assert_eq!(window > 1_600_000, grows, "{window} with one in {every_us} us");
    }
}

#[test]
fn the_next_one_of_a_connection_follows_and_a_small_one_does_not_overtake() {
    let (mut fabric, [one, _]) = pair();
    let first = arrives(&mut fabric, 0, one, 1_000_000);
    let second = arrives(&mut fabric, 1_000, one, 1_000_000);
    near(second - first, seconds(1_000_000, GIGABIT), 1e-2);
    assert!(arrives(&mut fabric, 2_000, one, 100) >= second);
    // Once both are through, nothing waits for them.
    let alone = arrives(&mut fabric, 100_000, one, 100) - 0.1;
    near(alone, 0.01 + seconds(100, GIGABIT), 1e-6);
}

#[test]
fn a_small_one_of_others_waits_for_what_pacing_lets_queue() {
    // A window in 20 ms, a quarter faster: half of a gigabyte a second, four times what the link
    // carries. A megabyte is in the queue, but for what has left it, after two milliseconds.
    let (mut fabric, [one, other]) = pair();
    let whole = arrives(&mut fabric, 0, one, 2_000_000) - 0.01;
    let capacity = 1.0 / (seconds(10_000_000, GIGABIT) / 10_000_000.0);
    let alone = 0.01 + seconds(100, GIGABIT);
    let gain = 8e6 * 1.25 / 0.02 / (capacity * 1_452.0 / 1_415.0) - 1.0;
    let waited = arrives(&mut fabric, 2_000, other, 100) - 0.002 - alone;
    near(waited, 0.002 * gain, 0.02);
    // Later, for all that is left.
    let waited = arrives(&mut fabric, 12_000, other, 100) - 0.012 - alone;
    near(waited, whole - 0.012, 0.02);
}

#[test]
fn what_would_meet_flows_or_fill_a_queue_or_waits_for_a_window_is_a_flow() {
    let flows = |fabric: &mut Fabric, connection, bytes| {
        fabric.send(Instant(1_000), connection, bytes, 1) == Sent::Flows
    };
    let (mut fabric, [one, other]) = pair();
    let _ = fabric.send(Instant(0), one, 9_000_000, 0);
    assert!(flows(&mut fabric, other, 1_000_000), "a flow is on the link");
    let (mut fabric, [one, _]) = pair();
    assert!(flows(&mut fabric, one, 7_000_000), "it takes 56 ms");
    let narrow = Link { queue: 500_000, ..link(GIGABIT, 10) };
    let mut fabric = Fabric::new(&[narrow, narrow], 1);
    let quic = Quic { initial_window: 8_000_000, ..OPEN };
    let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
    assert!(flows(&mut fabric, connection, 1_000_000), "the queue holds half of it");
    let mut fabric = Fabric::new(&[link(GIGABIT, 10), link(GIGABIT, 10)], 1);
    let quic = Quic { initial_window: 500_000, ..OPEN };
    let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
    assert!(flows(&mut fabric, connection, 1_000_000), "its window holds it back");
}

#[test]
fn those_of_others_wait_for_their_turn() {
    let (mut fabric, [one, other]) = pair();
    let first = arrives(&mut fabric, 0, one, 2_000_000);
    let second = arrives(&mut fabric, 1_000, other, 2_000_000);
    near(second - first, seconds(2_000_000, GIGABIT), 1e-2);
    // Both come in at four times the rate of the link: seven times what it carries waits.
    let (mut fabric, [one, other]) = pair();
    let third = fabric.connect(&links(&[0]), &links(&[1]), OPEN);
    let _ = [one, other].map(|it| arrives(&mut fabric, 0, it, 2_000_000));
    let waited = arrives(&mut fabric, 1_000, third, 100) - 0.011 - seconds(100, GIGABIT);
    assert!((0.006..0.0075).contains(&waited), "{waited}");
}

#[test]
fn a_flow_that_comes_after_one_gets_what_that_leaves() {
    let (mut fabric, [one, other]) = pair();
    let _ = arrives(&mut fabric, 0, one, 4_000_000);
    assert_eq!(fabric.send(Instant(1_000), other, 4_000_000, 1), Sent::Flows);
    let last = times(&mut fabric)[0];
    assert!(last > 0.01 + seconds(7_500_000, GIGABIT), "{last}");
}
