//! Promise P8 on the default model: whatever happens around a position, its bytes stay. The fixtures
//! have the same in the shard's own tests, over more cases; this has real widths and depths.

use comity_protocol::{block::BlockRange, id::SessionId};
use comity_shard::{Compute, Home, InstructionSet, ModelFile, Shard, Step};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::swarm::default_model;

/// Runs of the model; one on plain Rust takes seconds.
const CASES: u32 = 4;
/// Positions of the prompt: attention has two tiles.
const PROMPT: u32 = 133;
/// How a run is cut and what runs beside it.
#[derive(Debug, Clone)]
struct Surroundings {
    /// Blocks at which stages end, but for the last.
    cuts: Vec<u32>,
    /// Positions of one prefill chunk.
    chunk: usize,
    companions: u8,
    threads: usize,
    set: usize,
}

fn surroundings() -> impl Strategy<Value = Surroundings> {
    let cuts = prop::collection::btree_set(1_u32..30, 0..4);
    (cuts, 1..=PROMPT as usize, 0_u8..3, 1_usize..5, 0_usize..8).prop_map(
        |(cuts, chunk, companions, threads, set)| Surroundings {
            cuts: cuts.into_iter().collect(),
            chunk,
            companions,
            threads,
            set,
        },
    )
}

/// Hidden states after the last block of the prompt and two more positions, and their logits.
fn run(file: &ModelFile, with: &Surroundings) -> Vec<u32> {
    let manifest = file.manifest().unwrap();
    let sets = InstructionSet::available();
    let compute = Compute::new(with.threads).with_set(sets[with.set % sets.len()]);
    let mut home = Home::load(file, &manifest).unwrap();
    home.set_compute(compute.clone());
    let sessions: Vec<_> = (0..=with.companions).map(|index| SessionId([1 + index; 16])).collect();
    let starts = std::iter::once(0).chain(with.cuts.iter().copied());
    let ends = with.cuts.iter().copied().chain([manifest.block_count]);
    let mut stages: Vec<_> = starts
        .zip(ends)
        .map(|(start, end)| {
            let range = BlockRange::new(start, end).unwrap();
            let mut shard = Shard::load(file, range, &manifest).unwrap();
            shard.set_compute(compute.clone());
            sessions.iter().for_each(|&session| shard.open_session(session, 256).unwrap());
            shard
        })
        .collect();
    let tokens: Vec<u32> = (0..PROMPT + 2).map(|i| 100 + i * i * 37 % 4_000).collect();
    let (prompt, rest) = tokens.split_at(PROMPT as usize);
    let (mut made, mut position) = (Vec::new(), 0);
    for chunk in prompt.chunks(with.chunk).chain(rest.chunks(1)) {
        let mut rows: Vec<_> = sessions.iter().map(|_| home.embed(chunk).unwrap()).collect();
        // Companions are at the same place but say other things.
        rows.iter_mut().skip(1).flatten().for_each(|value| *value *= -0.5);
        for stage in &mut stages {
            let steps: Vec<_> = std::iter::zip(&sessions, &rows)
                .map(|(&session, rows)| Step { session, start: position, hidden: rows })
                .collect();
            rows = stage.forward_all(&steps).into_iter().map(Result::unwrap).collect();
        }
        position += u32::try_from(chunk.len()).unwrap();
        made.extend_from_slice(&rows[0]);
    }
    let last: Vec<_> = made.chunks(manifest.hidden_size as usize).rev().take(3).collect();
    let logits = home.logits_all(&last).into_iter().flat_map(Result::unwrap);
    made.iter().copied().chain(logits).map(f32::to_bits).collect()
}

#[tokio::test]
async fn p8_nothing_around_a_position_changes_its_bytes_on_the_default_model() {
    let Some(path) = default_model().await else { return };
    let file = ModelFile::open(&path).unwrap();
    let plain =
        Surroundings { cuts: vec![], chunk: PROMPT as usize, companions: 0, threads: 1, set: 7 };
    let expected = run(&file, &plain);
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() };
    let rng = prop::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    runner
        .run(&surroundings(), |with| {
            prop_assert!(run(&file, &with) == expected, "bytes changed");
            Ok(())
        })
        .unwrap();
}
