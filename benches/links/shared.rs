//! One stream decodes while another prefills over the same links: chunks should not hold tokens up.

use tokio::sync::oneshot;

use crate::{
    ROUNDS,
    ask::{PROMPT, ask, prompt},
    harness::{Bench, Spread, say},
    load::undisturbed,
    network::{Link, Network},
};

/// Tokens of the answer that is watched: more than come while the other prompt is computed.
const TOKENS: u32 = 64;
/// Its token after which the other prompt is sent.
const AFTER: usize = 4;
/// Tokens of the other prompt.
const PROMPT_TOKENS: usize = 1_024;
const LINKS: [Link; 3] = [
    Link { round_trip: 20.0, loss: 0.0 },
    Link { round_trip: 50.0, loss: 0.0 },
    Link { round_trip: 50.0, loss: 0.01 },
];

/// Gaps between tokens, seconds.
#[derive(Default)]
struct Sample {
    /// While the other prompt was computed.
    during: Vec<f64>,
    /// At other times.
    alone: Vec<f64>,
    /// First tokens of the other prompt.
    first: Vec<f64>,
}

pub(crate) async fn run(bench: &Bench) {
    let mut networks = vec![(Network::direct(bench).await, Sample::default())];
    for link in LINKS {
        networks.push((Network::start(bench, link).await, Sample::default()));
    }
    for round in 0..=ROUNDS {
        for (network, sample) in &mut networks {
            let text = prompt(bench, &format!("{round}."), PROMPT_TOKENS);
            let one = undisturbed(async || both(network, &text).await).await;
            if round > 0 {
                sample.during.extend(one.during);
                sample.alone.extend(one.alone);
                sample.first.extend(one.first);
            }
        }
    }
    say("\nshared: round trips, as the sending end of each hop measured them");
    networks.iter().for_each(|(network, _)| network.report());
    say(&format!(
        "\nshared, ms between tokens while another prompt of {PROMPT_TOKENS} is computed\n\
         {:<20}{:>12}{:>10}{:>10}{:>10}{:>32}",
        "", "alone p50", "p50", "p90", "most", "the prompt's first token"
    ));
    for (network, sample) in networks {
        let Sample { during, alone, first } = sample;
        let first = Spread::of(first.iter().map(|first| first * 1e3));
        say(&format!(
            "{:<20}{:>12.1}{:>10.1}{:>10.1}{:>10.1}{:>32}",
            network.link.map_or_else(|| "no link".to_owned(), Link::name),
            share(alone, 50),
            share(during.clone(), 50),
            share(during.clone(), 90),
            share(during, 100),
            format!("{:.0} ({:.0} to {:.0})", first.median, first.least, first.most),
        ));
        network.stop().await;
    }
}

/// The value that `percent` of `seconds` do not pass, milliseconds.
fn share(mut seconds: Vec<f64>, percent: usize) -> f64 {
    seconds.sort_by(f64::total_cmp);
    let last = seconds.len().saturating_sub(1);
    seconds.get(last * percent / 100).map_or(f64::NAN, |value| value * 1e3)
}

async fn both(network: &Network, text: &str) -> Sample {
    let (go, gone) = oneshot::channel();
    let mut go = Some(go);
    let begun = std::time::Instant::now();
    let watched = ask(&network.ring, PROMPT, TOKENS, |count| {
        if count == AFTER
            && let Some(go) = go.take()
        {
            // The other request waits for it below.
            let _ = go.send(begun.elapsed().as_secs_f64());
        }
    });
    let other = async {
        let start = gone.await.expect("the watched answer goes on");
        (start, ask(&network.ring, text, 1, |_| ()).await.first())
    };
    let (watched, (start, first)) = tokio::join!(watched, other);
    let mut sample = Sample { first: vec![first], ..Sample::default() };
    for pair in watched.tokens.windows(2) {
        let gap = pair[1] - pair[0];
        // A gap belongs to the prompt if they overlap.
        let is_during = pair[1] > start && pair[0] < start + first;
        if is_during { sample.during.push(gap) } else { sample.alone.push(gap) }
    }
    sample
}
