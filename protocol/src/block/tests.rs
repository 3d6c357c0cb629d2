//! Laws of block ranges.

use proptest::prelude::*;

use super::*;

fn ranges() -> impl Strategy<Value = BlockRange> {
    (0..BLOCKS_MAX)
        .prop_flat_map(|start| (Just(start), start + 1..=BLOCKS_MAX))
        .prop_map(|(start, end)| BlockRange::new(start, end).unwrap())
}

#[test]
fn empty_reversed_and_overlong_ranges_are_refused() {
    assert_eq!(BlockRange::new(3, 3), Err(BlockRangeError::Empty { start: 3, end: 3 }));
    assert_eq!(BlockRange::new(4, 3), Err(BlockRangeError::Empty { start: 4, end: 3 }));
    let end = BLOCKS_MAX + 1;
    assert_eq!(BlockRange::new(0, end), Err(BlockRangeError::TooLong { end }));
    assert_eq!(BlockRange::new(0, u32::MAX), Err(BlockRangeError::TooLong { end: u32::MAX }));
    assert!(BlockRange::new(0, BLOCKS_MAX).is_ok());
}

proptest! {
    #[test]
    fn a_range_has_as_many_blocks_as_it_iterates(range in ranges()) {
        prop_assert_eq!(range.iter().count(), range.len() as usize);
        prop_assert_eq!(range.iter().next(), Some(range.start()));
        prop_assert_eq!(range.iter().last(), Some(range.end() - 1));
    }

    #[test]
    fn covering_is_containing_every_block(outer in ranges(), inner in ranges()) {
        let all = inner.iter().all(|block| outer.iter().contains(&block));
        prop_assert_eq!(outer.covers(inner), all);
        prop_assert!(outer.covers(outer));
        if outer.covers(inner) && inner.covers(outer) {
            prop_assert_eq!(outer, inner);
        }
    }
}
