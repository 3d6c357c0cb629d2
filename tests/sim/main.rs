//! The session machines over slow, lossy and failing virtual links: the right tokens, or a typed
//! refusal. Not the daemon.

use std::time::Duration;

use comity_netsim::{
    clock::Instant,
    link::Path,
    mesh::{Fault, Kept, Outcome, Scenario, run},
    model,
    random::Random,
};
use comity_protocol::{
    block::BlockRange, prefix, receipt::Sampling, refusal::Cause, sampler::Sampler,
    speculation::Drafts,
};

const SEEDS: u64 = 400;
const BLOCKS: u32 = 8;
/// Home gives every session this long.
const DEADLINE: Instant = Instant(60_000_000_000);
/// What is under way then may still arrive.
const QUIET: Instant = Instant(70_000_000_000);

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
            queue: 2_000 + u64::from(below(100_000)),
            loss: below(50_000),
            retransmission: Duration::from_millis(200),
        })
        .collect();
    let prompt: Vec<_> = (0..=below(300)).map(|_| below(model::VOCAB)).collect();
    // The last token is always sent: what follows it is asked for.
    let pages = u32::try_from(prefix::whole_pages(length(&prompt) - 1)).expect("few");
    let keeps = below(3) > 0;
    let kept = (0..count).map(|_| if keeps { below(pages + 1) as usize } else { 0 }).collect();
    let temperature = if below(2) == 0 { 0 } else { 800_000 };
    let sampling = Sampling { temperature, seed, max_tokens: 1 + below(40), ..Sampling::default() };
    let stage = below(count) as usize;
    let at = Instant(u64::from(below(3_000)) * 1_000_000);
    let nth = below(4);
    let storage = Duration::from_millis(u64::from(below(300)));
    let fault = match below(15) {
        0 => Some(Fault::Die(stage, at)),
        1 => Some(Fault::Cut(below(count + 1) as usize, at)),
        2 => Some(Fault::Stall(stage, at)),
        3 => Some(Fault::Length(stage, nth)),
        4 => Some(Fault::NotFinite(stage, nth)),
        5 => Some(Fault::Position(stage, nth)),
        6 | 7 => Some(Fault::Repeat(stage, nth)),
        8 => Some(Fault::Receipt(stage)),
        9 => Some(Fault::Garbage(stage, nth)),
        10 => Some(Fault::HomeDie(at)),
        11 => Some(Fault::HomeStall(at)),
        _ => None,
    };
    let drafts = Drafts { most: below(3) * 7, model: below(2) == 1 };
    let draft_skill = below(101);
    Scenario { seed, stages, paths, prompt, kept, sampling, storage, drafts, draft_skill, fault }
}

fn length(tokens: &[u32]) -> u32 {
    u32::try_from(tokens.len()).expect("a short text")
}

fn check(scenario: &Scenario, outcome: &Outcome) -> Result<(), String> {
    let sampler = Sampler::new(&scenario.sampling).expect("parameters in bounds");
    let all = BlockRange::new(0, BLOCKS).expect("not empty");
    let right = model::answer(all, &scenario.prompt, &sampler, scenario.sampling.max_tokens);
    let require = |holds: bool, what: &str| {
        let refusal = outcome.ending.as_ref().and_then(|ending| ending.refusal.as_ref());
        if holds { Ok(()) } else { Err(format!("{what}; {refusal:?}")) }
    };
    require(right.starts_with(&outcome.tokens), "wrong tokens")?;
    require(!outcome.leaked, "P2: a step left home before its record was durable")?;
    require(outcome.left.is_empty(), "a stage never ended")?;
    require(outcome.kv.0 == outcome.kv.1, "KV was not freed")?;
    let text = [scenario.prompt.as_slice(), &right].concat();
    let honest = outcome.kept.iter().flatten().all(|kept| is_of(kept, &text));
    require(honest, "a stage kept what is not of this text")?;
    require(outcome.quiet <= QUIET, "something went on after the deadline")?;
    let Some(ending) = &outcome.ending else {
        let gone = matches!(scenario.fault, Some(Fault::HomeDie(_) | Fault::HomeStall(_)));
        return require(gone, "home never ended");
    };
    require(ending.output == outcome.tokens, "the ending has other tokens than were given out")?;
    require(outcome.ended <= DEADLINE, "home ended after the deadline")?;
    if let Some(refusal) = &ending.refusal {
        let fault = scenario.fault.ok_or_else(|| format!("refused without a fault: {refusal}"))?;
        let (cause, stage) = expected(fault);
        require(refusal.cause == cause, "the fault has another cause")?;
        let near = stage.is_none_or(|stage| refusal.stage.abs_diff(stage) <= 1);
        return require(near, "the refusal names neither the culprit nor who found it");
    }
    require(outcome.tokens == right, "tokens are missing")?;
    let cached = prefix::positions(scenario.kept.iter().copied().min().unwrap_or(0));
    require(ending.cached == cached, "what all stages held was computed again")?;
    let pages = prefix::whole_pages(length(&text) - 1);
    let kept = |kept: &Option<Kept>| kept.as_ref().is_some_and(|kept| kept.prefix == ending.kept);
    require(ending.kept.len() == pages, "pages were not named")?;
    require(outcome.kept.iter().all(kept), "a stage did not keep what was named")?;
    require(ending.receipts.len() == scenario.stages.len(), "a receipt is missing")?;
    require(ending.unsigned_stages.is_empty(), "a stage's span is unsigned")?;
    require(!matches!(scenario.fault, Some(Fault::Receipt(_))), "a false receipt passed")
}

