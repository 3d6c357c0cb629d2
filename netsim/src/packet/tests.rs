//! Packets against closed forms, and the fluid against packets.

use super::*;
use crate::fabric::{Fabric, LinkId, Sent};

/// Links compared, the longest message, and bytes of packets that each lossy link is worth.
const QUICK: (usize, u64, u64) = (60, 4_000_000, 8 << 20);
/// The same where the environment variable `COMITY_LINKS` says how many.
const FULL: (u64, u64) = (64_000_000, 32 << 20);

/// When connections have settled.
const START: Instant = Instant(5_000_000_000);

fn link(rate: u64, delay_ms: u64, loss: u32) -> Link {
    let delay = Duration::from_millis(delay_ms);
    let queue = (rate / 8 * 2 * delay_ms / 1_000).max(64 << 10);
    Link { rate, delay, jitter: Duration::ZERO, loss, queue }
}

#[track_caller]
fn near(value: f64, expected: f64, share: f64) {
    assert!((value / expected - 1.0).abs() <= share, "{value}, not {expected}");
}

#[test]
fn a_single_packet_takes_the_delay_and_its_size_over_the_rate() {
    let mut oracle = Oracle::new(link(1_000_000, 20, 0), &Quic::QUINN, 1, 1);
    oracle.run(Some(START));
    oracle.send(START, 0, 1_000);
    let delivered = oracle.run(None);
    assert_eq!(delivered.len(), 1);
    // Header, tag and frame of QUIC take some 30 bytes, those of UDP 28.
    let took = (delivered[0].at.0 - START.0) as f64 / 1e9;
    near(took, 0.020 + 1_058.0 * 8.0 / 1e6, 0.01);
}

#[test]
fn defaults_make_a_prefill_take_nineteen_round_trips_in_packets_as_well() {
    let case = Case {
        link: link(1_000_000_000, 50, 0),
        bytes: 16_400_000,
        gap: Duration::from_secs(1),
        quic: Quic::QUINN,
    };
    let (packets, fluid) = (case.packets(1), case.fluid(1));
    near(packets[0], 1.9, 0.12);
    near(fluid[0], packets[0], 0.05);
    near(fluid[1], packets[1], 0.05);
}

#[test]
fn the_same_seed_loses_the_same_packets_and_no_message() {
    let run = |seed| {
        let mut oracle = Oracle::new(link(20_000_000, 10, 20_000), &Quic::QUINN, 2, seed);
        for n in 0..40 {
            oracle.send(START + Duration::from_millis(13 * n), (n % 2) as usize, 3_000 * n + 1);
        }
        oracle.run(None)
    };
    let delivered = run(1);
    assert_eq!(delivered, run(1));
    assert_ne!(delivered, run(2));
    for connection in 0..2 {
        let of = delivered.iter().filter(|delivered| delivered.connection == connection);
        assert!(of.map(|delivered| delivered.message).eq(0..20));
    }
    assert!(delivered.is_sorted_by_key(|delivered| delivered.at));
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn the_fluid_follows_the_packets_over_random_links() {
    let asked = std::env::var("COMITY_LINKS").ok().and_then(|links| links.parse().ok());
    let (links, bytes_max, effort) = asked.map_or(QUICK, |links| (links, FULL.0, FULL.1));
    let all = compare(2, links, bytes_max, effort);
    all.iter().for_each(|comparison| println!("{comparison}"));
    let [median, most] = [0.5, 0.95].map(|share| quantile(&all, share));
    println!(
        "{links} links: half within {:.1} %, 95 % within {:.1} %",
        median * 100.0,
        most * 100.0
    );
    assert!(median <= 0.10, "{median}");
    assert!(most <= 0.25, "{most}");
}

/// Seconds until each of `sizes`, on connections of their own over one link, is there: as packets and
/// as a fluid.
fn together(link: Link, quic: Quic, sizes: &[u64]) -> Vec<[f64; 2]> {
    let mut oracle = Oracle::new(link, &quic, sizes.len(), 1);
    let mut fabric = Fabric::new(&[link; 2], 1);
    oracle.run(Some(START));
    for (n, bytes) in sizes.iter().enumerate() {
        oracle.send(START, n, *bytes);
        let connection = fabric.connect(&[LinkId(0)], &[LinkId(1)], quic);
        assert_eq!(fabric.send(START, connection, *bytes, n as u64), Sent::Flows);
    }
    let mut delivered = Vec::new();
    while let Some(at) = fabric.next_at() {
        fabric.advance(at, &mut delivered);
    }
    delivered.sort_by_key(|delivered| delivered.tag);
    let mut packets = oracle.run(None);
    packets.sort_by_key(|delivered| delivered.connection);
    let both = packets.iter().zip(&delivered);
    both.map(|(packet, fluid)| [packet.at, fluid.at].map(|at| (at.0 - START.0) as f64 / 1e9))
        .collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is the result")]
fn four_connections_share_a_link_as_their_packets_do() {
    let equal = [6_000_000; 4];
    let mixed = [500_000, 2_000_000, 6_000_000, 12_000_000];
    for (link, quic, sizes) in [
        (link(100_000_000, 10, 0), Quic::QUINN, equal),
        (link(100_000_000, 10, 0), Quic::NEIGHBOUR, mixed),
        (link(1_000_000_000, 25, 0), Quic::QUINN, mixed),
        (link(1_000_000_000, 2, 0), Quic::NEIGHBOUR, equal),
    ] {
        let took = together(link, quic, &sizes);
        took.iter().for_each(|[packet, fluid]| println!("{packet:.4} s as packets, {fluid:.4} s"));
        let mean = |n: usize| took.iter().map(|took| took[n]).sum::<f64>() / took.len() as f64;
        let last = |n: usize| took.iter().map(|took| took[n]).fold(0.0, f64::max);
        near(mean(1), mean(0), 0.15);
        // Who loses a packet in a full queue, and is slow thereafter, is chance.
        near(last(1), last(0), 0.25);
    }
}
