//! Messages against closed forms: SimGrid's unit cases as far as QUIC has them, and the laws.

mod turns;

use proptest::prelude::*;

use super::*;

/// Bits a second at which a megabyte of datagrams takes eight milliseconds and its headers more.
const GIGABIT: u64 = 1_000_000_000;
/// Windows that never matter.
const OPEN: Quic = Quic {
    initial_window: 1 << 40,
    stream_window: 1 << 40,
    connection_window: 1 << 40,
    send_window: 1 << 40,
    ..Quic::QUINN
};

fn link(rate: u64, delay_ms: u64) -> Link {
    let delay = Duration::from_millis(delay_ms);
    Link { rate, delay, jitter: Duration::ZERO, loss: 0, queue: 1 << 40 }
}

/// Seconds that `bytes` take on a link of `rate`, with headers.
fn seconds(bytes: u64, rate: u64) -> f64 {
    datagram_bytes(bytes) as f64 * link::ON_THE_LINE * 8.0 / rate as f64
}

fn links(ids: &[u32]) -> Vec<LinkId> {
    ids.iter().copied().map(LinkId).collect()
}

/// Everything that arrives from now on.
fn drain(fabric: &mut Fabric) -> Vec<Delivered> {
    let mut delivered = Vec::new();
    while let Some(at) = fabric.next_at() {
        fabric.advance(at, &mut delivered);
    }
    delivered
}

/// Seconds until each message, in order of tags.
fn times(fabric: &mut Fabric) -> Vec<f64> {
    let mut delivered = drain(fabric);
    delivered.sort_by_key(|delivered| delivered.tag);
    delivered.into_iter().map(|delivered| delivered.at.0 as f64 / 1e9).collect()
}

#[track_caller]
fn near(value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() <= share, "{value}, not {expected}");
}

#[test]
fn a_message_that_fits_takes_its_delay_and_its_size_over_the_rate() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 10), link(GIGABIT / 10, 5), link(GIGABIT, 15)], 1);
    let connection = fabric.connect(&links(&[0, 1]), &links(&[2]), OPEN);
    let Sent::Arrives(at) = fabric.send(Instant(7), connection, 12_000, 0) else { panic!() };
    // Packet by packet behind the slower link: only the first one is counted on the other.
    let expected = 0.015 + seconds(12_000, GIGABIT / 10) + 1_480.0 * 8.0 / 1e9;
    near((at.0 - 7) as f64 / 1e9, expected, 1e-6);
    assert_eq!(fabric.next_at(), None);
}

#[test]
fn messages_that_fit_wait_for_one_another_on_a_link_and_for_nothing_once_it_is_idle() {
    let mut fabric = Fabric::new(&[link(10_000_000, 10)], 1);
    let [first, second] = [0, 1].map(|_| fabric.connect(&links(&[0]), &[], OPEN));
    let mut took = |ms: u64, connection| {
        let now = Instant(ms * 1_000_000);
        let Sent::Arrives(at) = fabric.send(now, connection, 10_000, 0) else { panic!() };
        (at.0 - now.0) as f64 / 1e9
    };
    let alone = 0.01 + seconds(10_000, 10_000_000);
    near(took(0, first), alone, 1e-5);
    near(took(0, second), alone + seconds(10_000, 10_000_000), 1e-5);
    near(took(100, second), alone, 1e-5);
}

#[test]
fn a_window_bounds_a_flow_to_itself_over_the_round_trip() {
    // SimGrid's CM02: 10 Gibit over 10 Gibit/s with a window of 4 MiB, one way 100 ms.
    let rate = 10 << 30;
    let window = 4 << 20;
    let mut fabric = Fabric::new(&[link(rate, 100), link(rate, 100)], 1);
    let usable = (flow::flow_window(&Quic { stream_window: window, ..OPEN }) / 4_194_304.0).recip();
    let quic = Quic { stream_window: whole(window as f64 * usable), ..OPEN };
    let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
    let bytes = (10 << 30) / 8;
    assert_eq!(fabric.send(Instant(0), connection, bytes, 0), Sent::Flows);
    let on_the_wire = datagram_bytes(bytes) as f64 / bytes as f64;
    near(times(&mut fabric)[0], 0.1 + bytes as f64 * on_the_wire / (4_194_304.0 / 0.2), 0.005);
}

#[test]
fn slow_start_and_the_default_window_make_a_prefill_take_nineteen_round_trips() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 50), link(GIGABIT, 50)], 1);
    let connection = fabric.connect(&links(&[0]), &links(&[1]), Quic::QUINN);
    assert_eq!(fabric.send(Instant(0), connection, 16_400_000, 0), Sent::Flows);
    near(times(&mut fabric)[0], 1.9, 0.15);
}