/// Whether `kept` is what `text` makes of its blocks.
fn is_of(kept: &Kept, text: &[u32]) -> bool {
    let end = prefix::positions(kept.prefix.len()) as usize;
    let (received, sent) = model::crossing(kept.blocks, &text[..end]);
    let rows = received.iter().zip(&sent).map(|(input, output)| model::digests(input, output));
    rows.eq(kept.rows.iter().copied())
}

/// The cause that a fault must have, and the culprit if it is a stage that lies.
fn expected(fault: Fault) -> (Cause, Option<u32>) {
    let stage = |stage: usize| u32::try_from(stage).ok();
    match fault {
        Fault::Die(..) | Fault::Cut(..) | Fault::HomeDie(_) => (Cause::PeerLost, None),
        Fault::Stall(..) | Fault::HomeStall(_) => (Cause::Timeout, None),
        Fault::Length(at, _) | Fault::Garbage(at, _) => (Cause::Violation, stage(at)),
        Fault::NotFinite(at, _) => (Cause::NotFinite, stage(at)),
        Fault::Position(at, _) => (Cause::PositionMismatch, stage(at)),
        Fault::Repeat(..) => (Cause::PositionMismatch, None),
        Fault::Receipt(at) => (Cause::Violation, stage(at)),
    }
}

#[test]
fn every_session_gives_the_right_tokens_or_a_typed_refusal() {
    let (mut whole, mut refused, mut cached) = (0, 0, 0);
    for seed in 0..SEEDS {
        let scenario = scenario(seed);
        let outcome = run(&scenario).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        if let Err(error) = check(&scenario, &outcome) {
            panic!("seed {seed}: {error}\n{scenario:?}");
        }
        let Some(ending) = outcome.ending else { continue };
        let failed = ending.refusal.is_some();
        cached += u64::from(!failed && ending.cached > 0);
        *if failed { &mut refused } else { &mut whole } += 1;
    }
    assert!(whole > SEEDS / 5 && refused > SEEDS / 5, "{whole} whole, {refused} refused");
    assert!(cached > SEEDS / 20, "{cached} sessions found a prefix");
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for seed in 0..40 {
        let scenario = scenario(seed);
        let (first, second) = (run(&scenario).unwrap(), run(&scenario).unwrap());
        assert!(first.trace == second.trace && !first.trace.is_empty(), "seed {seed}");
    }
}

#[test]
fn what_stages_signed_on_the_way_outlives_a_broken_session() {
    let mut scenario = scenario(0);
    let path = Path { loss: 0, queue: u64::MAX, ..scenario.paths[0] };
    let blocks = |start, end| BlockRange::new(start, end).unwrap();
    (scenario.stages, scenario.paths) = (vec![blocks(0, 4), blocks(4, BLOCKS)], vec![path; 3]);
    // Past one receipt interval; the last stage's third answer is broken.
    scenario.prompt = (0..300).map(|position| position % model::VOCAB).collect();
    scenario.sampling.max_tokens = 20;
    scenario.drafts = Drafts::default();
    scenario.kept = vec![0; 2];
    scenario.fault = Some(Fault::NotFinite(1, 2));
    let outcome = run(&scenario).unwrap();
    check(&scenario, &outcome).unwrap();
    let ending = outcome.ending.unwrap();
    assert_eq!((ending.output.len(), ending.receipts.len()), (2, 2), "{:?}", ending.refusal);
    assert_eq!(ending.unsigned_stages, [0, 1], "the last span is unsigned");
}
