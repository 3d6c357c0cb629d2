//! The second turn of a conversation: what the first one left with the stages is not computed again.

use crate::{
    ROUNDS,
    ask::{Times, ask, prompt},
    harness::{Bench, Spread, say},
    load::undisturbed,
    network::{Link, Network},
    ring::Shortcuts,
};

/// Tokens of the first turn's prompt.
const PROMPT_TOKENS: usize = 1_024;
/// What the second turn adds to it.
const ADDED: &str = " In the second year I went back and found that";
const ROUND_TRIPS: [f64; 3] = [0.0, 20.0, 100.0];

pub(crate) async fn run(bench: &Bench) {
    let mut networks = Vec::new();
    for round_trip in ROUND_TRIPS {
        for prefix_cache in [false, true] {
            let shortcuts = Shortcuts { prefix_cache, ..Shortcuts::default() };
            let link = Link { round_trip, loss: 0.0 };
            networks.push(Network::with(bench, link, shortcuts).await);
        }
    }
    let mut samples = vec![Vec::new(); networks.len()];
    for round in 0..=ROUNDS {
        let first = prompt(bench, &format!("{round}."), PROMPT_TOKENS);
        let mut answers = Vec::new();
        for (network, samples) in networks.iter().zip(&mut samples) {
            let ring = &network.ring;
            undisturbed(async || ask(ring, &first, 1, |_| ()).await).await;
            let second = format!("{first}{ADDED}");
            let times = undisturbed(async || ask(ring, &second, 1, |_| ()).await).await;
            answers.push(times.ids.clone());
            // The first round opens connections.
            if round > 0 {
                samples.push(times);
            }
        }
        assert!(answers.iter().all(|ids| *ids == answers[0]), "what is kept changes no answer");
    }
    say(&format!(
        "\nturns, first token of a second turn after {PROMPT_TOKENS} tokens, ms\n{:<20}{:>22}{:>22}{:>24}",
        "", "computed again", "kept", "kept over computed"
    ));
    for (pair, network) in samples.chunks(2).zip(networks.iter().step_by(2)) {
        let firsts = |times: &[Times]| Spread::of(times.iter().map(|times| times.first() * 1e3));
        let ratios = pair[1].iter().zip(&pair[0]).map(|(kept, again)| kept.first() / again.first());
        say(&format!(
            "{:<20}{:>22}{:>22}{:>24}",
            network.link.map_or_else(String::new, Link::name),
            firsts(&pair[0]).show(0),
            firsts(&pair[1]).show(0),
            Spread::of(ratios).show(3),
        ));
    }
    for network in networks {
        network.stop().await;
    }
}