#[test]
fn two_flows_halve_a_link_and_the_longer_one_then_has_it_alone() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 5), link(GIGABIT, 5)], 1);
    for tag in 0..2 {
        let connection = fabric.connect(&links(&[0]), &links(&[1]), OPEN);
        let _ = fabric.send(Instant(0), connection, 50_000_000 * (tag + 1), tag);
    }
    let took = times(&mut fabric);
    near(took[0], 2.0 * seconds(50_000_000, GIGABIT) + 0.005, 0.02);
    near(took[1], 3.0 * seconds(50_000_000, GIGABIT) + 0.005, 0.02);
}

#[test]
fn in_a_parking_lot_the_long_flow_has_half_of_every_link() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 2); 4], 1);
    let paths: [&[u32]; 4] = [&[0, 1, 2], &[0], &[1], &[2]];
    for (path, tag) in paths.into_iter().zip(0..) {
        // Equal round trips, for weights are as their inverse.
        let back: Vec<u32> = vec![3; 4 - path.len()];
        let connection = fabric.connect(&links(path), &links(&back), OPEN);
        let _ = fabric.send(Instant(0), connection, 100_000_000, tag);
    }
    for took in times(&mut fabric) {
        near(took, 2.0 * seconds(100_000_000, GIGABIT), 0.02);
    }
}

#[test]
fn a_flow_with_a_small_window_leaves_the_rest_of_the_link_to_the_other() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 50), link(GIGABIT, 50)], 1);
    // 1.25 MB in 100 ms, nearly: a tenth of the link.
    let small = Quic { stream_window: 1_250_000, ..OPEN };
    // What fills the link but no queue: a queue is shared by those who fill it.
    let large = Quic { stream_window: 12_000_000, ..OPEN };
    for (quic, tag) in [(small, 0), (large, 1)] {
        let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
        let _ = fabric.send(Instant(0), connection, 12_000_000 * (1 + 8 * tag), tag);
    }
    let took = times(&mut fabric);
    let rate = flow::flow_window(&small) / 0.1;
    near(took[0], datagram_bytes(12_000_000) as f64 / rate + 0.05, 0.1);
    let rest = GIGABIT - whole(rate * 8.0 * link::ON_THE_LINE);
    near(took[1], seconds(108_000_000, rest) + 0.05, 0.1);
}

#[test]
fn a_single_message_waits_in_the_queue_that_a_flow_fills() {
    let queue = 500_000;
    let mut fabric = Fabric::new(&[Link { queue, ..link(100_000_000, 5) }, link(GIGABIT, 5)], 1);
    let [bulk, single] =
        [0, 1].map(|_| fabric.connect(&links(&[0]), &links(&[1]), Quic::NEIGHBOUR));
    let _ = fabric.send(Instant(0), bulk, 50_000_000, 0);
    let now = Instant(2_000_000_000);
    fabric.advance(now, &mut Vec::new());
    let Sent::Arrives(at) = fabric.send(now, single, 1_000, 1) else { panic!() };
    let waited = (at.0 - now.0) as f64 / 1e9 - 0.005;
    assert!((0.005..=0.041).contains(&waited), "{waited}");
}

#[test]
fn a_window_grows_while_it_is_used_and_never_by_messages_that_fit() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 50), link(GIGABIT, 50)], 1);
    let connection = fabric.connect(&links(&[0]), &links(&[1]), Quic::QUINN);
    for n in 0..100 {
        let _ = fabric.send(Instant(n * 200_000_000), connection, 8_000, n);
    }
    assert_eq!(fabric.window(connection), 12_000);
    let _ = fabric.send(Instant(30_000_000_000), connection, 100_000, 100);
    drain(&mut fabric);
    assert!(
        (50_000..110_000).contains(&fabric.window(connection)),
        "{}",
        fabric.window(connection)
    );
}

#[test]
fn a_loss_beside_an_unused_window_leaves_it_to_a_lenient_sender_alone() {
    for (lenient, stays) in [(true, true), (false, false)] {
        let lossy = Link { loss: 100_000, ..link(GIGABIT, 5) };
        let mut fabric = Fabric::new(&[lossy, lossy], 1);
        let quic = Quic { lenient, ..Quic::NEIGHBOUR };
        let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
        for n in 0..100 {
            let now = Instant(n * 500_000_000);
            fabric.advance(now, &mut Vec::new());
            // Some fit, and some flow; either fills less than half of the window.
            let _ = fabric.send(now, connection, 20_000 + 80_000 * (n % 2), n);
        }
        drain(&mut fabric);
        assert_eq!(fabric.window(connection) == 256 << 10, stays);
    }
}

