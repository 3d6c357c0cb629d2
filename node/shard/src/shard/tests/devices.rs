//! Blocks run by candle against our kernels: on candle's CPU device, and on a GPU where there is one.

use candle_core::Device as Place;
use comity_protocol::{block::BlockRange, id::SessionId};

use super::{Fixture, SESSION, tokens};
use crate::{
    Device, Shard, Step,
    fixture::{self, BLOCKS, CONTEXT, Precision, WINDOW},
    shard::{ForwardError, LoadError, OpenSessionError},
};

/// How far hidden states may be off, over their root mean square, in F32: only the order of sums
/// differs, and what that moves to the next binary16 in the cache. Measured: 5e-4 on candle's CPU.
const FLOAT_TOLERANCE: f32 = 1e-3;
/// The same in quantised types, where both sides round activations to 8 bits, each in its own way.
/// Measured: 0.10 on candle's CPU.
const QUANTISED_TOLERANCE: f32 = 0.15;

/// Candle's CPU device, and the first GPU of each kind that the build and the machine have.
#[expect(clippy::print_stdout, reason = "what was not tested is said")]
fn places() -> Vec<Place> {
    let mut places = vec![Place::Cpu];
    for text in ["cuda:0", "metal:0"] {
        match text.parse::<Device>().map(Device::open) {
            Ok(Ok(place)) => places.extend(place),
            Ok(Err(error)) => println!("skipped {text}: {error}"),
            Err(error) => println!("skipped {text}: {error}"),
        }
    }
    places
}

fn fixtures(precision: Precision) -> [Fixture; 2] {
    [fixture::llama(1, precision), fixture::gemma3(2, precision)]
        .map(|bytes| Fixture::new(&bytes.unwrap()))
}

/// Every architecture in F32, in every place.
fn everywhere() -> Vec<(Fixture, Place)> {
    let pairs = places().into_iter().flat_map(|place| {
        fixtures(Precision::Float).into_iter().map(move |fixture| (fixture, place.clone()))
    });
    pairs.collect()
}

/// Blocks `start..end` run by candle, with one open session.
fn shard(fixture: &Fixture, place: &Place, start: u32, end: u32) -> Shard {
    let range = BlockRange::new(start, end).unwrap();
    let place = Some(place.clone());
    let mut shard = Shard::load_at(&fixture.file, range, &fixture.manifest, place).unwrap();
    shard.open_session(SESSION, CONTEXT).unwrap();
    shard
}

/// The largest difference over the root mean square of what is expected.
fn error(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let square: f32 = expected.iter().map(|value| value * value).sum();
    let size = (square / expected.len() as f32).sqrt();
    assert!(size > 0.5, "the reference says something");
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / size
}

