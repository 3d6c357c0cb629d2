//! Sessions: caches cut back and replayed, budgets, refusals, and what loading checks.

use comity_protocol::{
    block::BlockRange,
    id::{Digest, SessionId},
};

use super::{Fixture, SESSION, bits, tokens};
use crate::{
    Part, Shard,
    fixture::{self, BLOCKS, CONTEXT, Precision},
    shard::{ForwardError, LoadError, OpenSessionError, TruncateError},
};

#[test]
fn a_session_cut_back_and_replayed_equals_a_fresh_one() {
    for fixture in [Fixture::llama(), Fixture::gemma3()] {
        let home = fixture.home();
        let (first, wrong, right) = (tokens(45), vec![90; 30], tokens(20));
        let embed = |tokens: &[u32]| home.embed(tokens).unwrap();
        let mut fresh = fixture.shard(0, BLOCKS);
        fresh.forward(&SESSION, 0, &embed(&first)).unwrap();
        let expected = fresh.forward(&SESSION, 45, &embed(&right)).unwrap();
        let mut replayed = fixture.shard(0, BLOCKS);
        replayed.forward(&SESSION, 0, &embed(&first)).unwrap();
        replayed.forward(&SESSION, 45, &embed(&wrong)).unwrap();
        // The step itself cuts back.
        let got = replayed.forward(&SESSION, 45, &embed(&right)).unwrap();
        assert_eq!(bits(&got), bits(&expected));
        replayed.truncate(&SESSION, 20).unwrap();
        assert_eq!(replayed.positions(&SESSION), Some(20));
        replayed.forward(&SESSION, 20, &embed(&first[20..])).unwrap();
        let got = replayed.forward(&SESSION, 45, &embed(&right)).unwrap();
        assert_eq!(bits(&got), bits(&expected));
    }
}

#[test]
fn sessions_do_not_see_each_other() {
    let fixture = Fixture::llama();
    let home = fixture.home();
    let rows = home.embed(&tokens(20)).unwrap();
    let alone = fixture.shard(0, 3).forward(&SESSION, 0, &rows).unwrap();
    let mut shard = fixture.shard(0, 3);
    let other = SessionId([8; 16]);
    shard.open_session(other, 64).unwrap();
    shard.forward(&other, 0, &home.embed(&[99; 40]).unwrap()).unwrap();
    assert_eq!(bits(&shard.forward(&SESSION, 0, &rows).unwrap()), bits(&alone));
}

#[test]
fn closing_a_session_frees_its_kv_at_once() {
    let fixture = Fixture::llama();
    let rows = fixture.home().embed(&tokens(33)).unwrap();
    let mut shard = fixture.shard(0, BLOCKS);
    assert_eq!(shard.kv_bytes(), 0);
    shard.forward(&SESSION, 0, &rows).unwrap();
    assert_eq!(shard.kv_bytes(), 64 * shard.kv_bytes_per_position());
    // 6 blocks, keys and values, 2 heads of 16 floats.
    assert_eq!(shard.kv_bytes_per_position(), 6 * 2 * 2 * 16 * 2);
    shard.truncate(&SESSION, 32).unwrap();
    assert_eq!(shard.kv_bytes(), 32 * shard.kv_bytes_per_position());
    shard.close_session(&SESSION);
    assert_eq!((shard.kv_bytes(), shard.kv_reserved(), shard.sessions()), (0, 0, 0));
    shard.close_session(&SESSION);
    assert_eq!(shard.kv_reserved(), 0);
}

#[test]
fn sessions_are_admitted_against_the_budget() {
    let fixture = Fixture::llama();
    let range = BlockRange::new(0, 2).unwrap();
    let mut shard = Shard::load(&fixture.file, range, &fixture.manifest).unwrap();
    let needed = 64 * shard.kv_bytes_per_position();
    shard.set_kv_budget(2 * needed);
    let id = |number| SessionId([number; 16]);
    shard.open_session(id(1), 64).unwrap();
    assert_eq!(shard.open_session(id(1), 64), Err(OpenSessionError::Exists { id: id(1) }));
    shard.open_session(id(2), 33).unwrap();
    let refused = OpenSessionError::Budget { needed: needed / 2, free: 0, budget: 2 * needed };
    assert_eq!(shard.open_session(id(3), 1), Err(refused));
    shard.close_session(&id(1));
    shard.open_session(id(3), 64).unwrap();
    for positions in [0, CONTEXT + 1] {
        let refused = OpenSessionError::Positions { positions, context_length: CONTEXT };
        assert_eq!(shard.open_session(id(4), positions), Err(refused));
    }
}

