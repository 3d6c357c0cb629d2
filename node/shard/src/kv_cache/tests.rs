//! Positions come back from the pages they were put in.
#![expect(clippy::cast_possible_truncation, reason = "a fixture's numbers are small")]

use super::{CacheShape, KvCache, LANES, PAGE_POSITIONS};
use crate::kernels::{Compute, half};

const SHAPE: CacheShape = CacheShape { blocks: 2, kv_heads: 3, head_size: 2 };

fn row(block: usize, position: u32, side: u32) -> Vec<f32> {
    (0..6).map(|i| (block as u32 * 1_024 + position * 12 + side * 6 + i) as f32).collect()
}

fn filled(positions: u32) -> KvCache {
    let (mut cache, compute) = (KvCache::new(SHAPE), Compute::new(1));
    cache.reserve(positions);
    for position in 0..positions {
        for block in 0..2 {
            cache.store(
                &compute,
                block,
                position,
                &row(block, position, 0),
                &row(block, position, 1),
            );
        }
    }
    cache.commit(positions);
    cache
}

/// Keys and values of one head at one position, as the layout promises them.
fn read(cache: &KvCache, block: usize, head: usize, position: u32) -> (Vec<f32>, Vec<f32>) {
    let page = cache.page(block, head, (position / PAGE_POSITIONS) as usize);
    let slot = (position % PAGE_POSITIONS) as usize;
    let (size, vectors) = (SHAPE.head_size, SHAPE.head_width() / LANES);
    let half = |run: &[u8; 32], lane: usize| half::f16_at(run, 2 * lane);
    let key = |i: usize| half(&page.keys[slot / LANES * size + i], slot % LANES);
    let value = |i: usize| half(&page.values[slot * vectors + i / LANES], i % LANES);
    ((0..size).map(key).collect(), (0..size).map(value).collect())
}

#[test]
fn pages_return_what_was_stored() {
    let cache = filled(70);
    for (block, head) in [(0, 0), (1, 2), (1, 1), (0, 2)] {
        for position in 0..70 {
            let expected = |side| row(block, position, side)[2 * head..2 * head + 2].to_vec();
            let got = read(&cache, block, head, position);
            assert_eq!(got, (expected(0), expected(1)), "{block} {head} {position}");
        }
    }
}

#[test]
fn truncating_frees_pages_past_the_position() {
    let mut cache = filled(70);
    let page = SHAPE.page_bytes();
    // Values stand in whole vectors of 16.
    assert_eq!(page, u64::from(PAGE_POSITIONS) * 2 * 3 * (2 + 16) * 2);
    assert_eq!(cache.bytes(), 3 * page);
    cache.truncate(64);
    assert_eq!((cache.positions(), cache.bytes()), (64, 2 * page));
    cache.truncate(90);
    assert_eq!(cache.positions(), 64);
    cache.truncate(0);
    assert_eq!(cache.bytes(), 0);
}
