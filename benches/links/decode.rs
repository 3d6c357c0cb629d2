//! One stream against the physics: the ring's own time a token and the way round it.

use std::collections::BTreeMap;

use crate::{
    ROUNDS,
    ask::{PROMPT, Times, ask},
    harness::{Bench, Spread, say},
    load::undisturbed,
    network::{Link, Network},
};

/// Tokens of one answer.
const TOKENS: u32 = 48;
/// Round trips, milliseconds.
const ROUND_TRIPS: [f64; 4] = [0.0, 10.0, 50.0, 100.0];
/// Shares of packets lost.
const LOSSES: [f64; 2] = [0.0, 0.01];

pub(crate) async fn run(bench: &Bench) {
    let mut networks = vec![Network::direct(bench).await];
    for loss in LOSSES {
        for round_trip in ROUND_TRIPS {
            networks.push(Network::start(bench, Link { round_trip, loss }).await);
        }
    }
    let mut expected: Option<Vec<u32>> = None;
    let mut samples: BTreeMap<usize, Vec<Times>> = BTreeMap::new();
    for round in 0..=ROUNDS {
        for place in 0..networks.len() {
            // Whoever comes first in one round comes later in the next.
            let place = (place + round) % networks.len();
            let ring = &networks[place].ring;
            let times = undisturbed(async || ask(ring, PROMPT, TOKENS, |_| ()).await).await;
            let ids = expected.get_or_insert_with(|| times.ids.clone());
            assert_eq!(*ids, times.ids, "no link changes an answer");
            // The first round opens connections.
            if round > 0 {
                samples.entry(place).or_default().push(times);
            }
        }
    }
    say("\ndecode: round trips, as the sending end of each hop measured them");
    networks.iter().for_each(Network::report);
    table(bench, &networks, &samples);
    for network in networks {
        network.stop().await;
    }
}

fn table(bench: &Bench, networks: &[Network], samples: &BTreeMap<usize, Vec<Times>>) {
    let row = bench.file.manifest().expect("the model can be read").hidden_bytes();
    let base: Vec<f64> = samples[&0].iter().map(|times| 1.0 / times.rate()).collect();
    say(&format!(
        "\ndecode, one stream\n{:<20}{:>24}{:>24}{:>12}{:>12}{:>10}",
        "", "tokens/s", "of the formula", "p50, ms", "p99, ms", "p99/p50"
    ));
    for (place, network) in networks.iter().enumerate() {
        let times = &samples[&place];
        let rate = Spread::of(times.iter().map(Times::rate));
        let way = network.link.map_or(0.0, |link| link.traversal(row));
        let share = times.iter().zip(&base).map(|(times, base)| times.rate() * (base + way));
        let share = Spread::of(share);
        let mut gaps: Vec<f64> = times.iter().flat_map(Times::gaps).collect();
        gaps.sort_by(f64::total_cmp);
        let (half, tail) = (gaps[gaps.len() / 2], gaps[gaps.len() * 99 / 100]);
        say(&format!(
            "{:<20}{:>24}{:>24}{:>12.1}{:>12.1}{:>10.2}",
            network.link.map_or_else(|| "no link".to_owned(), Link::name),
            format!("{:.1} ({:.1} to {:.1})", rate.median, rate.least, rate.most),
            format!("{:.3} ({:.3} to {:.3})", share.median, share.least, share.most),
            half * 1e3,
            tail * 1e3,
            tail / half,
        ));
    }
}
