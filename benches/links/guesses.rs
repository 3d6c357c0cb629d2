//! One stream with and without guesses, quoting and telling something new.

use std::collections::BTreeMap;

use comity_protocol::{receipt::Sampling, request::Generate, speculation::DRAFTS_MAX};

use crate::{
    ROUNDS,
    ask::{PROMPT, Times, ask_for},
    harness::{Bench, Spread, say},
    network::{Link, Network},
    ring::Shortcuts,
};

/// Tokens of one answer.
const TOKENS: u32 = 40;
/// Round trips, milliseconds.
const ROUND_TRIPS: [f64; 4] = [0.0, 10.0, 50.0, 100.0];
/// What is to be quoted.
const QUOTED: &str = "The keeper of the lighthouse wrote every evening in a green book: the wind, \
    the height of the waves, the names of ships that passed, and what he had eaten. On the first of \
    March he wrote that a heron had come to stay on the rocks below, and that he had given it a \
    herring, which it took from his hand without fear and carried away to the north.";

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// Greedy, to a text that stands twice in the prompt and has begun a third time.
    Quote,
    /// Drawn at a temperature of 0.8: greedy answers of small models go in circles.
    Novel,
}

impl Task {
    fn request(self, network: &Network, round: usize) -> Generate {
        let ring = &network.ring;
        if self == Self::Quote {
            let prompt = format!("{QUOTED}\n\n{QUOTED}\n\nThe keeper of the lighthouse wrote");
            return ring.request(&prompt, TOKENS);
        }
        let seed = round as u64;
        let sampling =
            Sampling { temperature: 800_000, seed, max_tokens: TOKENS, ..Sampling::default() };
        Generate { sampling, ..ring.request(PROMPT, TOKENS) }
    }
}

pub(crate) async fn run(bench: &Bench) {
    let mut networks = Vec::new();
    for round_trip in ROUND_TRIPS {
        let link = Link { round_trip, loss: 0.0 };
        for draft_tokens in [0, DRAFTS_MAX] {
            networks.push(
                Network::with(bench, link, Shortcuts { draft_tokens, ..Shortcuts::default() })
                    .await,
            );
        }
    }
    let mut samples: BTreeMap<(Task, usize), Vec<Times>> = BTreeMap::new();
    for round in 0..=ROUNDS {
        for task in [Task::Quote, Task::Novel] {
            let mut expected: Option<Vec<u32>> = None;
            for place in 0..networks.len() {
                // Whoever comes first in one round comes later in the next.
                let place = (place + round) % networks.len();
                let network = &networks[place];
                let times = ask_for(&network.ring, task.request(network, round), |_| ()).await;
                let ids = expected.get_or_insert_with(|| times.ids.clone());
                assert_eq!(*ids, times.ids, "neither links nor guesses change an answer");
                // The first round opens connections.
                if round > 0 {
                    samples.entry((task, place)).or_default().push(times);
                }
            }
        }
    }
    table(&networks, &samples);
    for network in networks {
        network.stop().await;
    }
}

fn table(networks: &[Network], samples: &BTreeMap<(Task, usize), Vec<Times>>) {
    say(&format!(
        "\nguesses, one stream\n{:<10}{:<20}{:>24}{:>24}{:>22}",
        "", "", "tokens/s without", "with", "ratio"
    ));
    for ((task, place), plain) in samples.iter().filter(|((_, place), _)| place % 2 == 0) {
        let guessed = &samples[&(*task, place + 1)];
        let rates = |times: &[Times]| Spread::of(times.iter().map(Times::rate));
        let ratios = guessed.iter().zip(plain).map(|(with, without)| with.rate() / without.rate());
        let task = format!("{task:?}").to_lowercase();
        let link = networks[*place].link.map_or_else(String::new, Link::name);
        say(&format!(
            "{task:<10}{link:<20}{:>24}{:>24}{:>22}",
            rates(plain).show(1),
            rates(guessed).show(1),
            Spread::of(ratios).show(2),
        ));
    }
}