#[test]
fn candles_blocks_agree_with_our_kernels() {
    for (precision, tolerance) in
        [(Precision::Float, FLOAT_TOLERANCE), (Precision::Mixed, QUANTISED_TOLERANCE)]
    {
        for fixture in fixtures(precision) {
            let home = fixture.home();
            for place in places() {
                let mut ours = fixture.shard(1, BLOCKS);
                let mut theirs = shard(&fixture, &place, 1, BLOCKS);
                // Past the window at once, then a chunk across pages, single positions, a chunk.
                for count in [2 * WINDOW + 3, 40, 1, 1, 5] {
                    let rows = home.embed(&tokens(count)).unwrap();
                    let start = ours.positions(&SESSION).unwrap();
                    let expected = ours.forward(&SESSION, start, &rows).unwrap();
                    let got = theirs.forward(&SESSION, start, &rows).unwrap();
                    let error = error(&got, &expected);
                    assert!(error < tolerance, "{precision:?} at {start}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_session_on_a_device_is_cut_back_and_replayed() {
    for (fixture, place) in everywhere() {
        let home = fixture.home();
        let embed = |tokens: &[u32]| home.embed(tokens).unwrap();
        let (first, wrong, right) = (tokens(45), vec![90; 30], tokens(20));
        let mut ours = fixture.shard(0, BLOCKS);
        ours.forward(&SESSION, 0, &embed(&first)).unwrap();
        let expected = ours.forward(&SESSION, 45, &embed(&right)).unwrap();
        let mut theirs = shard(&fixture, &place, 0, BLOCKS);
        theirs.forward(&SESSION, 0, &embed(&first)).unwrap();
        theirs.forward(&SESSION, 45, &embed(&wrong)).unwrap();
        // The step itself cuts back.
        let got = theirs.forward(&SESSION, 45, &embed(&right)).unwrap();
        assert!(error(&got, &expected) < FLOAT_TOLERANCE);
        theirs.truncate(&SESSION, 20).unwrap();
        assert_eq!(theirs.positions(&SESSION), Some(20));
        theirs.forward(&SESSION, 20, &embed(&first[20..])).unwrap();
        let got = theirs.forward(&SESSION, 45, &embed(&right)).unwrap();
        assert!(error(&got, &expected) < FLOAT_TOLERANCE);
        assert_eq!(theirs.positions(&SESSION), Some(65));
    }
}

#[test]
fn sessions_on_a_device_run_together_as_each_alone() {
    for (fixture, place) in everywhere() {
        let home = fixture.home();
        let mut theirs = shard(&fixture, &place, 0, BLOCKS);
        theirs.close_session(&SESSION);
        let ids = [1, 2, 3, 4].map(|number| SessionId([number; 16]));
        let mut ours = Vec::new();
        for (index, &id) in ids.iter().enumerate() {
            // Two of them run only some of the blocks.
            let range = BlockRange::new(if index < 2 { 2 } else { 0 }, BLOCKS).unwrap();
            theirs.open_session_over(id, range, 100).unwrap();
            ours.push(fixture.shard(range.start(), BLOCKS));
        }
        for counts in [[1, 20, 7, 33], [30, 1, 1, 1], [1, 1, 9, 1]] {
            let rows = [3, 1, 2, 0].map(|index| {
                let tokens = tokens(80)[10 * index..][..counts[index]].to_vec();
                (index, home.embed(&tokens).unwrap())
            });
            let steps = rows.each_ref().map(|(index, hidden)| {
                let session = ids[*index];
                Step { session, start: theirs.positions(&session).unwrap(), hidden }
            });
            let made = theirs.forward_all(&steps);
            for (((index, _), step), got) in rows.iter().zip(&steps).zip(made) {
                let expected = ours[*index].forward(&SESSION, step.start, step.hidden).unwrap();
                let error = error(&got.unwrap(), &expected);
                assert!(error < FLOAT_TOLERANCE, "session {index}: {error}");
            }
        }
    }
}

#[test]
fn a_device_keeps_the_budget_and_refuses_what_the_cpu_refuses() {
    for (fixture, place) in everywhere() {
        let rows = fixture.home().embed(&tokens(40)).unwrap();
        let cpu = fixture.shard(0, 2);
        let mut theirs = shard(&fixture, &place, 0, 2);
        assert_eq!(theirs.kv_bytes_per_position(), cpu.kv_bytes_per_position());
        assert_eq!(theirs.kv_reserved(), cpu.kv_reserved());
        theirs.close_session(&SESSION);
        let needed = u64::from(40_u32.next_multiple_of(32));
        theirs.set_kv_budget(needed * cpu.kv_bytes_per_position());
        theirs.open_session(SESSION, 40).unwrap();
        assert_eq!(theirs.kv_bytes(), 0);
        let refused = theirs.open_session(SessionId([8; 16]), 1).unwrap_err();
        assert!(matches!(refused, OpenSessionError::Budget { free: 0, .. }), "{refused}");
        for count in [1, 33, 40] {
            theirs.forward(&SESSION, 0, &rows[..rows.len() / 40 * count]).unwrap();
            assert!(theirs.kv_bytes() > 0 && theirs.kv_bytes() <= theirs.kv_reserved());
        }
        let row = &rows[..rows.len() / 40];
        let full = theirs.forward(&SESSION, 40, row).unwrap_err();
        assert!(matches!(full, ForwardError::CacheFull { end: 41, .. }), "{full}");
        theirs.truncate(&SESSION, 30).unwrap();
        let gap = theirs.forward(&SESSION, 31, row).unwrap_err();
        assert!(matches!(gap, ForwardError::PositionMismatch { held: 30, start: 31 }), "{gap}");
        let wrong = theirs.forward(&SESSION, 30, &vec![f32::NAN; row.len()]).unwrap_err();
        assert!(matches!(wrong, ForwardError::InputNotFinite { position: 30 }), "{wrong}");
        assert_eq!(theirs.positions(&SESSION), Some(30));
        theirs.close_session(&SESSION);
        assert_eq!((theirs.kv_bytes(), theirs.kv_reserved()), (0, 0));
    }
}

#[test]
fn results_of_a_device_that_are_not_finite_are_refused() {
    let mut bytes = fixture::llama(1, Precision::Float).unwrap();
    let good = Fixture::new(&bytes);
    let norm = good.file.tensors().find(|tensor| tensor.name == "blk.4.ffn_norm.weight").unwrap();
    let at = norm.offset as usize;
    bytes[at..at + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    let bad = Fixture::new(&bytes);
    let rows = good.home().embed(&tokens(4)).unwrap();
    for place in places() {
        shard(&bad, &place, 0, 4).forward(&SESSION, 0, &rows).unwrap();
        let mut shard = shard(&bad, &place, 0, BLOCKS);
        let error = shard.forward(&SESSION, 0, &rows).unwrap_err();
        assert!(matches!(error, ForwardError::OutputNotFinite { position: 0, .. }), "{error}");
        assert_eq!(shard.positions(&SESSION), Some(0));
    }
}

#[test]
fn weights_on_a_device_are_counted_as_the_file_has_them() {
    let fixture = Fixture::gemma3();
    let block = fixture.file.tensors().filter(|tensor| tensor.name.starts_with("blk.2."));
    let expected: u64 = block.map(|tensor| tensor.bytes).sum();
    assert_eq!(shard(&fixture, &Place::Cpu, 2, 3).weight_bytes(), expected);
}

#[test]
fn a_device_that_cannot_be_opened_is_named() {
    let fixture = Fixture::llama();
    let range = BlockRange::new(0, 1).unwrap();
    // No machine has so many, whatever the build can use.
    let error = Shard::load_on(&fixture.file, range, &fixture.manifest, Device::Cuda(4_096));
    let error = error.unwrap_err();
    assert!(matches!(error, LoadError::Device { device: Device::Cuda(4_096), .. }));
    assert_eq!(error.to_string(), "cannot open device cuda:4096");
}
