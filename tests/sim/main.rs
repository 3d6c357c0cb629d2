//! The session machines over slow, lossy and failing virtual links: the right tokens, or a typed
//! refusal. Not the daemon.

use std::time::Duration;

use comity_netsim::{
    clock::Instant,
    link::Path,
    mesh::{Fault, Outcome, Scenario, run},
    model,
    random::Random,
};
use comity_protocol::{block::BlockRange, receipt::Sampling, refusal::Cause, sampler::Sampler};

const SEEDS: u64 = 400;
const BLOCKS: u32 = 8;
/// Home gives every session this long.
const DEADLINE: Instant = Instant(60_000_000_000);

fn scenario(seed: u64) -> Scenario {
    let mut random = Random::new(seed, 1_000);
    let mut below =
        |bound: u32| u32::try_from(random.below(u64::from(bound))).expect("below a u32");
    let count = 1 + below(4);
    let stages: Vec<_> = (0..count)
        .map(|i| {
            BlockRange::new(i * BLOCKS / count, (i + 1) * BLOCKS / count)
                .expect("at most as many stages as blocks")
        })
        .collect();
    let paths = (0..=count)
        .map(|_| Path {
            delay: Duration::from_millis(u64::from(below(40))),
            bandwidth: 100_000 + u64::from(below(10_000_000)),
            jitter: Duration::from_millis(u64::from(below(20))),
            loss: below(50_000),
            retransmission: Duration::from_millis(200),
        })
        .collect();
    let prompt = (0..=below(300)).map(|_| below(model::VOCAB)).collect();
    let temperature = if below(2) == 0 { 0 } else { 800_000 };
    let sampling = Sampling { temperature, seed, max_tokens: 1 + below(20), ..Sampling::default() };
    let stage = below(count) as usize;
    let at = Instant(u64::from(below(3_000)) * 1_000_000);
    let nth = below(4);
    let fault = match below(12) {
        0 => Some(Fault::Die(stage, at)),
        1 => Some(Fault::Cut(below(count + 1) as usize, at)),
        2 => Some(Fault::Stall(stage, at)),
        3 => Some(Fault::Length(stage, nth)),
        4 => Some(Fault::NotFinite(stage, nth)),
        5 => Some(Fault::Position(stage, nth)),
        6 | 7 => Some(Fault::Repeat(stage, nth)),
        8 => Some(Fault::Receipt(stage)),
        _ => None,
    };
    Scenario { seed, stages, paths, prompt, sampling, fault }
}

fn check(scenario: &Scenario, outcome: &Outcome) -> Result<(), String> {
    let sampler = Sampler::new(&scenario.sampling).expect("parameters in bounds");
    let all = BlockRange::new(0, BLOCKS).expect("not empty");
    let right = model::answer(all, &scenario.prompt, &sampler, scenario.sampling.max_tokens);
    let ending = outcome.ending.as_ref().ok_or("home never ended")?;
    let refusal = ending.refusal.as_ref();
    let require = |holds: bool, what: &str| {
        if holds { Ok(()) } else { Err(format!("{what}; {refusal:?}")) }
    };
    require(ending.output == outcome.tokens, "the ending has other tokens than were given out")?;
    require(right.starts_with(&outcome.tokens), "wrong tokens")?;
    require(outcome.ended <= DEADLINE, "home ended after the deadline")?;
    require(outcome.left.is_empty(), "a stage never ended")?;
    require(outcome.kv.0 == outcome.kv.1, "KV was not freed")?;
    if refusal.is_none() {
        require(outcome.tokens == right, "tokens are missing")?;
        require(ending.receipts.len() == scenario.stages.len(), "a receipt is missing")?;
        require(ending.unsigned_stages.is_empty(), "a stage's span is unsigned")?;
        require(!matches!(scenario.fault, Some(Fault::Receipt(_))), "a false receipt passed")?;
    }
    let cause = refusal.map(|refusal| refusal.cause);
    require(scenario.fault.is_some() || cause.is_none(), "refused without a fault")?;
    require(cause != Some(Cause::Bug), "a peer's fault was taken for a fault of the program")?;
    match scenario.fault {
        Some(Fault::NotFinite(..)) => {
            require(matches!(cause, None | Some(Cause::NotFinite)), "NaN has another cause")
        }
        Some(Fault::Stall(..)) => {
            require(matches!(cause, None | Some(Cause::Timeout)), "a stall has another cause")
        }
        Some(Fault::Die(..) | Fault::Cut(..)) => {
            require(matches!(cause, None | Some(Cause::PeerLost)), "a loss has another cause")
        }
        _ => Ok(()),
    }
}

#[test]
fn every_session_gives_the_right_tokens_or_a_typed_refusal() {
    let (mut whole, mut refused) = (0, 0);
    for seed in 0..SEEDS {
        let scenario = scenario(seed);
        let outcome = run(&scenario).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if let Err(error) = check(&scenario, &outcome) {
            panic!("seed {seed}: {error}\n{scenario:?}");
        }
        let failed = outcome.ending.is_some_and(|ending| ending.refusal.is_some());
        *if failed { &mut refused } else { &mut whole } += 1;
    }
    assert!(whole > SEEDS / 5 && refused > SEEDS / 5, "{whole} whole, {refused} refused");
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in 0..40 {
        let scenario = scenario(seed);
        let (first, second) = (run(&scenario).unwrap(), run(&scenario).unwrap());
        assert!(first.trace == second.trace && !first.trace.is_empty(), "seed {seed}");
    }
}