#[test]
fn repeated_messages_are_seldom_late() {
    let late = |repeats| {
        let lossy = Link { loss: 50_000, ..link(GIGABIT, 50) };
        let mut fabric = Fabric::new(&[lossy, lossy], 1);
        let quic = Quic { repeats, ..Quic::NEIGHBOUR };
        let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
        let late = |n: &u64| {
            let now = Instant(n * 1_000_000_000);
            let sent = fabric.send(now, connection, 1_000, *n);
            matches!(sent, Sent::Arrives(at) if at.0 > now.0 + 100_000_000)
        };
        (0..4_000).filter(late).count()
    };
    assert!((150..=250).contains(&late(0)), "{}", late(0));
    assert!((2..=25).contains(&late(8_192)), "{}", late(8_192));
}

#[test]
fn on_one_stream_nothing_overtakes_and_between_streams_it_may() {
    for ordered in [true, false] {
        let jittery = Link { jitter: Duration::from_millis(20), ..link(GIGABIT, 5) };
        let mut fabric = Fabric::new(&[jittery, jittery], 1);
        let quic = Quic { ordered, ..OPEN };
        let connection = fabric.connect(&links(&[0]), &links(&[1]), quic);
        let arrives =
            (0..200).map(|n| match fabric.send(Instant(n * 1_000_000), connection, 100, n) {
                Sent::Arrives(at) => at,
                other => panic!("{other:?}"),
            });
        let arrives: Vec<_> = arrives.collect();
        assert_eq!(arrives.is_sorted(), ordered);
    }
}

#[test]
fn what_a_cut_link_had_is_lost_and_a_mended_one_starts_anew() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 5), link(GIGABIT, 5)], 1);
    let [cut, other] = [0, 1].map(|_| fabric.connect(&links(&[0]), &links(&[1]), OPEN));
    let _ = fabric.send(Instant(0), cut, 100_000_000, 0);
    fabric.advance(Instant(100_000_000), &mut Vec::new());
    fabric.cut(LinkId(0));
    assert_eq!(fabric.send(Instant(100_000_001), other, 10, 1), Sent::Lost);
    fabric.mend(LinkId(0));
    let start = Instant(100_000_002);
    assert_eq!(fabric.send(start, cut, 10_000_000, 2), Sent::Flows);
    let delivered = drain(&mut fabric);
    assert_eq!(delivered.len(), 1, "{delivered:?}");
    let took = (delivered[0].at.0 - start.0) as f64 / 1e9;
    near(took, seconds(10_000_000, GIGABIT) + 0.005, 0.02);
}

#[test]
fn a_flow_whose_acknowledgements_are_cut_ends() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 5), link(GIGABIT, 5)], 1);
    let connection = fabric.connect(&links(&[0]), &links(&[1]), OPEN);
    let _ = fabric.send(Instant(0), connection, 100_000_000, 0);
    fabric.advance(Instant(100_000_000), &mut Vec::new());
    fabric.cut(LinkId(1));
    assert_eq!(drain(&mut fabric), []);
    assert_eq!(fabric.send(Instant(200_000_000), connection, 10, 1), Sent::Lost);
}

#[test]
fn what_a_flow_over_two_links_leaves_goes_to_the_flows_on_both() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 2); 3], 1);
    let paths: [(&[u32], &[u32], u64); 3] =
        [(&[0, 1], &[2], 20_000_000), (&[0], &[2, 2], 100_000_000), (&[1], &[2, 2], 100_000_000)];
    for ((there, back, bytes), tag) in paths.into_iter().zip(0..) {
        let connection = fabric.connect(&links(there), &links(back), OPEN);
        let _ = fabric.send(Instant(0), connection, bytes, tag);
    }
    let took = times(&mut fabric);
    near(took[0], 2.0 * seconds(20_000_000, GIGABIT), 0.05);
    near(took[1], seconds(120_000_000, GIGABIT), 0.03);
    near(took[2], seconds(120_000_000, GIGABIT), 0.03);
}

