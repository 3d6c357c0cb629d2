//! Positions come back from the pages they were put in.
#![expect(clippy::cast_possible_truncation, reason = "a fixture's numbers are small")]

use super::{CacheShape, KvCache, PAGE_POSITIONS};

const SHAPE: CacheShape = CacheShape { blocks: 2, kv_heads: 3, head_size: 2 };

fn row(block: usize, position: u32, side: u32) -> Vec<f32> {
    (0..6).map(|i| (block as u32 * 100_000 + position * 100 + side * 10 + i) as f32).collect()
}

fn filled(positions: u32) -> KvCache {
    let mut cache = KvCache::new(SHAPE);
    cache.reserve(positions);
    for position in 0..positions {
        for block in 0..2 {
            cache.store(block, position, &row(block, position, 0), &row(block, position, 1));
        }
    }
    cache.commit(positions);
    cache
}

#[test]
fn runs_return_what_was_stored_in_order() {
    let cache = filled(70);
    for (block, head, range) in [(0, 0, 0..70), (1, 2, 5..6), (1, 1, 31..33), (0, 2, 32..64)] {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for run in cache.runs(block, head, range.clone()) {
            keys.extend_from_slice(run.keys);
            values.extend_from_slice(run.values);
        }
        let expected = |side| {
            let rows = range.clone().map(|position| row(block, position, side));
            rows.flat_map(|row| row[2 * head..2 * head + 2].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!((keys, values), (expected(0), expected(1)));
    }
}

#[test]
fn truncating_frees_pages_past_the_position() {
    let mut cache = filled(70);
    let page = SHAPE.page_bytes();
    assert_eq!(page, u64::from(PAGE_POSITIONS) * 2 * 2 * 6 * 4);
    assert_eq!(cache.bytes(), 3 * page);
    cache.truncate(64);
    assert_eq!((cache.positions(), cache.bytes()), (64, 2 * page));
    cache.truncate(90);
    assert_eq!(cache.positions(), 64);
    cache.truncate(0);
    assert_eq!(cache.bytes(), 0);
}
