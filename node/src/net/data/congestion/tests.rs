//! Windows after losses, by what was under way.

use super::*;

const INITIAL: u64 = 100_000;
const PACKET: u64 = 1_200;

/// A connection of 50 ms that is some round trips old, and its present.
fn connection() -> (Congestion<Cubic>, Instant) {
    let now = Instant::now();
    let mut config = CubicConfig::default();
    config.initial_window(INITIAL);
    let mut congestion = Congestion::new(Cubic::new(Arc::new(config), now, 1_200));
    congestion.round_trip = Duration::from_millis(50);
    (congestion, now)
}

fn send(congestion: &mut Congestion<Cubic>, now: Instant, bytes: u64) {
    (0..bytes / PACKET).for_each(|number| congestion.on_sent(now, PACKET, number));
}

#[test]
fn losses_among_a_few_packets_leave_the_window() {
    let (mut congestion, mut now) = connection();
    for _ in 0..100 {
        now += Duration::from_millis(80);
        send(&mut congestion, now, 2 * PACKET);
        congestion.on_end_acks(now, PACKET, true, None);
        congestion.on_congestion_event(now, now, false, PACKET);
        congestion.on_end_acks(now, 0, true, None);
    }
    assert_eq!(congestion.window(), INITIAL);
}

#[test]
fn a_loss_from_a_used_window_shrinks_it() {
    let (mut congestion, now) = connection();
    send(&mut congestion, now, INITIAL * 6 / 10);
    congestion.on_congestion_event(now, now, false, PACKET);
    assert!(congestion.window() < INITIAL);
}

#[test]
fn a_loss_found_when_acknowledgements_have_emptied_the_window_shrinks_it() {
    let (mut congestion, now) = connection();
    send(&mut congestion, now, INITIAL * 6 / 10);
    let later = now + Duration::from_millis(60);
    congestion.on_end_acks(later, 0, true, None);
    congestion.on_congestion_event(later, now, false, PACKET);
    assert!(congestion.window() < INITIAL);
}

#[test]
fn what_was_under_way_long_ago_does_not_count() {
    let (mut congestion, now) = connection();
    send(&mut congestion, now, INITIAL * 6 / 10);
    congestion.on_end_acks(now + Duration::from_millis(50), 0, true, None);
    let later = now + Duration::from_secs(1);
    send(&mut congestion, later, 2 * PACKET);
    congestion.on_congestion_event(later, later, false, PACKET);
    assert_eq!(congestion.window(), INITIAL);
}

#[test]
fn marks_of_routers_and_silence_count_however_little_is_under_way() {
    let (mut congestion, now) = connection();
    send(&mut congestion, now, PACKET);
    congestion.on_congestion_event(now, now, false, 0);
    assert!(congestion.window() < INITIAL, "a router marked a packet");
    let (mut congestion, now) = connection();
    send(&mut congestion, now, PACKET);
    congestion.on_congestion_event(now, now, true, PACKET);
    assert!(congestion.window() < INITIAL / 10, "nothing arrived for long");
}