#[test]
fn a_rate_that_changes_under_way_counts_from_then_on() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 5), link(GIGABIT, 5)], 1);
    let connection = fabric.connect(&links(&[0]), &links(&[1]), OPEN);
    let _ = fabric.send(Instant(0), connection, 100_000_000, 0);
    let half = seconds(50_000_000, GIGABIT);
    fabric.advance(Instant(whole(half * 1e9)), &mut Vec::new());
    fabric.set_rate(LinkId(0), GIGABIT / 4);
    near(times(&mut fabric)[0], 5.0 * half, 0.03);
}

#[test]
fn an_idle_link_counts_what_crossed_it() {
    let mut fabric = Fabric::new(&[link(GIGABIT, 5), link(GIGABIT, 5)], 1);
    let connection = fabric.connect(&links(&[0]), &links(&[1]), OPEN);
    let _ = fabric.send(Instant(0), connection, 10_000, 0);
    let _ = fabric.send(Instant(1), connection, 10_000_000, 1);
    drain(&mut fabric);
    let Traffic { bytes, busy } = fabric.traffic(LinkId(0));
    let expected = datagram_bytes(10_000) + datagram_bytes(10_000_000);
    assert!(bytes.abs_diff(expected) <= 2, "{bytes}, not {expected}");
    near(busy.as_secs_f64(), seconds(10_010_000, GIGABIT), 1e-3);
    assert_eq!(fabric.traffic(LinkId(1)), Traffic::default());
}

/// One message of a random load: when, on which connection, how long.
type Load = Vec<(u64, usize, u64)>;

/// Runs `load` over two lossy, jittery links in a row and their ways back; returns what arrived, with
/// what passed as single messages, and the traffic of the first link.
fn run(seed: u64, load: &Load, loss: u32) -> (Vec<Delivered>, Traffic) {
    let lossy = Link { loss, jitter: Duration::from_millis(3), ..link(50_000_000, 10) };
    let lossy = Link { queue: 200_000, ..lossy };
    let mut fabric = Fabric::new(&[lossy; 4], seed);
    let paths: [(&[u32], &[u32]); 3] = [(&[0, 1], &[2, 3]), (&[0], &[3]), (&[1], &[2])];
    let all = paths.map(|(there, back)| fabric.connect(&links(there), &links(back), Quic::QUINN));
    let (mut delivered, mut now) = (Vec::new(), 0);
    for ((after, which, bytes), tag) in load.iter().zip(0..) {
        now += after;
        fabric.advance(Instant(now), &mut delivered);
        let connection = all[which % all.len()];
        if let Sent::Arrives(at) = fabric.send(Instant(now), connection, *bytes, tag) {
            delivered.push(Delivered { at, connection, tag });
        }
    }
    delivered.extend(drain(&mut fabric));
    (delivered, fabric.traffic(LinkId(0)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every message arrives once, no earlier than light and line allow, in order on its connection;
    /// links carry no less than what was sent and are never busier than the time that passed; and the
    /// same seed gives the same.
    #[test]
    fn nothing_is_lost_doubled_or_too_early(
        load in prop::collection::vec((0..200_000_000_u64, 0..3_usize, 1..2_000_000_u64), 1..40),
        loss in prop_oneof![Just(0_u32), 1..20_000_u32],
        seed in any::<u64>(),
    ) {
        let (delivered, traffic) = run(seed, &load, loss);
        prop_assert_eq!(&(delivered.clone(), traffic), &run(seed, &load, loss));
        let mut tags: Vec<_> = delivered.iter().map(|delivered| delivered.tag).collect();
        tags.sort_unstable();
        prop_assert!(tags.into_iter().eq(0..load.len() as u64));
        let mut last = [Instant(0); 3];
        let mut by_tag = delivered;
        by_tag.sort_by_key(|delivered| delivered.tag);
        let mut sent = 0;
        let mut end = 0;
        for (delivered, (after, which, bytes)) in by_tag.iter().zip(&load) {
            sent += after;
            let delay = if which % 3 == 0 { 20_000_000 } else { 10_000_000 };
            let least = delay + whole(seconds(*bytes, 50_000_000) * 1e9);
            prop_assert!(delivered.at.0 + 1_000 >= sent + least, "{:?} {} {}", delivered, sent, least);
            prop_assert!(delivered.at >= last[*which % 3]);
            last[*which % 3] = delivered.at;
            end = end.max(delivered.at.0);
        }
        let crossed = load.iter().filter(|(_, which, _)| which % 3 != 2);
        let crossed: u64 = crossed.map(|(_, _, bytes)| datagram_bytes(*bytes)).sum();
        prop_assert!(traffic.bytes + 2 * load.len() as u64 >= crossed);
        prop_assert!(traffic.busy.as_nanos() <= u128::from(end) + 1_000_000);
    }
}
