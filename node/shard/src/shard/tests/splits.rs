//! Promise P8: a position's bytes do not depend on the cut, the chunks or the thread count.

use comity_protocol::{block::BlockRange, id::SessionId};

use super::{Fixture, SESSION, bits, tokens};
use crate::{Compute, InstructionSet, Step, fixture::BLOCKS, shard::OpenSessionError};

/// Every way to cut the blocks into one to four stages: each stage's end.
fn cuts() -> Vec<Vec<u32>> {
    let ends = |mask: u32| (1..BLOCKS).filter(move |end| mask >> (end - 1) & 1 == 1);
    (0..1_u32 << (BLOCKS - 1))
        .map(|mask| ends(mask).chain([BLOCKS]).collect::<Vec<_>>())
        .filter(|cut| cut.len() <= 4)
        .collect()
}

/// Hidden states of a prefill and of three decode steps, through the stages of `cut`.
fn run(fixture: &Fixture, cut: &[u32]) -> Vec<u32> {
    let starts = [0].into_iter().chain(cut.iter().copied());
    let mut stages: Vec<_> =
        starts.zip(cut).map(|(start, &end)| fixture.shard(start, end)).collect();
    let home = fixture.home();
    let mut all = Vec::new();
    let mut position = 0;
    for step in [tokens(21), vec![30], vec![31], vec![32]] {
        let mut rows = home.embed(&step).unwrap();
        for stage in &mut stages {
            rows = stage.forward(&SESSION, position, &rows).unwrap();
        }
        position += step.len() as u32;
        all.extend(bits(&rows));
    }
    all
}

#[test]
fn p8_every_cut_into_one_to_four_stages_gives_the_same_bytes() {
    assert_eq!(cuts().len(), 1 + 5 + 10 + 10);
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let whole = run(&fixture, &[BLOCKS]);
        for cut in cuts() {
            assert!(run(&fixture, &cut) == whole, "cut at {cut:?} changes bytes");
        }
    }
}

#[test]
fn p8_every_chunking_of_a_prefill_gives_the_same_bytes() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let rows = fixture.home().embed(&tokens(70)).unwrap();
        let hidden = fixture.manifest.hidden_size as usize;
        let whole = bits(&fixture.shard(0, BLOCKS).forward(&SESSION, 0, &rows).unwrap());
        for chunk in [1, 3, 16, 32, 33, 69] {
            let mut shard = fixture.shard(0, BLOCKS);
            let mut chunked = Vec::new();
            for rows in rows.chunks(chunk * hidden) {
                let start = shard.positions(&SESSION).unwrap();
                chunked.extend(bits(&shard.forward(&SESSION, start, rows).unwrap()));
            }
            assert!(chunked == whole, "chunks of {chunk} change bytes");
        }
    }
}

#[test]
fn p8_neither_threads_nor_instruction_set_change_bytes() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let home = fixture.home();
        // Three tiles of attention: a prefill walks them row by row, a single position shares them out.
        let (prompt, row) = (home.embed(&tokens(290)).unwrap(), home.embed(&tokens(1)).unwrap());
        let run = |compute: Compute| {
            let (mut home, mut shard) = (fixture.home(), fixture.shard(0, BLOCKS));
            shard.set_compute(compute.clone());
            home.set_compute(compute);
            let rows = shard.forward(&SESSION, 0, &prompt).unwrap();
            let last = shard.forward(&SESSION, 290, &row).unwrap();
            let logits = home.logits(&last).unwrap();
            [bits(&rows), bits(&last), bits(&logits)].concat()
        };
        let reference = run(Compute::new(1).with_set(InstructionSet::Portable));
        for set in InstructionSet::available() {
            for threads in [1, 2, 3, 5] {
                let got = run(Compute::new(threads).with_set(set));
                assert!(got == reference, "{set:?} on {threads} threads changes bytes");
            }
        }
    }
}

/// Step `round` of session `index` among companions: prefills of several lengths, then decode steps.
fn companion_step(index: u32, round: u32) -> Vec<u32> {
    let count = if round == index % 3 { 9 + 5 * index } else { 1 };
    tokens(80)[(index + 3 * round) as usize..][..count as usize].to_vec()
}

#[test]
fn p8_company_in_a_batch_does_not_change_bytes() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let home = fixture.home();
        let mut together = fixture.shard(0, BLOCKS);
        let ids: Vec<_> = (0..6).map(|index| SessionId([100 + index; 16])).collect();
        for (index, &id) in ids.iter().enumerate() {
            // Two of them run only some of the blocks.
            let start = if index < 2 { 2 } else { 0 };
            let range = BlockRange::new(start, BLOCKS).unwrap();
            together.open_session_over(id, range, 100).unwrap();
        }
        let mut alone: Vec<_> = ids
            .iter()
            .map(|id| fixture.shard(together.session_range(id).unwrap().start(), BLOCKS))
            .collect();
        for round in 0..5 {
            let rows: Vec<_> =
                (0..6).map(|index| home.embed(&companion_step(index, round)).unwrap()).collect();
            let steps: Vec<_> = ids
                .iter()
                .zip(&rows)
                .map(|(&session, rows)| {
                    let start = together.positions(&session).unwrap();
                    Step { session, start, hidden: rows }
                })
                .collect();
            let made = together.forward_all(&steps);
            for ((step, made), alone) in steps.iter().zip(made).zip(&mut alone) {
                let expected = alone.forward(&SESSION, step.start, step.hidden).unwrap();
                assert!(bits(&made.unwrap()) == bits(&expected), "company changes bytes");
            }
        }
    }
}

#[test]
fn p8_logits_of_many_rows_are_those_of_each_alone() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let home = fixture.home();
        let rows = home.embed(&tokens(11)).unwrap();
        let rows: Vec<_> = rows.chunks(fixture.manifest.hidden_size as usize).collect();
        for (row, together) in rows.iter().zip(home.logits_all(&rows)) {
            let alone = home.logits(row).unwrap();
            assert!(bits(&alone) == bits(&together.unwrap()), "company changes logits");
        }
    }
}

#[test]
fn p8_a_session_over_some_of_a_shards_blocks_equals_a_shard_of_just_those() {
    let fixture = Fixture::gemma3();
    let rows = fixture.home().embed(&tokens(40)).unwrap();
    let expected = bits(&fixture.shard(2, 5).forward(&SESSION, 0, &rows).unwrap());
    let mut whole = fixture.shard(0, BLOCKS);
    let (id, range) = (SessionId([8; 16]), BlockRange::new(2, 5).unwrap());
    whole.open_session_over(id, range, 64).unwrap();
    assert_eq!(whole.session_range(&id), Some(range));
    assert!(bits(&whole.forward(&id, 0, &rows).unwrap()) == expected);
    whole.close_session(&SESSION);
    whole.close_session(&id);
    assert_eq!((whole.kv_reserved(), whole.kv_bytes()), (0, 0));
    let mut part = fixture.shard(2, 4);
    let refused = OpenSessionError::Range { range, held: BlockRange::new(2, 4).unwrap() };
    assert_eq!(part.open_session_over(id, range, 64), Err(refused));
}