#[test]
fn steps_that_do_not_fit_the_cache_are_refused_and_change_nothing() {
    let fixture = Fixture::llama();
    let rows = fixture.home().embed(&tokens(10)).unwrap();
    let range = BlockRange::new(0, 2).unwrap();
    let mut shard = Shard::load(&fixture.file, range, &fixture.manifest).unwrap();
    shard.open_session(SESSION, 15).unwrap();
    shard.forward(&SESSION, 0, &rows).unwrap();
    let mut refuse = |start, rows: &[f32]| {
        let error = shard.forward(&SESSION, start, rows).unwrap_err();
        assert_eq!(shard.positions(&SESSION), Some(10), "a refused step changes nothing");
        error
    };
    let error = refuse(11, &rows);
    assert!(matches!(error, ForwardError::PositionMismatch { held: 10, start: 11 }), "{error}");
    let error = refuse(6, &rows);
    assert!(matches!(error, ForwardError::CacheFull { end: 16, positions_max: 15 }), "{error}");
    let error = refuse(u32::MAX, &rows);
    assert!(matches!(error, ForwardError::PositionMismatch { .. }), "{error}");
    for length in [0, 63, 65] {
        let error = refuse(10, &vec![0.5; length]);
        assert!(matches!(error, ForwardError::Length { hidden_size: 64, .. }), "{error}");
    }
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut rows = rows[..192].to_vec();
        rows[130] = poison;
        let error = refuse(10, &rows);
        assert!(matches!(error, ForwardError::InputNotFinite { position: 12 }), "{error}");
    }
    let stranger = SessionId([9; 16]);
    let error = shard.forward(&stranger, 0, &rows).unwrap_err();
    assert!(matches!(error, ForwardError::UnknownSession { .. }), "{error}");
    let mismatch = TruncateError::PositionMismatch { held: 10, position: 11 };
    assert_eq!(shard.truncate(&SESSION, 11), Err(mismatch));
}

#[test]
fn results_that_are_not_finite_are_refused_and_leave_the_positions_before() {
    let mut bytes = fixture::llama(1, Precision::Mixed).unwrap();
    let good = Fixture::new(&bytes);
    // An infinite weight: rows whose value meets it become infinite or NaN.
    let norm = good.file.tensors().find(|tensor| tensor.name == "blk.4.ffn_norm.weight").unwrap();
    let at = norm.offset as usize;
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let bad = Fixture::new(&bytes);
    let rows = good.home().embed(&tokens(4)).unwrap();
    bad.shard(0, 4).forward(&SESSION, 0, &rows).unwrap();
    let mut shard = bad.shard(0, BLOCKS);
    let error = shard.forward(&SESSION, 0, &rows).unwrap_err();
    assert!(matches!(error, ForwardError::OutputNotFinite { position: 0, .. }), "{error}");
    assert_eq!((shard.positions(&SESSION), shard.kv_bytes()), (Some(0), 0));
}

#[test]
fn a_stage_holds_its_own_blocks_only() {
    let fixture = Fixture::llama();
    let whole = fixture.shard(0, BLOCKS).weight_bytes();
    let third = fixture.shard(2, 4).weight_bytes();
    assert_eq!(3 * third, whole);
    assert_eq!(third, fixture.file.block_bytes(2) + fixture.file.block_bytes(3));
    assert_eq!(fixture.file.block_bytes(BLOCKS), 0);
}

#[test]
fn loading_refuses_another_models_manifest_and_names_the_difference() {
    let fixture = Fixture::llama();
    let load = |manifest: &_, range| Shard::load(&fixture.file, range, manifest);
    let range = BlockRange::new(1, 3).unwrap();
    let mut other = fixture.manifest.clone();
    other.blocks[2] = Digest([0; 32]);
    let error = load(&other, range).unwrap_err();
    let LoadError::Digest { part: Part::Block(2), tensors, .. } = error else { panic!("{error}") };
    assert!(tensors.contains(&"blk.2.attn_q.weight".to_owned()), "{tensors:?}");
    load(&other, BlockRange::new(3, 6).unwrap()).unwrap();
    let mut other = fixture.manifest.clone();
    other.hidden_size += 1;
    let error = load(&other, range).unwrap_err();
    assert!(matches!(error, LoadError::Manifest { field: "hidden_size", .. }), "{error}");
    let mut other = fixture.manifest.clone();
    other.config = Digest([0; 32]);
    let error = load(&other, range).unwrap_err();
    assert!(matches!(error, LoadError::Manifest { field: "config", .. }), "{error}");
    let past = BlockRange::new(4, 7).unwrap();
    let error = load(&fixture.manifest, past).unwrap_err();
    assert!(matches!(error, LoadError::Range { block_count: 6, .. }), "{error}");
}

#[test]
fn one_changed_byte_of_a_block_is_found_at_load() {
    let fixture = Fixture::gemma3();
    let tensor = fixture.file.tensors().find(|tensor| tensor.name == "blk.3.attn_k.weight");
    let offset = tensor.unwrap().offset as usize;
    let mut bytes = std::fs::read(&fixture.path).unwrap();
    bytes[offset + 5] ^= 1;
    std::fs::write(&fixture.path, bytes).unwrap();
    let load = |start, end| {
        let range = BlockRange::new(start, end).unwrap();
        Shard::load(&fixture.file, range, &fixture.manifest)
    };
    load(0, 3).unwrap();
    let error = load(2, 6).unwrap_err();
    assert!(matches!(error, LoadError::Digest { part: Part::Block(3), .. }), "{error}");
}

#[test]
fn home_refuses_tokens_past_the_vocabulary_and_rows_of_another_shape() {
    let home = Fixture::gemma3().home();
    let error = home.embed(&[5, 320]).unwrap_err();
    assert_eq!(error.to_string(), "token 320 is not in a vocabulary of 320");
    assert!(home.logits(&[0.5; 255]).is_err());
    assert!(home.logits(&[f32::NAN; 256]).is_err());
    assert_eq!(home.logits(&[0.5; 256]).unwrap().len(), 320);
}
