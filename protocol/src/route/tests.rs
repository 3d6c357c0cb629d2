//! What tiles a model, and what the planner finds.

use super::*;

fn stage(peer: u8, start: u32, end: u32) -> RouteStage {
    RouteStage { peer: PeerKey([peer; 32]), blocks: BlockRange::new(start, end).unwrap() }
}

#[test]
fn a_route_tiles_all_blocks_with_distinct_peers() {
    assert!(Route::new(vec![stage(1, 0, 10), stage(2, 10, 30)], 30).is_ok());
    let table = [
        (vec![], RouteError::Empty),
        (vec![stage(1, 1, 30)], RouteError::Gap { stage: 0, expected: 0, got: 1 }),
        (
            vec![stage(1, 0, 10), stage(2, 9, 30)],
            RouteError::Gap { stage: 1, expected: 10, got: 9 },
        ),
        (
            vec![stage(1, 0, 10), stage(2, 11, 30)],
            RouteError::Gap { stage: 1, expected: 10, got: 11 },
        ),
        (vec![stage(1, 0, 29)], RouteError::End { expected: 30, got: 29 }),
        (vec![stage(1, 0, 31)], RouteError::End { expected: 30, got: 31 }),
        (vec![stage(1, 0, 10), stage(1, 10, 30)], RouteError::Repeated { peer: PeerKey([1; 32]) }),
    ];
    for (stages, error) in table {
        assert_eq!(Route::new(stages, 30), Err(error));
    }
}

#[test]
fn a_route_is_bounded_before_it_is_read() {
    let many = vec![stage(1, 0, 1); STAGES_MAX + 1];
    assert_eq!(Route::new(many, 1), Err(RouteError::TooLong { got: STAGES_MAX + 1 }));
}
