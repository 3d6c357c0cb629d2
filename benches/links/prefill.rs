//! The first token of a long prompt: chunks should flow while earlier ones compute.

use crate::{
    ROUNDS,
    ask::{ask, prompt},
    harness::{Bench, Spread, say},
    load::undisturbed,
    network::{Link, Network},
};

/// Tokens of the prompt.
const PROMPT_TOKENS: usize = 1_024;
/// Positions of a chunk, as home cuts them.
const CHUNK: usize = 128;
const LINK: Link = Link { round_trip: 20.0, loss: 0.0 };

pub(crate) async fn run(bench: &Bench) {
    let networks = [Network::direct(bench).await, Network::start(bench, LINK).await];
    let mut firsts = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (network, firsts) in networks.iter().zip(&mut firsts) {
            // Another prompt in every round, so that nothing could be kept of the last.
            let text = prompt(bench, &format!("{round}."), PROMPT_TOKENS);
            let ring = &network.ring;
            let times = undisturbed(async || ask(ring, &text, 1, |_| ()).await).await;
            if round > 0 {
                firsts.push(times.first());
            }
        }
    }
    say("\nprefill: round trips, as the sending end of each hop measured them");
    networks.iter().for_each(Network::report);
    let chunk = CHUNK * bench.file.manifest().expect("the model can be read").hidden_bytes();
    let way = LINK.traversal(chunk);
    say(&format!(
        "\nprefill, first token of a prompt of {PROMPT_TOKENS}; one traversal of the first chunk \
         takes {:.0} ms",
        way * 1e3
    ));
    for (network, firsts) in networks.iter().zip(&firsts) {
        let first = Spread::of(firsts.iter().map(|first| first * 1e3));
        say(&format!(
            "{:<20}{:>32}",
            network.link.map_or_else(|| "no link".to_owned(), Link::name),
            format!("{:.0} ({:.0} to {:.0}) ms", first.median, first.least, first.most),
        ));
    }
    let ratio = firsts[1].iter().zip(&firsts[0]).map(|(with, without)| with / (without + way));
    let ratio = Spread::of(ratio);
    say(&format!(
        "over compute and one traversal, same round: {:.3} ({:.3} to {:.3})",
        ratio.median, ratio.least, ratio.most
    ));
    for network in networks {
        network.stop().await;
    }
}
